"""Reports: planned questions, what the web says to them, which of it a retrieved page carries, and the document."""
