"""The embedded stack: what `greenlight up` and `greenlight demo` start, keep alive and stop.

`stack.Stack` is the way in; `state.running_environment` is for other shells.

stack        start the parts in order, stop them in the reverse order
profile      how Dagster is run: the repository's way, or another to compare it with
parts        which programs there are, how each is started, and how one sees that it works
keeper       start parts, and start them again when they die
child        one program that runs: its process, its log
probes       does it answer?
shutdown     the orderly stop
descent      which processes belong to a stack, and how they are ended
warden       the watchman that sees its supervisor die
remains      what a killed stack left behind
lock         one stack per folder
secrets      what signs links and encrypts credentials
state        what other commands may know about a running stack
signals      what Ctrl-C means
environment  the variables that make another process part of a stack
databases    the studio's and Dagster's, and the embedded server
urls         database URLs in the two forms there are
folders      what lies where in the data folder
ports        free ports on the loopback interface
"""
