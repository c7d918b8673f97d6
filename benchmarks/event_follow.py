"""Following events live: how long from an append to the follower's hands, and how many events a batch append takes."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID, uuid4

from benchmarks import goals
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.events import NewEvent
from studio.listener import Listener

APPENDS = 500
# Until LISTEN, prepared statements and caches are as they are in a process that has run for a while.
WARM_UP = 20
BATCH, BATCHES = 1_000, 20
DEADLINE_SECONDS = 60.0


class FollowFigures(NamedTuple):
    """Milliseconds from before an append to its event in the follower's hands, and events appended per second."""

    p50_ms: float
    p95_ms: float
    p99_ms: float
    appended_per_second: float


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield how late a follower is."""
    found = measure(db, APPENDS // 5 if quick else APPENDS)
    yield Figure("event_follow", "append → follower p50", "ms", found.p50_ms, goal=goals.FOLLOW_P50_MS)
    yield Figure("event_follow", "append → follower p99", "ms", found.p99_ms, goal=goals.FOLLOW_P99_MS)


def measure(db: Database, appends: int = APPENDS) -> FollowFigures:
    """Measure on a migrated database: `appends` single events, one after the other, then `BATCHES` of `BATCH`."""
    project_id, job_id = make_project(db), uuid4()
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'email.process_due', 'outreach', 'bench')",
        [job_id, project_id],
    )
    latencies = _latencies_ms(db, project_id, job_id, WARM_UP + appends)[WARM_UP:]
    cuts = statistics.quantiles(latencies, n=100, method="inclusive")
    return FollowFigures(cuts[49], cuts[94], cuts[98], _appended_per_second(db, job_id))


def _latencies_ms(db: Database, project_id: UUID, job_id: UUID, count: int) -> list[float]:
    after = events.last_seq(db, project_id)
    arrived: list[float] = []
    arrival = threading.Semaphore(0)
    started: list[float] = []

    def take() -> None:
        for _ in hub.follow(project_id, after, stop=lambda: len(arrived) == count):
            arrived.append(time.perf_counter())
            arrival.release()

    # A lost wake-up shall cost the whole net rather than hide in it.
    with Listener(db) as listener, EventHub(db, listener, safety_poll_seconds=DEADLINE_SECONDS) as hub:
        reader = threading.Thread(target=take, name="follower", daemon=True)
        reader.start()
        for number in range(count):
            started.append(time.perf_counter())
            with db.transaction() as conn:
                events.append(conn, job_id, [NewEvent("log", f"line {number}")])
            if not arrival.acquire(timeout=DEADLINE_SECONDS):
                raise TimeoutError(f"event {number} has not arrived")
    reader.join(DEADLINE_SECONDS)
    return [(end - begin) * 1000 for begin, end in zip(started, arrived, strict=True)]


def _appended_per_second(db: Database, job_id: UUID) -> float:
    batch = [NewEvent("log", f"line {number}", {"number": number}) for number in range(BATCH)]
    started = time.perf_counter()
    for _ in range(BATCHES):
        with db.transaction() as conn:
            events.append(conn, job_id, batch)
    return BATCH * BATCHES / (time.perf_counter() - started)
