"""A rehearsal goes through everything that a run asks of the database, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import psycopg

from studio import events, rehearsal
from studio.claims import start
from studio.database.connection import Database
from studio.events import NewEvent
from tests.support.queue import claim_next, enqueue, make_project

TABLES = ("projects", "agent_jobs", "agent_job_events", "agent_job_steps", "project_event_counters", "tasks")


def counts(db: Database) -> dict[str, int]:
    found = {}
    for table in TABLES:
        row = db.fetch_one(f"select count(*) as n from public.{table}")
        found[table] = int(row["n"]) if row else -1
    return found


def test_nothing_is_left_and_nobody_is_woken(database: Database) -> None:
    before = counts(database)
    with psycopg.connect(database.url, autocommit=True) as listening:
        for channel in ("agent_jobs", "agent_job_events"):
            listening.execute(f"listen {channel}")
        rehearsal.rehearse(database, 2)
        assert list(listening.notifies(timeout=0.2)) == []
    assert counts(database) == before


def test_each_session_goes_through_it(database: Database) -> None:
    def sessions() -> int:
        row = database.fetch_one(
            "select count(*) as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        )
        return int(row["n"]) if row else 0

    rehearsal.rehearse(database, 3)
    # The one that counts, and two more.
    assert sessions() == 2


def test_it_does_what_a_run_does(database: Database) -> None:
    """Whatever function a run's claim calls is among those that were rehearsed: another one would be cold."""

    def called(work: Callable[[], None]) -> set[str]:
        with database.connection() as conn:
            conn.execute("set track_functions = 'pl'")
            # Statistics of a transaction that was rolled back count, too.
            conn.execute("select pg_stat_force_next_flush()")
            conn.execute("select pg_stat_reset()")
        work()
        database.execute("select pg_stat_force_next_flush()")
        return {row["funcname"] for row in database.fetch_all("select funcname from pg_stat_user_functions")}

    def run() -> None:
        claim = start(database, job.id, job.claim_no, "a-run", timedelta(minutes=1))
        claim.renew(timedelta(minutes=1))
        with database.transaction() as conn:
            events.append(conn, claim.job_id, [NewEvent("log", "a line", id=uuid4())], claim.claim_no)
        claim.once("a-step", dict)
        claim.complete()

    enqueue(database, make_project(database))
    job = claim_next(database).job
    of_a_run = called(run)
    assert "complete_agent_job" in of_a_run
    assert of_a_run <= called(lambda: rehearsal.rehearse(database, 1))
