"""Simulates one sized cell in the two hours that matter: people's busiest one, and that in which the night begins.

What arithmetic cannot say comes from here: how long chats wait behind a night that is all queued at once, what one
daemon does to the lanes that share it, how often the lock of those that notify is waited for.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import simpy

from benchmarks.simulation.demand import NIGHT, Demand, KindCost
from benchmarks.simulation.installation import Installation, Job, Shape
from benchmarks.simulation.parts import Piece
from benchmarks.simulation.service import RunCosts
from benchmarks.simulation.sizing import MACHINE_CORES, SPARES, Sizing
from benchmarks.simulation.workload import Workload
from greenlight_dagster.bench.samples import percentile
from studio.fan_out import PAGE
from studio.job_types import DEFAULT, JOB_TYPES

Hour = Literal["people", "night"]

WARM_UP = 20.0
# How many chats say what most of them wait, and for how long they are waited for (simulated seconds).
CHATS, SHORTEST, LONGEST = 500, 60.0, 40_000.0
NIGHT_SECONDS, MOST_TIMES = 200.0, 12
# So many waits beyond a percentile, times a hundred, make it more than a guess.
ENOUGH = 300
_NAMES = {"chat": "chat.reply", "night": "nightshift.cycle_project", "approval": "approval.execute"}


@dataclass(frozen=True)
class Observed:
    """What was seen in `seconds` of an hour: milliseconds from commit to op by kind, and how busy each part was.

    `launched` is runs a second, `lock_wait_ms` the mean wait of a commit that notifies; `expected` what arithmetic says
    of the same.
    """

    hour: Hour
    seconds: float
    waits_ms: Mapping[str, Sequence[float]]
    launched: float
    daemon: float
    database: float
    workers: float
    lock: float
    lock_wait_ms: float
    expected: Mapping[str, float]

    def percentile_ms(self, kind: str, quantile: float) -> float:
        """Return a percentile of a kind's waits; NaN where too few came to tell."""
        waits = self.waits_ms.get(kind, ())
        return percentile(waits, quantile) if len(waits) * (100 - quantile) >= ENOUGH else math.nan


def shape_of(sizing: Sizing, workload: Workload, hop: float) -> Shape:
    """Return the simulated cell of a sizing."""
    return Shape(
        workers=max(sizing.worker_cores, sizing.machines * MACHINE_CORES if sizing.machines > 1 else 2),
        slots=sizing.slots,
        control=sizing.control_cores,
        database=sizing.database_cores,
        spares=SPARES * sizing.machines,
        hop=hop if sizing.machines > 1 else 0.0,
        hearing=sizing.hearing,
        flush=workload.cloud_flush_ms / 1_000,
    )


def observe(costs: RunCosts, shape: Shape, cell: Demand, hour: Hour, *, chats: int = CHATS, seed: int = 1) -> Observed:
    """Simulate a cell, whose demand is `cell`, in an hour, until about so many chats have come.

    A small cell's night is soon over: it is simulated several times then.
    """
    rate = sum(cell.rate(cost.kind, _hour(cell, hour)) for cost in cell.costs if cost.kind.name == "chat")
    wanted = min(LONGEST, max(SHORTEST, chats / rate))
    if hour == "people":
        return _observe(costs, shape, cell, hour, wanted, seed)
    once = min(wanted, NIGHT_SECONDS)
    times = min(MOST_TIMES, math.ceil(wanted / once))
    return _merged([_observe(costs, shape, cell, hour, once, seed + number) for number in range(times)])


def _hour(cell: Demand, hour: Hour) -> int:
    return cell.workload.busiest if hour == "people" else NIGHT


def _observe(costs: RunCosts, shape: Shape, cell: Demand, hour: Hour, seconds: float, seed: int) -> Observed:
    env = simpy.Environment()
    rng = random.Random(seed)
    installation = Installation(env, shape, costs, seed)
    of_day = _hour(cell, hour)
    for cost in cell.costs:
        if cost.kind.follows == "people":
            _occupy(installation, cell, cost, of_day, rng)
            env.process(_arrivals(env, installation, cell, cost, of_day, rng))
        elif hour == "night":
            env.process(_night(installation, cell, cost))
    env.run(WARM_UP)
    before = _Counters(installation)
    env.run(WARM_UP + seconds)
    return _observed(installation, before, cell, hour, seconds)


def _merged(seen: Sequence[Observed]) -> Observed:
    """Return what several simulations of the same hour say together."""

    def mean(name: str) -> float:
        return statistics.fmean(getattr(one, name) for one in seen)

    kinds = {kind for one in seen for kind in one.waits_ms}
    return replace(
        seen[0],
        seconds=sum(one.seconds for one in seen),
        waits_ms={kind: [wait for one in seen for wait in one.waits_ms.get(kind, ())] for kind in kinds},
        launched=mean("launched"),
        daemon=mean("daemon"),
        database=mean("database"),
        workers=mean("workers"),
        lock=mean("lock"),
        lock_wait_ms=mean("lock_wait_ms"),
    )


def _arrivals(
    env: simpy.Environment, installation: Installation, cell: Demand, cost: KindCost, hour: int, rng: random.Random
) -> Piece:
    rate = cell.rate(cost.kind, hour)
    while rate > 0:
        yield env.timeout(rng.expovariate(rate))
        env.process(installation.send(_job(cost, int(cell.projects), rng)))


def _night(installation: Installation, cell: Demand, cost: KindCost) -> Piece:
    """Queue the whole night, page by page, as its schedule does."""
    projects = int(cell.projects * cost.kind.per_project_day)
    rng = random.Random(2)
    for first in range(0, projects, PAGE):
        count = min(PAGE, projects - first)
        yield from installation.send(*(_job(cost, first + number, rng, own=True) for number in range(count)))


def _occupy(installation: Installation, cell: Demand, cost: KindCost, hour: int, rng: random.Random) -> None:
    """Let as many jobs of a kind be under way as are so at any time, each somewhere in its course."""
    for _ in range(round(cell.rate(cost.kind, hour) * cost.kind.seconds)):
        job = _job(cost, int(cell.projects), rng)
        left = rng.random()
        job.seconds *= left
        job.commits = max(1, int(job.commits * left))
        job.computes *= left
        job.asks *= left
        installation.begun(job)


def _job(cost: KindCost, projects: int, rng: random.Random, *, own: bool = False) -> Job:
    kind = cost.kind
    # A lognormal variable's mean is that of its logarithm and half its variance.
    seconds = kind.seconds * rng.lognormvariate(-(kind.spread**2) / 2, kind.spread)
    return Job(
        lane=kind.lane,
        project=projects if own else rng.randrange(max(1, projects)),
        priority=JOB_TYPES[_NAMES[kind.name]].priority if kind.name in _NAMES else DEFAULT,
        seconds=seconds,
        computes=cost.extra_worker,
        asks=cost.extra_database,
        commits=max(1, round(cost.commits) - 4),
        kind=kind.name,
    )


class _Counters:
    """What an installation has counted so far."""

    def __init__(self, installation: Installation) -> None:
        self.daemon = installation.daemon.busy_seconds
        self.database = installation.server.cores.busy_seconds
        self.workers = installation.workers.busy_seconds
        self.lock = installation.server.lock_seconds
        self.waits = installation.server.lock_waits
        self.notifications = installation.server.notifications
        self.began = sum(job.began is not None for job in installation.jobs)


def _observed(installation: Installation, before: _Counters, cell: Demand, hour: Hour, seconds: float) -> Observed:
    shape, after = installation.shape, _Counters(installation)
    waits: dict[str, list[float]] = {}
    for job in installation.jobs:
        if job.at >= WARM_UP:
            # One that still waits counts as long as it has waited.
            waits.setdefault(job.kind, []).append(1_000 * ((job.began or installation.env.now) - job.at))
    notified = max(1, after.notifications - before.notifications)
    return Observed(
        hour=hour,
        seconds=seconds,
        waits_ms=waits,
        launched=(after.began - before.began) / seconds,
        daemon=(after.daemon - before.daemon) / seconds,
        database=(after.database - before.database) / seconds / shape.database,
        workers=(after.workers - before.workers) / seconds / shape.workers,
        lock=(after.lock - before.lock) / seconds,
        lock_wait_ms=1_000 * (after.waits - before.waits) / notified,
        expected=_expected(cell, shape) if hour == "people" else {},
    )


def _expected(cell: Demand, shape: Shape) -> dict[str, float]:
    """Return the same by arithmetic, for people's busiest hour: the check of one by the other."""
    hour = cell.workload.busiest
    return {
        "launched": cell.total(lambda _cost: 1.0, hour),
        "daemon": cell.total(lambda cost: cost.daemon, hour),
        "workers": cell.total(lambda cost: cost.worker, hour) / shape.workers,
        "database": cell.total(lambda cost: cost.database + shape.hearing * cost.commits, hour) / shape.database,
    }


def night_hours(observed: Observed, cell: Demand) -> float:
    """Return for how many hours a cell's night goes on at the rate at which its first minutes were worked off."""
    nights = sum(cell.projects * cost.kind.per_project_day for cost in cell.costs if cost.kind.follows == "night")
    people = cell.total(lambda cost: float(cost.kind.follows == "people"), NIGHT)
    rate = observed.launched - people
    return nights / rate / 3_600 if rate > 0 else math.inf
