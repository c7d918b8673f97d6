"""Writers of events side by side, and those who listen: what waits for what in the database."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Any, LiteralString
from uuid import UUID, uuid4

import psutil
import psycopg

from studio.database.connection import Database

WRITERS = (1, 2, 4, 8)
LISTENERS = (0, 16, 64)
TEXT = "Some words of an answer, as a model writes them between two flushes of its text."
APPEND: LiteralString = "select public.append_agent_job_events(%s, %s::jsonb)"
EVENT = json.dumps([{"type": "delta", "message": TEXT, "data": {"op": "research"}}])


def _jobs_of(db: Database, projects: Sequence[UUID]) -> list[UUID]:
    jobs = [uuid4() for _ in projects]
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " select j, p, 'email.process_due', 'outreach', j::text from unnest(%s::uuid[], %s::uuid[]) x (j, p)",
        [jobs, list(projects)],
    )
    return jobs


def writers(
    db: Database,
    projects: Sequence[UUID],
    seconds: float,
    best: Callable[[str, Callable[[], dict[str, Any]]], dict[str, Any]],
) -> dict[str, dict[str, Any]]:
    """Return how many appends a second so many writers commit: each to its own project, without waking, to one."""
    found: dict[str, dict[str, Any]] = {}
    for count in WRITERS:
        jobs = _jobs_of(db, projects[:count])

        def rates(jobs: list[UUID] = jobs, count: int = count) -> dict[str, Any]:
            one: dict[str, Any] = {"apart": _rate(db, jobs, seconds)}
            db.execute("alter table public.agent_job_events disable trigger agent_job_events_wake")
            one["unheard"] = _rate(db, jobs, seconds)
            db.execute("alter table public.agent_job_events enable trigger agent_job_events_wake")
            return {**one, "together": _rate(db, jobs[:1] * count, seconds)}

        found[str(count)] = best(f"{count} writers", rates)
    return found


def _rate(db: Database, jobs: Sequence[UUID], seconds: float) -> float:
    """Return commits a second of one writer for each of `jobs`, which append one event after the other."""
    counts = [0] * len(jobs)
    until = time.monotonic() + seconds

    def write(index: int, job: UUID) -> None:
        with closing(db.connect()) as conn:
            while time.monotonic() < until:
                conn.execute(APPEND, [job, EVENT], prepare=True)
                counts[index] += 1

    threads = [threading.Thread(target=write, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def listeners(db: Database, projects: Sequence[UUID], seconds: float) -> dict[str, dict[str, float]]:
    """Return what all of the server's processes spend on an append that so many others hear of."""
    found = {}
    job = _jobs_of(db, projects[:1])
    for count in LISTENERS:
        with ExitStack() as stack:
            ears = [stack.enter_context(closing(db.connect())) for _ in range(count)]
            for ear in ears:
                ear.execute("listen agent_job_events")
            hearing = [psutil.Process(ear.info.backend_pid) for ear in ears]
            before = _used(hearing)
            heard = threading.Event()
            reader = threading.Thread(target=_hear, args=[ears, heard])
            reader.start()
            rate = _rate(db, job, seconds)
            time.sleep(0.2)
            used = _used(hearing) - before
            heard.set()
            reader.join()
        found[str(count)] = {"rate": rate, "cpu_us": used * 1e6 / (rate * seconds)}
    return found


def _hear(ears: Sequence[psycopg.Connection[Any]], over: threading.Event) -> None:
    """Take what the server sends, so that no buffer fills up."""
    while not over.wait(0.05):
        for ear in ears:
            ear.pgconn.consume_input()
            while ear.pgconn.notifies() is not None:
                pass


def _used(processes: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)
