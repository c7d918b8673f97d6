"""What the world may see, on an origin of its own that never carries a session.

app          the application: routes, guard, errors
launch       published pages
shares       packets that were shared by link
waitlist     joining a list, and confirming it
unsubscribe  ending a project's mail
files        artifacts of the folder storage, by signed link
"""
