"""Enqueuing: one job per transaction, and a thousand in one; payloads are checked in Python as for any client."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from benchmarks import goals
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from benchmarks.size import Size
from studio import queue
from studio.database.connection import Database
from studio.queue import NewJob

SINGLES = Size(5_000, 500)
# A web server has several requests under way; their commits share one flush of the disk.
CLIENTS = 4
BULK = Size(50_000, 6_000)
BATCH = 1_000
# While one checks payloads in Python, the other is in the database.
IMPORTERS = 2
PROJECTS = 20


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield the rates."""
    projects = [make_project(db) for _ in range(PROJECTS)]
    numbers = itertools.count(1)

    def fresh(count: int) -> list[NewJob]:
        return [_job(projects[n % PROJECTS], n) for n in itertools.islice(numbers, count)]

    _singly(db, fresh(50))
    count = SINGLES.count(quick)
    yield Figure("enqueue", "one per transaction, one client", "/s", count / _singly(db, fresh(count)))
    shares = [fresh(count // CLIENTS) for _ in range(CLIENTS)]
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(lambda share: _singly(db, share), shares))
    rate = CLIENTS * (count // CLIENTS) / (time.perf_counter() - began)
    yield Figure(
        "enqueue",
        "one per transaction",
        "/s",
        rate,
        goal=goals.SINGLE_ENQUEUE_PER_SECOND,
        note=f"{CLIENTS} clients at once",
    )

    bulk = BULK.count(quick)
    batches = [fresh(BATCH) for _ in range(bulk // BATCH)]
    yield Figure("enqueue", f"in batches of {BATCH:,}, one client", "/s", bulk / _in_batches(db, batches))
    # Of projects of their own: what is enqueued for one project takes turns, so that its events have one order.
    imports: list[list[list[NewJob]]] = []
    for _ in range(IMPORTERS):
        projects = [make_project(db) for _ in range(PROJECTS)]
        imports.append([fresh(BATCH) for _ in range(bulk // BATCH // IMPORTERS)])
    began = time.perf_counter()
    with ThreadPoolExecutor(IMPORTERS) as pool:
        list(pool.map(lambda share: _in_batches(db, share), imports))
    rate = sum(len(share) for share in imports) * BATCH / (time.perf_counter() - began)
    yield Figure(
        "enqueue",
        f"in batches of {BATCH:,}",
        "/s",
        rate,
        goal=goals.BULK_ENQUEUE_PER_SECOND,
        note=f"{IMPORTERS} clients at once",
    )


def _in_batches(db: Database, batches: list[list[NewJob]]) -> float:
    began = time.perf_counter()
    for batch in batches:
        with db.transaction() as conn:
            queue.enqueue_many(conn, batch)
    return time.perf_counter() - began


def _singly(db: Database, jobs: list[NewJob]) -> float:
    began = time.perf_counter()
    for job in jobs:
        with db.transaction() as conn:
            queue.enqueue(conn, job)
    return time.perf_counter() - began


def _job(project_id: UUID, number: int) -> NewJob:
    return NewJob("bench.standard", project_id, {"sample": number})
