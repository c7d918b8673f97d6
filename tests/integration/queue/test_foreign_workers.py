"""Workers of other clients claim by two arguments, without a lease, and cannot touch what is leased."""

from __future__ import annotations

import contextlib
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest

from studio.database.connection import Database
from studio.errors import LeaseLost
from tests.support.queue import claim_foreign, claim_next, enqueue, expire_lease, job, make_project, statuses


def test_a_foreign_claim_has_no_lease_and_completes_by_id(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    assert claim_foreign(database, "typescript") == [job_id]
    held = job(database, job_id)
    assert (held.status, held.locked_by, held.leased_until, held.attempts) == ("running", "typescript", None, 1)
    complete = "select public.complete_agent_job(%s, 'completed', null) as done"
    assert database.fetch_one(complete, [job_id]) == {"done": True}
    assert database.fetch_one(complete, [job_id]) == {"done": False}
    assert database.fetch_one(complete, [uuid4()]) == {"done": False}
    assert statuses(database, job_id) == ["queued", "running", "completed"]


def test_a_foreign_worker_retries_by_completing_and_requeuing(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    database.execute("select public.complete_agent_job(%s, 'failed', 'It broke.')", [job_id])
    assert job(database, job_id).completed_at is not None
    database.execute(
        "update public.agent_jobs set status = 'queued', run_after = now(), completed_at = null where id = %s",
        [job_id],
    )
    assert claim_foreign(database) == [job_id]
    assert (job(database, job_id).attempts, job(database, job_id).claim_no) == (2, 2)
    assert statuses(database, job_id) == ["queued", "running", "failed", "queued", "running"]


def test_a_foreign_worker_cannot_complete_what_is_leased(database: Database) -> None:
    enqueue(database, make_project(database))
    held = claim_next(database)
    with pytest.raises(psycopg.Error) as refused:
        database.execute("select public.complete_agent_job(%s, 'completed', null)", [held.job_id])
    assert refused.value.sqlstate == "GL001"
    assert job(database, held.job_id).status == "running"


def test_a_job_ends_completed_failed_or_canceled(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    for status in ("queued", "running", "done"):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match=status):
            database.execute("select public.complete_agent_job(%s, %s)", [job_id, status])


@pytest.mark.parametrize(
    "change",
    [
        "status = 'completed'",
        "status = 'queued'",
        "claim_no = claim_no + 1",
        "leased_until = null",
        "leased_until = now() + interval '1 year'",
        "attempts = 0",
    ],
)
@pytest.mark.parametrize("expired", [False, True], ids=["live", "expired"])
def test_a_leased_job_refuses_a_direct_update(database: Database, change: Any, expired: bool) -> None:
    enqueue(database, make_project(database))
    held = claim_next(database)
    if expired:
        expire_lease(database, held.job_id)
    before = job(database, held.job_id)
    with pytest.raises(psycopg.Error) as refused:
        database.execute(f"update public.agent_jobs set {change} where id = %s", [held.job_id])
    assert refused.value.sqlstate == "GL001"
    assert job(database, held.job_id) == before


TRANSITIONS: list[LiteralString] = [
    "select * from public.claim_agent_jobs('worker', 1, null, interval '1 hour')",
    "select public.claim_agent_job(%(waiting)s, 'worker', interval '1 hour')",
    "select public.start_agent_job(%(held)s, 1, 'run', interval '1 hour')",
    "select * from public.renew_agent_job(%(held)s, 1, interval '1 hour')",
    "select public.complete_agent_job(%(held)s, 'completed', null, 1)",
    "select public.fail_agent_job(%(held)s, 1, 'It broke.')",
    "select public.release_agent_job(%(held)s, 1)",
    "select public.cancel_agent_job(%(held)s)",
    "select public.cancel_agent_job(%(waiting)s)",
    "select public.reclaim_stale_jobs(interval '-1 hour')",
    # These do nothing, or are refused.
    "select * from public.claim_agent_jobs('worker', 0)",
    "select * from public.renew_agent_job(%(held)s, 7, interval '1 hour')",
    "select public.start_agent_job(%(held)s, 7, 'run', interval '1 hour')",
    "select public.fail_agent_job(%(held)s, 7, 'It broke.')",
    "select public.complete_agent_job(%(held)s, 'completed', null, 7)",
]


@pytest.mark.parametrize("transition", TRANSITIONS)
def test_a_transition_permits_no_direct_update_after_it(database: Database, transition: LiteralString) -> None:
    project = make_project(database)
    enqueue(database, project)
    enqueue(database, project, lane="realtime")
    held, guarded = claim_next(database), claim_next(database)
    ids = {"held": held.job_id, "waiting": enqueue(database, project)}
    with database.connection() as conn, conn.transaction():
        with contextlib.suppress(psycopg.Error), conn.transaction():
            conn.execute(transition, ids)
        with pytest.raises(psycopg.Error, match="is leased by claim"), conn.transaction():
            conn.execute("update public.agent_jobs set status = 'completed' where id = %s", [guarded.job_id])


def test_a_claim_by_direct_update_locks_out_whoever_held_the_job_before(database: Database) -> None:
    enqueue(database, make_project(database))
    zombie = claim_next(database)
    zombie.release("Shutting down.")
    database.execute(
        "update public.agent_jobs set status = 'running', locked_at = now(), locked_by = 'typescript' where id = %s",
        [zombie.job_id],
    )
    assert job(database, zombie.job_id).claim_no == 2
    with pytest.raises(LeaseLost):
        zombie.complete()
    # Nor can the number be turned back.
    database.execute("update public.agent_jobs set claim_no = 1 where id = %s", [zombie.job_id])
    with pytest.raises(LeaseLost):
        zombie.complete()


def test_a_job_that_another_client_just_sets_running_does_not_hold_its_slot_for_ever(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    database.execute("update public.agent_jobs set status = 'running' where id = %s", [job_id])
    assert job(database, job_id).status == "running"
    row = database.fetch_one("select public.reclaim_stale_jobs(interval '0 seconds') as n")
    assert row == {"n": 1}
    assert job(database, job_id).status == "queued"
