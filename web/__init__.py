"""The web application: what the world may see of a studio, over HTTP.

app          the application: routes, guards, errors
site         what a route works with: settings, database, artifacts
launch       published pages
waitlist     joining a list, and confirming it
unsubscribe  ending a project's mail
files        artifacts of the folder storage, by signed link
health       does it work?
pulse        is the database there?
guard        what is refused before any route looks at it
answers      errors in one shape, pages for people, JSON for programs
headers      what browsers are told not to do
visitors     whom a request comes from
connections  how long one may wait, and how many there may be
server       a socket, a port file, and a prompt end
"""
