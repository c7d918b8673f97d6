"""What runs inside a sandbox: the first process, which watches, and the server, which does what the studio asks.

The modules run by Python's standard library alone, under a path of their own, without the rest of the studio: hence
the relative imports. Only `frames`, `plan` and `linux` are used on both sides.
"""
