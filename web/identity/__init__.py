"""Who asks: sessions of Clerk in production, of a one-time link on the embedded stack.

owner     the signed-in owner of a request, and what is his
viewer    who looks at operations: operators at all of them, others at their own
clerk     session tokens of Clerk
cookies   the session cookie of a browser that signed in by link
origin    no page of another origin may change anything in a session's name (CSRF)
"""
