"""An hour of steady load: does anything grow that should not? `make soak` runs it; `--help` says more.

__main__   arguments, the run, exit code
load       the load, in a process of its own: it would else be measured as the supervisor's memory
tally      what the load has counted and how long it has waited
arrivals   jobs that do nothing, lane by lane, and what became of them
visitors   Phase 0, chats, and readers of event streams that come and go
members    the processes of the stack: memory, descriptors, threads
tables     the databases: sizes, dead rows, sessions, queue
samples    all of that every ten seconds, written as it comes
series     what was written, as series over time
trend      how much a series grows, and how much of that its own scatter explains
bounds     how much each kind of series may grow, and why so much
verdict    what grows
report     the table and the JSON
"""
