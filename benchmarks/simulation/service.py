"""The service times of one run, taken from what was measured.

A run's time on an idle machine is nearly all somebody's computing, so the stages of its path say in which proportion
the parts compute one after the other, and the CPU of each part says how much in all. What of that CPU does not fit
into the path is beside it: the next spare worker is forked, the last one ends, ticks are written. One number is fitted:
the length of the path from the commit to the op, such that the simulation of jobs one by one gives the latency that
was measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.simulation.measured import CODE_SERVER, DAEMON, DATABASE, WORKERS, Measured, Round

_CLAIMED, _ASKED = "claimed by a sensor", "run launcher asked"
_OP, _COMPLETED, _ENDED = "first line of the op", "job completed", "run ended"
# A normal distribution's quartile, in standard deviations.
_QUARTILE = 0.6745


class Shares(NamedTuple):
    """Seconds of CPU in a stretch of a run's path, by who computes, and seconds in which nobody does."""

    worker: float = 0.0
    database: float = 0.0
    daemon: float = 0.0
    code_server: float = 0.0
    waits: float = 0.0


class Lock(NamedTuple):
    """Seconds for which a commit that notifies holds the lock of all of them, besides writing the log.

    `handing_on` comes on top where it was waited for.
    """

    commit: float = 0.0
    handing_on: float = 0.0

    @property
    def contended(self) -> float:
        """How long it is held where somebody always waits for it."""
        return self.commit + self.handing_on


@dataclass(frozen=True)
class RunCosts:
    """Seconds for one run that does nothing, on an idle machine, by stretches of its path; and what is around it.

    `beside` is computed when the run no longer needs it. `spread` is the standard deviation of the logarithm of a run's
    times.
    """

    enqueue: float
    claim: float
    append: float
    launch: Shares
    start: Shares
    finish: Shares
    last: Shares
    beside: Shares
    spread: float
    crowding: float
    flush: float
    lock: Lock

    @property
    def worker_seconds(self) -> float:
        """What the worker's machine computes for a run."""
        return sum(part.worker for part in (self.launch, self.start, self.finish, self.last, self.beside))

    @property
    def database_seconds(self) -> float:
        """What the database's machine computes for a run, from its enqueuing on."""
        parts = (self.launch, self.start, self.finish, self.last, self.beside)
        return self.enqueue + self.claim + sum(part.database for part in parts)

    @property
    def daemon_seconds(self) -> float:
        """For how long a run keeps the daemon's one interpreter lock."""
        return self.launch.daemon + self.beside.daemon

    @property
    def code_server_seconds(self) -> float:
        """The same for the code server's."""
        return self.launch.code_server + self.beside.code_server


def run_costs(measured: Measured, one: Round, path_seconds: float, lock: Lock) -> RunCosts:
    """Return the costs where the path from the commit to the op is `path_seconds` of computing.

    `lock` is that of commits that notify.
    """
    stages = one.fit["stages"]["ms"]
    cpu = {part: one.cpu_ms(part) / 1_000 for part in (DATABASE, WORKERS, DAEMON, CODE_SERVER)}
    claim, enqueue = measured.operation("claim") / 1e6, measured.operation("enqueue") / 1e6
    cpu[DATABASE] = max(0.0, cpu[DATABASE] - claim - enqueue)
    # The daemon's share of the statements; the code server asks next to nothing.
    control = cpu[DATABASE] * cpu[DAEMON] / (cpu[DAEMON] + cpu[WORKERS])
    scale = path_seconds / stages[_OP]
    launch = _split(scale * (stages[_ASKED] - stages[_CLAIMED]), 0.0, control, cpu[DAEMON], cpu[CODE_SERVER])
    working = cpu[DATABASE] - control
    lengths = (stages[_OP] - stages[_ASKED], stages[_COMPLETED] - stages[_OP], stages[_ENDED] - stages[_COMPLETED])
    start, finish, last = (_split(scale * length, cpu[WORKERS], working, 0.0, 0.0) for length in lengths)
    # Where a path is longer than all that its parts compute, somebody waits on it.
    path = (start, finish, last)
    start, finish, last = (
        _bounded(part, cpu[WORKERS] / sum(one.worker for one in path), working / sum(one.database for one in path))
        for part in path
    )
    launch = _bounded_launch(launch, control, cpu[DAEMON], cpu[CODE_SERVER])
    beside = Shares(
        cpu[WORKERS] - start.worker - finish.worker - last.worker,
        cpu[DATABASE] - launch.database - start.database - finish.database - last.database,
        cpu[DAEMON] - launch.daemon,
        cpu[CODE_SERVER] - launch.code_server,
    )
    quantiles = one.fit["alone"]["latency_ms"]
    return RunCosts(
        enqueue=enqueue,
        claim=claim,
        append=measured.operation("append") / 1e6,
        launch=launch,
        start=start,
        finish=finish,
        last=last,
        beside=beside,
        # The faster half: what is slow was mostly disturbed, which the simulation does by itself.
        spread=math.log(quantiles["50"] / quantiles.get("25", quantiles["50"])) / _QUARTILE,
        crowding=one.crowding,
        flush=float(measured.database["flush_ms"]) / 1_000,
        lock=lock,
    )


def _split(seconds: float, worker: float, database: float, daemon: float, code_server: float) -> Shares:
    whole = worker + database + daemon + code_server
    return Shares(*(seconds * part / whole for part in (worker, database, daemon, code_server)))


def _bounded(part: Shares, worker: float, database: float) -> Shares:
    """Return `part` with at most so many times its CPU; the rest of its time nobody computes."""
    kept_worker, kept_database = part.worker * min(1.0, worker), part.database * min(1.0, database)
    waits = max(0.0, part.worker + part.database - kept_worker - kept_database)
    return Shares(kept_worker, kept_database, waits=waits)


def _bounded_launch(part: Shares, database: float, daemon: float, code_server: float) -> Shares:
    most = (min(part.database, database), min(part.daemon, daemon), min(part.code_server, code_server))
    waits = max(0.0, part.database + part.daemon + part.code_server - sum(most))
    return Shares(0.0, *most, waits=waits)
