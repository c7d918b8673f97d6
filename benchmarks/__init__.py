"""The benchmark suite: figures with a bound, measured in one go on one database server.

`make bench` runs it; `python -m benchmarks --help` says more. Where two ways of running Dagster are compared,
they have the same server, definitions and lane limits, and run one after the other, because two stacks on one
machine would measure each other.

__main__   arguments, exit code
plan       which benchmarks there are; adding one means adding a line there
figures    a figure, its goal, the verdict
goals      every "at least" and every aim, with its reason
report     the table and the JSON
machine    what the figures were measured on
server     the one database server, its databases, and a count of its statements
profiles   the two ways: stock Dagster, and the repository's own
bed        a running stack to measure
pairs      the same with and without something, in turns
processes  whose CPU time and memory is whose
flame      flame graphs, for whoever optimises next

A module of the database takes a fresh `Database` and yields figures. A module of the stack has `PROFILES` (which
ways it measures), `measure(bed)`, and `figures(ours, stock)`, which makes figures of what was measured.
"""
