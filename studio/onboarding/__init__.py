"""What a project starts with: a look at what is there already, a rough preview, and the project itself."""
