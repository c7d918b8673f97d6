"""Reading traces: where the time went, what went wrong, how the installation fares. See `studio.tracing` for writing.

Functions that take an `owner` (a Clerk user id) show only what belongs to his projects; None shows everything, which is
for operators.
"""
