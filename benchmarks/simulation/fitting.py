"""Fits the few numbers that cannot be read off a measurement, so that the simulation gives what was measured."""

from __future__ import annotations

import functools
from dataclasses import replace

from benchmarks.simulation import loads
from benchmarks.simulation.loads import Writing
from benchmarks.simulation.measured import Measured, Round
from benchmarks.simulation.service import RunCosts, run_costs

_JOBS = 80
# Where to look: a path of computing from the commit to the op, in seconds.
_PATH = (0.005, 0.5)
# The fewest writers that queue for the lock of those that notify, and those by which its length is fitted.
_FITTED_WRITERS = 8
# Of an append's statement: the row of the counter is taken before its events are inserted, and after the fence.
_HELD = 0.7


@functools.lru_cache(maxsize=8)
def _commit(flush: float, crowding: float, writing: Writing, wanted: float, cores: int, costs: RunCosts) -> float:
    def rate_at(commit: float) -> float:
        trial = replace(costs, commit=commit, flush=flush, crowding=crowding)
        return -loads.appends(trial, cores, writing, writers=_FITTED_WRITERS, heard=True, together=False)

    return loads.bisected(rate_at, -wanted, 0.0, 0.002)


def writing(measured: Measured) -> Writing:
    """Return what an append costs: the server's share as measured, the rest of one writer's cycle the client's."""
    server = measured.operation("append") / 1e6
    flush = float(measured.database["flush_ms"]) / 1_000
    cycle = 1.0 / float(measured.database["writers"]["1"]["unheard"])
    return Writing(max(0.0, cycle - server - flush), server, _HELD * server)


def fitted(measured: Measured, one: Round) -> RunCosts:
    """Return the costs of a run, as they were in one round of the measurements."""
    cores = int(measured.machine["cpus"])
    costs = run_costs(measured, one, one.fit["stages"]["ms"]["first line of the op"] / 1_000, commit=0.0)
    wanted = float(measured.database["writers"][str(_FITTED_WRITERS)]["apart"])
    commit = _commit(costs.flush, 1.0, writing(measured), wanted, cores, costs)
    alone = one.fit["alone"]

    def latency_at(path: float) -> float:
        trial = run_costs(measured, one, path, commit)
        return loads.latency(trial, cores, alone["others"], jobs=_JOBS)["p50"]

    path = loads.bisected(latency_at, alone["latency_ms"]["50"], *_PATH)
    return run_costs(measured, one, path, commit)
