"""The `greenlight` command line: one module per noun."""
