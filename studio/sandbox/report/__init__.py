"""What the sandbox model says where a report is researched: it plans, looks up, states, checks and writes.

It knows nothing: every statement is a sentence of a document that it was given, and its quote is that sentence.
"""
