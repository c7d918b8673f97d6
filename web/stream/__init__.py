"""Event streams: what happens in projects, sent to browsers as it is committed (WHATWG HTML §9.2, server-sent events).

frames     what is on the wire
cursor     where a stream begins, as browsers say it
response   one stream, from its first byte to its last
changes    hints at what is no event of a job
"""
