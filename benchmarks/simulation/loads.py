"""The loads of the benchmarks, on a simulated installation: one by one, so many a second, bursts, both at once."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import simpy

from benchmarks.lane_settings import SLOTS
from benchmarks.simulation import installation
from benchmarks.simulation.installation import Installation, Job, Shape, on_one_machine
from benchmarks.simulation.parts import Cores, Piece, Server
from benchmarks.simulation.service import Lock, RunCosts
from greenlight_dagster.bench.measures import PAUSE_SECONDS
from greenlight_dagster.bench.samples import percentile
from studio.job_types import LANES, Lane

PROJECTS = 20
# What the benchmarks' stack is set to.
BENCH = Shape(workers=2, slots=dict.fromkeys(LANES, SLOTS), project_limit=SLOTS, claim_batch=SLOTS)
_LIMIT_SECONDS = 600.0


class Ground:
    """A small machine with an installation on it, and programs of somebody else that keep some of its cores busy."""

    def __init__(self, costs: RunCosts, cores: int, busy: float, seed: int) -> None:
        self.env = simpy.Environment()
        self.random = random.Random(seed)
        self.installation = Installation(self.env, on_one_machine(BENCH, cores), costs, seed)
        installation.others(self.env, self.installation.workers, busy, self.random)
        self._projects = 0

    def job(self, lane: Lane) -> Job:
        """Return a job that does nothing; the projects take turns."""
        self._projects += 1
        return Job(lane, self._projects % PROJECTS)

    def run(self, load: Piece) -> None:
        """Simulate until `load` is over."""
        self.env.run(self.env.process(load))


def latency(costs: RunCosts, cores: int, busy: float, *, jobs: int, seed: int = 1) -> Mapping[str, float]:
    """Return percentiles of the milliseconds from the commit to the op, one job after the other."""
    ground = Ground(costs, cores, busy, seed)

    def load() -> Piece:
        for _ in range(jobs):
            due = ground.env.now + ground.random.uniform(*PAUSE_SECONDS)
            job = ground.job("standard")
            yield from ground.installation.send(job)
            while job.ended is None:
                yield ground.env.timeout(0.05)
            yield ground.env.timeout(max(0.0, due - ground.env.now))

    ground.run(load())
    return _percentiles(ground.installation.jobs)


def chats(
    costs: RunCosts, cores: int, busy: float, *, per_second: float, seconds: float, behind: int = 0, seed: int = 1
) -> Mapping[str, float]:
    """Return the percentiles of chats that come so often, while `behind` standard jobs are worked off before them."""
    ground = Ground(costs, cores, busy, seed)
    standard = [ground.job("standard") for _ in range(behind)]

    def load() -> Piece:
        if standard:
            yield from ground.installation.send(*standard)
        sent: list[Job] = []
        due = began = ground.env.now
        while ground.env.now < began + seconds and (not standard or not _all_ended(standard)):
            due += ground.random.uniform(0.5, 1.5) / per_second
            yield ground.env.timeout(max(0.0, due - ground.env.now))
            sent.append(ground.job("realtime"))
            ground.env.process(ground.installation.send(sent[-1]))
        while not _all_ended(sent):
            yield ground.env.timeout(0.05)

    ground.run(load())
    return _percentiles(job for job in ground.installation.jobs if job.lane == "realtime")


def burst(costs: RunCosts, cores: int, busy: float, *, jobs: int, seed: int = 1) -> float:
    """Return how many runs a second are done of `jobs` that were enqueued at once."""
    ground = Ground(costs, cores, busy, seed)
    sent = [ground.job("standard") for _ in range(jobs)]

    def load() -> Piece:
        yield from ground.installation.send(*sent)
        while not _all_ended(sent):
            yield ground.env.timeout(0.01)

    ground.run(load())
    return jobs / (max(job.ended or _LIMIT_SECONDS for job in sent) - sent[0].at)


class Writing(NamedTuple):
    """One append of a writer: seconds of the client, of the server, and those for which it holds its counter's row.

    `flush` is what the disk takes.
    """

    client: float
    server: float
    held: float
    flush: float


def appends(lock: Lock, cores: int, writing: Writing, *, writers: int, heard: bool, together: bool) -> float:
    """Return how many appends a second so many writers commit, each to its own project or all to one.

    They are threads of one program, as those of the measurement are. Where nobody is notified (not `heard`) their
    commits do not wait for each other. Times vary: machines that kept step would never meet at a lock.
    """
    rng = random.Random(1)

    def about(seconds: float) -> float:
        # With half the mean as standard deviation.
        return rng.gammavariate(4.0, seconds / 4.0) if seconds > 0 else 0.0

    env = simpy.Environment()
    machine = Cores(env, cores, quantum=None)
    server = Server(env, machine, flush=writing.flush, **lock._asdict())
    client = simpy.Resource(env, capacity=1)
    rows = [simpy.Resource(env, capacity=1) for _ in range(1 if together else writers)]
    done = 0
    seconds = 1.0

    def write(row: simpy.Resource) -> Piece:
        nonlocal done
        while True:
            with client.request() as turn:
                yield turn
                yield from machine.compute(about(writing.client))
            yield from machine.compute(about(writing.server - writing.held))
            with row.request() as mine:
                at_once = mine.triggered
                yield mine
                if not at_once:
                    # Who waited for a row is woken as who waited for that lock.
                    yield env.timeout(lock.handing_on)
                yield from server.transact(about(writing.held), notifies=1 if heard else 0)
            done += 1

    for number in range(writers):
        env.process(write(rows[number % len(rows)]))
    env.run(seconds)
    return done / seconds


def bisected(value_at: Callable[[float], float], wanted: float, low: float, high: float, steps: int = 10) -> float:
    """Return where a function that rises from `low` to `high` has the value `wanted`."""
    for _ in range(steps):
        middle = (low + high) / 2
        if value_at(middle) < wanted:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _all_ended(jobs: Iterable[Job]) -> bool:
    return all(job.ended is not None for job in jobs)


def _percentiles(jobs: Iterable[Job]) -> Mapping[str, float]:
    waits = [1_000 * (job.began - job.at) for job in jobs if job.began is not None]
    return {f"p{q}": percentile(waits, q) for q in (50, 95, 99)}
