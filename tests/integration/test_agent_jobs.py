"""The four guarantees that every client of the job tables relies on, whatever language it is written in.

The same key is the same job; an approval is executed once; no two workers get the same job; a job whose
worker is gone comes back.
"""

from __future__ import annotations

import threading
from collections import Counter
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest

from studio import queue
from studio.database.connection import Database
from studio.queue import NewJob
from tests.support.queue import (
    LEASE,
    InBackground,
    claim_foreign,
    claim_next,
    enqueue,
    expire_lease,
    job,
    make_project,
    set_lane,
    statuses,
)

PROJECTS = 8
JOBS = 1000
SLOTS = 30
PROJECT_LIMIT = 4
# Together more than there are slots, alone fewer: both get some, and the slots are what stops them.
ASKED = 20


def phase0(project_id: UUID) -> NewJob:
    return NewJob("phase0.generate_packet", project_id, {"ownerClerkId": "owner"})


# --- 1. enqueue idempotency


def test_enqueue_idempotency_same_project_and_key_is_the_same_job(database: Database) -> None:
    project, other = make_project(database), make_project(database)
    with database.transaction() as conn:
        first = queue.enqueue(conn, phase0(project))
    with database.transaction() as conn:
        again = queue.enqueue(conn, phase0(project))
        elsewhere = queue.enqueue(conn, phase0(other))
    assert (first.outcome, again.outcome, elsewhere.outcome) == ("created", "existing", "created")
    assert again.job_id == first.job_id != elsewhere.job_id
    assert len(queue.find(database)) == 2


def test_enqueue_idempotency_of_many_clients_at_once(database: Database) -> None:
    project = make_project(database)
    start = threading.Barrier(6)

    def launch() -> queue.Enqueued:
        start.wait()
        with database.transaction() as conn:
            return queue.enqueue(conn, phase0(project))

    answers = [running.result() for running in [InBackground(launch) for _ in range(6)]]
    assert len({answer.job_id for answer in answers}) == 1
    assert Counter(answer.outcome for answer in answers) == {"created": 1, "existing": 5}


def test_enqueue_idempotency_for_a_client_that_inserts_directly(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        known = queue.enqueue(conn, phase0(project))
    row = job(database, known.job_id)
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        database.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key) values (%s, %s, %s, %s)",
            [project, row.job_type, row.agent_key, row.idempotency_key],
        )
    # Other clients tell "it is there already" from a real failure by this code.
    assert refused.value.sqlstate == "23505"


# --- 2. approval execute idempotency


def test_approval_execute_idempotency_one_execution_per_approval(database: Database) -> None:
    project = make_project(database)
    approval = database.fetch_one(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type)"
        " values (%s, 1, 'Send', 'Send the mail', 'high', 'execution', 'send_email') returning id",
        [project],
    )
    assert approval is not None
    execute = (
        "insert into public.action_executions (approval_id, project_id, action_type, status)"
        " values (%s, %s, 'send_email', %s)"
    )
    for status in ("running", "completed", "failed"):
        database.execute("delete from public.action_executions")
        database.execute(execute, [approval["id"], project, status])
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute(execute, [approval["id"], project, "running"])
        kept = database.fetch_all("select status from public.action_executions")
        assert kept == [{"status": status}]


# --- 3. claim


def test_claim_by_two_concurrent_claimers_gives_each_job_exactly_once(database: Database, database_url: str) -> None:
    set_lane(database, "standard", SLOTS, PROJECT_LIMIT)
    projects = [make_project(database) for _ in range(PROJECTS)]
    database.execute(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, priority, lane)"
        " select (%s::uuid[])[1 + n %% %s], 'test.work', 'ceo', 'n' || n, n %% 7, 'standard'"
        " from generate_series(1, %s) n",
        [projects, PROJECTS, JOBS],
    )
    left = Counter(row["project_id"] for row in database.fetch_all("select project_id from public.agent_jobs"))
    finished = threading.Event()
    peaks: Counter[str] = Counter()

    def look() -> None:
        row = database.fetch_one(
            "select coalesce(sum(n), 0)::int as lane, coalesce(max(n), 0)::int as project from ("
            " select count(*) as n from public.agent_jobs where status = 'running' group by project_id) r"
        )
        assert row is not None
        for what, running in row.items():
            peaks[what] = max(peaks[what], running)

    def look_on() -> None:
        while not finished.is_set():
            look()

    observer = InBackground(look_on)
    handed_out: Counter[UUID] = Counter()
    by_worker: Counter[str] = Counter()
    with Database(database_url, pool_size=1) as first, Database(database_url, pool_size=1) as second:
        while left.total():
            start = threading.Barrier(2)

            def claim_at_once(db: Database, worker: str, start: threading.Barrier = start) -> list[queue.Job]:
                start.wait()
                return queue.claim(db, worker, limit=ASKED, lane="standard", lease=LEASE)

            claimers = [
                InBackground(lambda: claim_at_once(first, "first")),
                InBackground(lambda: claim_at_once(second, "second")),
            ]
            jobs = [held for claimer in claimers for held in claimer.result()]
            handed_out.update(held.id for held in jobs)
            by_worker.update(str(held.locked_by) for held in jobs)

            # Neither too much nor too little: exactly what slots and projects allow.
            assert len(jobs) == min(SLOTS, sum(min(n, PROJECT_LIMIT) for n in left.values()))
            assert max(Counter(held.project_id for held in jobs).values()) <= PROJECT_LIMIT
            look()
            left.subtract(held.project_id for held in jobs)
            with database.transaction() as conn:
                for held in jobs:
                    conn.execute("select public.complete_agent_job(%s, 'completed', null, 1)", [held.id])
    finished.set()
    observer.result()

    assert peaks == {"lane": SLOTS, "project": PROJECT_LIMIT}
    assert set(handed_out.values()) == {1}
    assert handed_out.total() == JOBS
    assert min(by_worker["first"], by_worker["second"]) > 0
    rows = database.fetch_all("select status, claim_no, count(*)::int as n from public.agent_jobs group by 1, 2")
    assert rows == [{"status": "completed", "claim_no": 1, "n": JOBS}]


# --- 4. stale lock recovery


def test_stale_lock_recovery_of_a_job_locked_long_ago(database: Database) -> None:
    stale = enqueue(database, make_project(database))
    fresh = enqueue(database, make_project(database))
    assert set(claim_foreign(database)) == {stale, fresh}
    database.execute("update public.agent_jobs set locked_at = now() - interval '11 minutes' where id = %s", [stale])

    reclaimed = database.fetch_one("select public.reclaim_stale_jobs() as n")

    assert reclaimed == {"n": 1}
    assert (job(database, stale).status, job(database, stale).locked_by) == ("queued", None)
    assert job(database, fresh).status == "running"
    assert statuses(database, stale) == ["queued", "running", "queued"]
    assert claim_foreign(database) == [stale]


def test_stale_lock_recovery_takes_the_callers_threshold(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    database.execute("update public.agent_jobs set locked_at = now() - interval '5 minutes' where id = %s", [job_id])
    assert database.fetch_one("select public.reclaim_stale_jobs() as n") == {"n": 0}
    assert database.fetch_one("select public.reclaim_stale_jobs(interval '4 minutes') as n") == {"n": 1}


def test_stale_lock_recovery_goes_by_the_lease_where_there_is_one(database: Database) -> None:
    enqueue(database, make_project(database))
    claim = claim_next(database, lease=timedelta(hours=1))
    # A long job is no lost job: only its lease counts, however long ago it was locked.
    database.execute("update public.agent_jobs set locked_at = now() - interval '1 day' where id = %s", [claim.job_id])
    assert queue.reclaim_stale(database) == 0
    expire_lease(database, claim.job_id)
    assert queue.reclaim_stale(database) == 1
    assert job(database, claim.job_id).status == "queued"


def test_stale_lock_recovery_also_when_the_attempts_are_used_up(database: Database) -> None:
    job_id = enqueue(database, make_project(database), max_attempts=1)
    claim_foreign(database)
    database.execute("update public.agent_jobs set locked_at = now() - interval '1 hour' where id = %s", [job_id])
    assert queue.reclaim_stale(database) == 1
    assert (job(database, job_id).status, job(database, job_id).attempts) == ("queued", 0)
