"""A simulated installation: a job's way from its row through lanes, sensors, daemon, workers and database.

It is built as the real one is (docs/architecture.md): the sensors of a lane take turns at waiting and claim what fits
into free slots; what one has claimed goes through the daemon, whose threads share an interpreter; a run takes a worker
that was forked ahead of time, computes and asks the database in alternation, and frees its slot when its job is done.
"""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import simpy

from benchmarks.simulation.parts import Claimant, Cores, Piece, Program, Server
from benchmarks.simulation.service import RunCosts, Shares
from greenlight_dagster.daemon import PAUSE_SECONDS
from greenlight_dagster.launcher.pool import QUIET_SECONDS
from greenlight_dagster.launcher.worker import NICENESS
from sensors.relays import RELAYS
from studio.job_types import LANES, Lane

# Dagster's `sensors.num_submit_workers`, in dagster.yaml.
SUBMITTERS = 4
# Rehearsing makes a worker's run quicker by a third (launcher/pool.py): without it the start takes half as long again.
UNREHEARSED = 0.5
# So finely computing and asking alternate: a run has some ninety statements.
PIECES = 8
# Events of Dagster that a run stores before its op, and after its job's end; each is a commit that notifies.
EVENTS_BEFORE, EVENTS_AFTER = 9, 4
# How much a lane's workers weigh where cores are short. Linux gives a fifth less for each step of niceness
# (`sched_prio_to_weight` in kernel/sched/core.c).
WEIGHT: Mapping[Lane, float] = {lane: 1.25 ** -NICENESS.get(lane, 0) for lane in LANES}


@dataclass(frozen=True)
class Shape:
    """How large an installation is. `together` puts all of it on the `workers` cores, as on one machine."""

    workers: int
    slots: Mapping[Lane, int]
    control: int = 2
    database: int = 2
    together: bool = False
    project_limit: int = 2
    claim_batch: int = 5
    spares: int = 3
    quantum: float | None = None
    # A launcher that hands runs to another machine: a broker's hop, or none.
    hop: float = 0.0
    # What all who listen cost the database for each notification, in seconds.
    hearing: float = 0.0
    flush: float | None = None
    # Whether Dagster's events notify, as dagster-postgres does for older versions of itself.
    dagster_notifies: bool = True


@dataclass
class Job:
    """One job. Moments are of the simulated clock, `began` is when its op does; `seconds` it works beside computing.

    `commits` write events meanwhile; its worker computes for `computes` seconds then, and the database for `asks`.
    """

    lane: Lane
    project: int
    priority: int = 0
    seconds: float = 0.0
    computes: float = 0.0
    asks: float = 0.0
    commits: int = 0
    kind: str = ""
    at: float = 0.0
    began: float | None = None
    ended: float | None = None


@dataclass
class _Queue:
    waiting: list[tuple[int, float, int, Job]] = field(default_factory=list)
    free: int = 0
    changed: simpy.Event | None = None


class Installation:
    """An installation at work. `jobs` are all that were sent, in their order."""

    def __init__(self, env: simpy.Environment, shape: Shape, costs: RunCosts, seed: int) -> None:
        self.env = env
        self.shape = shape
        self.costs = costs
        self.jobs: list[Job] = []
        self._random = random.Random(seed)

        def cores(count: int) -> Cores:
            return Cores(env, count, crowding=costs.crowding, quantum=shape.quantum)

        self.workers = cores(shape.workers)
        self.control = self.workers if shape.together else cores(shape.control)
        database = self.workers if shape.together else cores(shape.database)
        flush = costs.flush if shape.flush is None else shape.flush
        self.server = Server(env, database, flush=flush, **costs.lock._asdict(), hearing=shape.hearing)
        self.daemon = Program(env, self.control)
        self.code_server = Program(env, self.control)
        # Each by the moment at which it was forked.
        self._spares = simpy.Store(env)
        self._spares.items.extend([0.0] * shape.spares)
        self._last_change = self._last_quiet = 0.0
        self._queues = {lane: _Queue(free=shape.slots[lane]) for lane in LANES}
        self._running: Counter[tuple[Lane, int]] = Counter()
        self._numbers = iter(range(10**12))
        for lane in LANES:
            turn = simpy.Resource(env, capacity=1)
            for _ in range(RELAYS[lane]):
                env.process(self._sensor(lane, turn))

    def send(self, *jobs: Job) -> Piece:
        """Enqueue jobs in one transaction."""
        yield from self.server.transact(self.costs.enqueue * len(jobs), notifies=1)
        for job in jobs:
            job.at = self.env.now
            self.jobs.append(job)
            self._put(job)
        for lane in {job.lane for job in jobs}:
            self._tell(lane)

    def begun(self, job: Job) -> None:
        """Let a job be under way that has come before the simulation; nobody waits for its run to start."""
        self._queues[job.lane].free -= 1
        self._running[job.lane, job.project] += 1

        def rest() -> Piece:
            yield from self._work(job, Claimant(WEIGHT[job.lane]))
            yield from self._end(job)

        self.env.process(rest())

    def queued(self, lane: Lane) -> int:
        """Return how many jobs wait for a slot."""
        return len(self._queues[lane].waiting)

    def _put(self, job: Job) -> None:
        heapq.heappush(self._queues[job.lane].waiting, (-job.priority, job.at, next(self._numbers), job))

    def _tell(self, lane: Lane) -> None:
        queue = self._queues[lane]
        if queue.changed is not None:
            changed, queue.changed = queue.changed, None
            changed.succeed()

    # --- claiming and launching

    def _sensor(self, lane: Lane, turn: simpy.Resource) -> Piece:
        queue = self._queues[lane]
        while True:
            with turn.request() as mine:
                yield mine
                while True:
                    if queue.free > 0 and queue.waiting:
                        yield from self.server.transact(self.costs.claim, notifies=1)
                        if jobs := self._claim(lane):
                            break
                    if queue.changed is None:
                        queue.changed = self.env.event()
                    yield queue.changed
            submitting = simpy.Resource(self.env, capacity=SUBMITTERS)
            yield simpy.AllOf(self.env, [self.env.process(self._submit(job, submitting)) for job in jobs])
            yield self.env.timeout(PAUSE_SECONDS)

    def _claim(self, lane: Lane) -> list[Job]:
        queue = self._queues[lane]
        taken: list[Job] = []
        passed: list[tuple[int, float, int, Job]] = []
        while queue.waiting and queue.free > 0 and len(taken) < self.shape.claim_batch:
            entry = heapq.heappop(queue.waiting)
            job = entry[-1]
            if self._running[lane, job.project] >= self.shape.project_limit:
                passed.append(entry)
                continue
            self._running[lane, job.project] += 1
            queue.free -= 1
            taken.append(job)
        for entry in passed:
            heapq.heappush(queue.waiting, entry)
        return taken

    def _submit(self, job: Job, submitting: simpy.Resource) -> Piece:
        launch, beside, factor = self.costs.launch, self.costs.beside, self._factor()
        with submitting.request() as mine:
            yield mine
            yield from self.code_server.compute(launch.code_server * factor)
            for _ in range(2):
                yield from self.server.transact(launch.database * factor / 2, flushes=False)
                yield from self.daemon.compute(launch.daemon * factor / 2)
            yield self.env.timeout(launch.waits + self.shape.hop)
            self.env.process(self._run(job, factor))
            yield from self.daemon.compute(beside.daemon)
            yield from self.code_server.compute(beside.code_server)

    # --- running

    def _run(self, job: Job, factor: float) -> Piece:
        who = Claimant(WEIGHT[job.lane])
        self._changes()
        forked = yield self._spares.get()
        # One that has not rehearsed does on its run's path what it would have done before.
        late = (
            min(UNREHEARSED * self.costs.start.worker, self.costs.beside.worker) if forked > self._last_quiet else 0.0
        )
        self.env.process(self._fork(late))
        before = EVENTS_BEFORE if self.shape.dagster_notifies else 0
        start = self.costs.start._replace(worker=self.costs.start.worker + late)
        yield from self._stretch(start, factor, who, before)
        job.began = self.env.now
        yield from self._work(job, who)
        yield from self._stretch(self.costs.finish, factor, who, 0)
        yield from self._end(job)
        after = EVENTS_AFTER if self.shape.dagster_notifies else 0
        yield from self._stretch(self.costs.last, factor, who, after)
        yield from self.server.cores.compute(self.costs.beside.database / 2)

    def _end(self, job: Job) -> Piece:
        """Write the last events, end the job, and free its slot."""
        yield from self.server.transact(0.0, notifies=2)
        job.ended = self.env.now
        self._changes()
        self._running[job.lane, job.project] -= 1
        self._queues[job.lane].free += 1
        self._tell(job.lane)

    def _fork(self, late: float) -> Piece:
        """Have another spare worker: half of what is beside a run's path; the other half is the end of a process.

        It weighs as much as anything, because nobody knows yet whose it will be. `late` seconds are on the path.
        """
        beside = max(0.0, self.costs.beside.worker - late)
        yield from self.workers.compute(beside / 2)
        yield from self.server.cores.compute(self.costs.beside.database / 2)
        yield self._spares.put(self.env.now)
        yield from self.workers.compute(beside / 2)

    def _changes(self) -> None:
        """Note that a run begins or ends: spares rehearse when nothing has for a while."""
        if self.env.now - self._last_change >= QUIET_SECONDS:
            self._last_quiet = self.env.now
        self._last_change = self.env.now

    def _stretch(self, shares: Shares, factor: float, who: Claimant, notifies: int) -> Piece:
        for number in range(PIECES):
            yield from self.workers.compute(shares.worker * factor / PIECES, who)
            share = notifies * (number + 1) // PIECES - notifies * number // PIECES
            yield from self.server.transact(shares.database * factor / PIECES, notifies=share, flushes=False)
        if shares.waits:
            yield self.env.timeout(shares.waits * factor)

    def _work(self, job: Job, who: Claimant) -> Piece:
        if not job.commits:
            if job.seconds:
                yield self.env.timeout(job.seconds)
            return
        for _ in range(job.commits):
            yield self.env.timeout(job.seconds / job.commits)
            yield from self.workers.compute(job.computes / job.commits, who)
            yield from self.server.transact(job.asks / job.commits, notifies=1)

    def _factor(self) -> float:
        return self._random.lognormvariate(0.0, self.costs.spread)


def on_one_machine(shape: Shape, cores: int) -> Shape:
    """Return `shape` with all of it on one machine, whose cores are shared in short turns."""
    return replace(shape, workers=cores, together=True, quantum=0.004)


def others(env: simpy.Environment, cores: Cores, share: float, rng: random.Random) -> list[Any]:
    """Let programs of somebody else keep `share` cores busy, each with one at most, for 0.1 s on average."""
    busy = 0.1

    def program(of_the_time: float) -> Piece:
        while True:
            yield from cores.compute(rng.expovariate(1 / busy))
            if of_the_time < 1.0:
                yield env.timeout(rng.expovariate(1 / (busy * (1 - of_the_time) / of_the_time)))

    whole, rest = divmod(share, 1.0)
    shares = [1.0] * int(whole) + ([rest] if rest > 0.02 else [])
    return [env.process(program(one)) for one in shares]
