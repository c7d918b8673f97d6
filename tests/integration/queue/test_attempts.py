"""A failure uses up an attempt and the job comes back later; an interruption is free, though not for ever."""

from __future__ import annotations

from datetime import timedelta

import pytest

from studio import claims, queue
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.queue import (
    AT_ONCE,
    LEASE,
    claim_next,
    enqueue,
    everything,
    expire_lease,
    job,
    make_due,
    make_project,
    running,
)

FREE_INTERRUPTIONS = 5


# --- failing


def test_a_failed_attempt_comes_back_later_and_later_until_there_are_no_more(database: Database) -> None:
    base = timedelta(seconds=30)
    claim = running(database, max_attempts=4)
    for attempt in range(1, 4):
        assert claim.fail(f"Attempt {attempt} broke.", permanent=False, retry_base=base) == "queued"
        row = database.fetch_one(
            # The event is of the same transaction, so both are counted from the same now().
            "select j.run_after - e.created_at as pause from public.agent_jobs j"
            " join public.agent_job_events e on e.job_id = j.id"
            " where j.id = %s and e.type = 'status' order by e.seq desc limit 1",
            [claim.job_id],
        )
        assert row is not None
        assert 0.8 * attempt * base <= row["pause"] <= 1.2 * attempt * base
        assert queue.claim(database, "worker", limit=1, lane=None, lease=LEASE) == []
        make_due(database, claim.job_id)
        claim = claim_next(database)
        assert claim.job.attempts == attempt + 1
    assert claim.fail("Attempt 4 broke.", permanent=False, retry_base=base) == "failed"
    ended = job(database, claim.job_id)
    assert (ended.status, ended.attempts, ended.last_error) == ("failed", 4, "Attempt 4 broke.")
    assert ended.completed_at is not None


def test_jobs_that_failed_together_do_not_come_back_together(database: Database) -> None:
    project = make_project(database)
    for _ in range(8):
        enqueue(database, project)
    held = queue.claim(database, "worker", limit=8, lane=None, lease=LEASE, slots=8, project_limit=8)
    with database.transaction() as conn:
        for one in held:
            conn.execute("select public.fail_agent_job(%s, %s, 'It broke.')", [one.id, one.claim_no])
    assert len({job(database, one.id).run_after for one in held}) > 1


def test_a_permanent_failure_is_not_tried_again(database: Database) -> None:
    claim = running(database)
    assert claim.fail("The key is refused.", permanent=True, retry_base=AT_ONCE) == "failed"
    ended = job(database, claim.job_id)
    assert (ended.status, ended.attempts, ended.max_attempts) == ("failed", 1, 3)
    assert (ended.locked_by, ended.leased_until) == (None, None)


def test_an_error_is_stored_whatever_it_is_made_of(database: Database) -> None:
    claim = running(database)
    claim.fail("bad \x00 byte \udc80 " + "x" * 10_000, permanent=True, retry_base=AT_ONCE)
    error = job(database, claim.job_id).last_error
    assert error is not None
    assert error.startswith("bad � byte � xxx")
    assert len(error) == claims.ERROR_LIMIT


# --- interruptions


def test_an_interruption_burns_no_attempt_and_the_job_is_due_at_once(database: Database) -> None:
    claim = running(database, max_attempts=1)
    assert claim.release("Shutting down.") == "queued"
    waiting = job(database, claim.job_id)
    assert (waiting.attempts, waiting.interruptions, waiting.last_error) == (0, 1, "Shutting down.")
    assert claim_next(database).job_id == claim.job_id


@pytest.mark.parametrize("how", ["release", "reclaim"])
def test_a_job_that_takes_its_workers_down_is_not_free_for_ever(database: Database, how: str) -> None:
    job_id = running(database, max_attempts=2).job_id

    def interrupt() -> str:
        held = job(database, job_id)
        if how == "release":
            Claim(database, held).release("Killed.")
        else:
            expire_lease(database, job_id)
            assert queue.reclaim_stale(database) == 1
        return job(database, job_id).status

    for number in range(1, FREE_INTERRUPTIONS + 1):
        assert interrupt() == "queued"
        assert (job(database, job_id).attempts, job(database, job_id).interruptions) == (0, number)
        claim_next(database)
    assert interrupt() == "queued"
    assert job(database, job_id).attempts == 1
    make_due(database, job_id)
    claim_next(database)
    assert interrupt() == "failed"
    assert (job(database, job_id).attempts, job(database, job_id).interruptions) == (2, FREE_INTERRUPTIONS)


def test_a_reclaim_takes_what_is_lost_and_leaves_the_rest(database: Database) -> None:
    lost_jobs = [running(database) for _ in range(3)]
    alive = [enqueue(database, make_project(database)), running(database, lane="realtime").job_id]
    for claim in lost_jobs:
        expire_lease(database, claim.job_id)
    before = [everything(database, job_id) for job_id in alive]
    assert queue.reclaim_stale(database) == 3
    assert queue.reclaim_stale(database) == 0
    for claim in lost_jobs:
        back = job(database, claim.job_id)
        assert (back.status, back.attempts, back.interruptions, back.locked_by) == ("queued", 0, 1, None)
        assert "lease ran out" in str(back.last_error)
    assert [everything(database, job_id) for job_id in alive] == before
