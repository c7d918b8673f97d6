"""Fits the few numbers that cannot be read off a measurement, so that the simulation gives what was measured."""

from __future__ import annotations

import functools

from benchmarks.simulation import loads
from benchmarks.simulation.loads import Writing
from benchmarks.simulation.measured import Measured, Round
from benchmarks.simulation.service import Lock, RunCosts, run_costs

_JOBS = 80
# Where to look: a path of computing from the commit to the op, and the handing on of a lock, in seconds.
_PATH, _HANDING_ON = (0.005, 0.5), (0.0, 0.002)
# Enough writers to keep all cores busy, and to queue for the lock of those that notify.
_MANY = 8
# Of an append's statement: the row of the counter is taken before its events are inserted, and after the fence.
_HELD = 0.7


def writing(measured: Measured) -> Writing:
    """Return what an append costs.

    Many writers keep all cores busy, so that their rate says what client and server compute together; what is left of
    a single one's cycle is the disk.
    """
    cores, server = int(measured.machine["cpus"]), measured.operation("append_bare") / 1e6
    client = max(0.0, cores / _rate(measured, _MANY, "unheard") - server)
    flush = max(0.0, 1 / _rate(measured, 1, "unheard") - server - client)
    return Writing(client, server, _HELD * server, flush)


def lock(measured: Measured) -> Lock:
    """Return for how long a commit that notifies holds the lock.

    A single writer waits for nobody, so that what being heard costs it is the commit's part; that of handing on is
    fitted to many.
    """
    commit = max(0.0, 1 / _rate(measured, 1, "apart") - 1 / _rate(measured, 1, "unheard"))
    wanted = _rate(measured, _MANY, "apart")
    return _fitted_lock(commit, writing(measured), wanted, int(measured.machine["cpus"]))


@functools.lru_cache(maxsize=8)
def _fitted_lock(commit: float, cost: Writing, wanted: float, cores: int) -> Lock:
    def slowness_at(handing_on: float) -> float:
        return 1 / loads.appends(Lock(commit, handing_on), cores, cost, writers=_MANY, heard=True, together=False)

    return Lock(commit, loads.bisected(slowness_at, 1 / wanted, *_HANDING_ON))


def fitted(measured: Measured, one: Round) -> RunCosts:
    """Return the costs of a run, as they were in one round of the measurements."""
    cores, alone, held = int(measured.machine["cpus"]), one.fit["alone"], lock(measured)

    def latency_at(path: float) -> float:
        trial = run_costs(measured, one, path, held)
        return loads.latency(trial, cores, alone["others"], jobs=_JOBS)["p50"]

    path = loads.bisected(latency_at, alone["latency_ms"]["50"], *_PATH)
    return run_costs(measured, one, path, held)


def _rate(measured: Measured, writers: int, way: str) -> float:
    return float(measured.database["writers"][str(writers)][way])
