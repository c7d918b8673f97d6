"""Internet scale in simulation: what a fleet needs, and where it stops, from what was measured on two cores.

| module | what it is |
|---|---|
| `measured` | service times in `measured.json`, as a command has measured them |
| `measuring_*`, `remeasure` | that command: `python -m benchmarks.simulation measure` |
| `erlang` | the queues whose answers are known: the simulator is checked against them |
| `parts` | what a simulated installation is made of: cores, single-threaded programs, commits, followers |
| `service` | the service times of one run, from what was measured |
| `installation` | a simulated installation: the way of a job through lanes, daemon, workers and database |
| `workload` | what is assumed of projects and their owners (`workload.json`), and the hours of their days |
| `validate` | the real stack beside the simulated one: the error of the simulation |
| `capacity` | what one day of so many projects asks of each part: arithmetic, checked by the simulation |
| `ceilings` | at how many projects each part stops, and what removes that |
| `scales` | the tables of `docs/scaling.md` |
"""
