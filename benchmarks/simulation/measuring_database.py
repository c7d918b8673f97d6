"""What the database itself is asked for by a job: its processor time, its log and the wait, statement by statement.

Each is done by one connection, whose server process is looked at before and after. CPU time comes in hundredths of a
second, so each is done some hundred times.
"""

from __future__ import annotations

import itertools
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import psutil

from benchmarks.fixtures import make_project
from benchmarks.simulation import measuring_writers
from benchmarks.simulation.measuring_writers import TEXT
from benchmarks.simulation.quiet import Quiet, beside_others
from studio import events, queue
from studio.database.connection import Connection, Database
from studio.events import EventType, NewEvent
from studio.queue import NewJob

ROUNDS = 400
QUICK_ROUNDS = 40
PROJECTS = 200
# How many jobs run while one is claimed: what a lane's slots may be in a fleet.
RUNNING = (10, 250, 2_000, 10_000)
WRITING_SECONDS = 4.0

Costs = dict[str, dict[str, float]]


def measure(db: Database, quiet: Quiet, quick: bool) -> dict[str, Any]:
    """Return costs by operation, claims by jobs that run, concurrent writers, and listeners."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    seconds = WRITING_SECONDS / 4 if quick else WRITING_SECONDS
    projects = [make_project(db) for _ in range(PROJECTS)]
    with closing(db.connect()) as conn:
        server = psutil.Process(conn.info.backend_pid).parent()
    assert server is not None

    def best(what: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return quiet.best(what, lambda: beside_others(work, server))

    found = {
        "operations": best("operations", lambda: _operations(db, projects, rounds)),
        "row_bytes": _row_bytes(db),
        "flush_ms": best("flush", lambda: {"ms": _flush_ms(db, rounds)})["ms"],
    }
    # Those of a few writers are what one tries to hear through the others' noise: each by itself.
    found["writers"] = measuring_writers.writers(db, projects, seconds, best)
    found["listeners"] = best("listeners", lambda: measuring_writers.listeners(db, projects, seconds))
    found["claims"] = best("claims", lambda: _claims(db, rounds))
    return found


def _operations(db: Database, projects: Sequence[UUID], rounds: int) -> Costs:
    # From somewhere else each time: a job that is there already is not enqueued again.
    numbers = itertools.count(random.randrange(10**12))

    def new() -> NewJob:
        number = next(numbers)
        return NewJob("bench.standard", projects[number % len(projects)], {"sample": number})

    def enqueue(conn: Connection) -> None:
        with conn.transaction():
            queue.enqueue(conn, new())

    def enqueue_many(conn: Connection) -> None:
        with conn.transaction():
            queue.enqueue_many(conn, [new() for _ in range(1_000)])

    def claim(conn: Connection) -> None:
        conn.execute(
            "select id from public.claim_agent_jobs('bench', 1, 'standard', interval '1 hour', 1000000, 1000000)"
        )

    jobs: list[UUID] = []

    def transition(sql: str) -> Callable[[Connection], None]:
        remaining = iter(jobs * 3)

        def work(conn: Connection) -> None:
            conn.execute(sql.encode(), {"job": next(remaining)})

        return work

    def append(count: int, kind: EventType) -> Callable[[Connection], None]:
        turns = iter(jobs * 3)

        def work(conn: Connection) -> None:
            batch = [NewEvent(kind, TEXT, {"op": "research"}, uuid4()) for _ in range(count)]
            with conn.transaction():
                events.append(conn, next(turns), batch)

        return work

    heads: dict[UUID, int] = {}
    turns: Iterator[UUID] = iter(())

    def append_bare(conn: Connection) -> None:
        # As the concurrent writers do.
        conn.execute(measuring_writers.APPEND, [next(turns), measuring_writers.EVENT], prepare=True)

    def follow(conn: Connection) -> None:
        project = projects[next(numbers) % len(projects)]
        # One event, as one who follows finds it.
        events.read_after_each(conn, {project: heads[project] - 1})

    with closing(db.connect()) as conn:
        found = {"enqueue": _cost(db, conn, enqueue, rounds)}
        found["claim"] = _cost(db, conn, claim, rounds)
        # What was claimed, and what the next ones work on.
        jobs = [row["id"] for row in db.fetch_all("select id from public.agent_jobs where status = 'running'")]
        found["start"] = _cost(
            db, conn, transition("select public.start_agent_job(%(job)s, 1, 'run', interval '1 hour')"), rounds
        )
        found["renew"] = _cost(
            db, conn, transition("select * from public.renew_agent_job(%(job)s, 1, interval '1 hour')"), rounds
        )
        found["append"] = _cost(db, conn, append(1, "delta"), rounds)
        turns = iter(jobs * 3)
        found["append_bare"] = _cost(db, conn, append_bare, rounds)
        found["append_8"] = _cost(db, conn, append(8, "log"), rounds)
        found["step"] = _cost(
            db, conn, transition("select public.save_agent_job_step(%(job)s, 1, 'op', '{\"found\": 1}'::jsonb)"), rounds
        )
        heads |= events.last_seqs(conn, projects)
        found["follow"] = _cost(db, conn, follow, rounds)
        found["complete"] = _cost(
            db, conn, transition("select public.complete_agent_job(%(job)s, 'completed', null, 1)"), rounds
        )
        bulk = _cost(db, conn, enqueue_many, max(2, rounds // 20))
        found["enqueue_in_bulk"] = {name: value / 1_000 for name, value in bulk.items()}
    return found


def _row_bytes(db: Database) -> dict[str, float]:
    """Return what a row takes with its indexes, where many have been written in the usual way."""
    row = db.fetch_one(
        "select pg_total_relation_size('public.agent_jobs')::float8 / (select count(*) from public.agent_jobs) as jobs,"
        " pg_total_relation_size('public.agent_job_events')::float8"
        " / (select count(*) from public.agent_job_events) as events"
    )
    assert row is not None
    return {"agent_jobs": row["jobs"], "agent_job_events": row["events"]}


def _cost(db: Database, conn: Connection, work: Callable[[Connection], None], rounds: int) -> dict[str, float]:
    """Return per call: microseconds of the server's process, bytes of its log, and milliseconds (median)."""
    for _ in range(5):
        work(conn)
    server = psutil.Process(conn.info.backend_pid)
    log, used = _log_position(db), sum(server.cpu_times()[:2])
    waits = []
    for _ in range(rounds):
        began = time.perf_counter()
        work(conn)
        waits.append((time.perf_counter() - began) * 1_000)
    return {
        "cpu_us": (sum(server.cpu_times()[:2]) - used) * 1e6 / rounds,
        "wal_bytes": (_log_position(db) - log) / rounds,
        "ms": statistics.median(waits),
    }


def _log_position(db: Database) -> float:
    row = db.fetch_one("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn as bytes")
    return float(row["bytes"]) if row else 0.0


def _claims(db: Database, rounds: int) -> dict[str, dict[str, float]]:
    """Return what a claim of five costs while so many others of its lane run, each of a project of its own."""
    found = {}
    for running in RUNNING:
        db.execute("truncate public.agent_jobs cascade")
        with db.transaction() as conn:
            conn.execute("set local session_replication_role = replica")
            for status, count in (("running", running), ("queued", 6 * rounds + 200)):
                conn.execute(
                    "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, lane, status,"
                    " claim_no, leased_until) select gen_random_uuid(), 'bench.standard', 'system',"
                    " gen_random_uuid()::text, 'standard', %s, 1, now() + interval '1 day' from generate_series(1, %s)",
                    [status, count],
                )
        db.execute("vacuum analyze public.agent_jobs")
        with closing(db.connect()) as conn:

            def claim(conn: Connection) -> None:
                # Rolled back, so that each finds the same number.
                with conn.transaction(force_rollback=True):
                    conn.execute("set local session_replication_role = replica")
                    conn.execute(
                        "select id from public.claim_agent_jobs('bench', 5, 'standard', interval '1 hour', 1000000, 2)"
                    )

            found[str(running)] = _cost(db, conn, claim, max(10, rounds // 8))
    db.execute("truncate public.agent_jobs cascade")
    return found


def _flush_ms(db: Database, rounds: int) -> float:
    """Return what the disk takes for a commit: the difference to one that does not wait for it."""
    waits: dict[str, float] = {}
    with closing(db.connect()) as conn:
        conn.execute("create table if not exists public.bench_flush (n integer)")
        for setting in ("off", "on"):
            conn.execute(f"set synchronous_commit = {setting}".encode())
            times = []
            for _ in range(rounds):
                began = time.perf_counter()
                conn.execute("insert into public.bench_flush values (1)")
                times.append((time.perf_counter() - began) * 1_000)
            waits[setting] = statistics.median(times)
        conn.execute("drop table public.bench_flush")
    return max(0.0, waits["on"] - waits["off"])
