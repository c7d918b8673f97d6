"""Claiming: the right job next, one holder at a time, and a higher number for every claim."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio import claims, queue
from studio.database.connection import Database
from studio.errors import Conflict, JobBusy, LeaseLost, NotFound
from studio.queue import NewJob
from tests.support.queue import (
    LEASE,
    InBackground,
    claim,
    claim_foreign,
    claim_next,
    enqueue,
    enqueue_in,
    expire_lease,
    job,
    make_due,
    make_project,
    separate_connection,
    set_lane,
    statuses,
    take_over,
)


def open_lanes(db: Database) -> None:
    """Let nothing but the test's own arguments limit what is claimed."""
    for lane in ("realtime", "standard", "heavy"):
        set_lane(db, lane, 1000, 1000)


# --- which job is next


def test_the_highest_priority_is_first_and_among_equals_the_oldest(database: Database) -> None:
    open_lanes(database)
    project = make_project(database)
    wanted = [enqueue(database, project, priority=priority) for priority in (50, 50, 120, 0, 50)]
    by_rank = [wanted[index] for index in (2, 0, 1, 4, 3)]
    assert claim(database, 2) == by_rank[:2]
    assert claim(database) == by_rank[2:]


def test_a_job_is_not_claimed_before_its_time(database: Database) -> None:
    project = make_project(database)
    later = enqueue(database, project, priority=100, run_after=datetime.now(UTC) + timedelta(hours=1))
    now = enqueue(database, project, run_after=datetime.now(UTC) - timedelta(hours=1))
    assert claim(database) == [now]
    make_due(database, later)
    assert claim(database) == [later]


def test_a_claim_says_who_holds_what_and_until_when(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    [held] = queue.claim(database, "anna", limit=1, lane=None, lease=timedelta(minutes=1))
    row = database.fetch_one(
        "select leased_until = locked_at + interval '1 minute' as lease, locked_at = started_at as same"
        " from public.agent_jobs where id = %s",
        [job_id],
    )
    assert row == {"lease": True, "same": True}
    assert (held.status, held.locked_by, held.attempts, held.claim_no) == ("running", "anna", 1, 1)
    assert held == job(database, job_id)


@pytest.mark.parametrize("limit", [0, -1, None])
def test_a_claim_of_nothing_gets_nothing(database: Database, limit: int | None) -> None:
    enqueue(database, make_project(database))
    assert database.fetch_all("select * from public.claim_agent_jobs('worker', %s::int)", [limit]) == []


def test_what_was_planned_is_let_in_when_its_time_has_come(database: Database) -> None:
    open_lanes(database)
    project = make_project(database)
    planned = [enqueue(database, project, run_after=datetime.now(UTC) + timedelta(days=1)) for _ in range(3)]
    moved = enqueue(database, project, run_after=datetime.now(UTC) - timedelta(days=1))
    postpone = "update public.agent_jobs set run_after = now() + interval '1 day' where id = %s"
    database.execute(postpone, [moved])
    assert claim(database) == []
    out_of_the_way = "select count(*)::int as n from public.agent_jobs where waits_until = run_after"
    assert database.fetch_one(out_of_the_way) == {"n": 4}
    let_time_pass(database)
    assert claim(database, 2) == planned[:2]
    assert claim(database) == [planned[2], moved]


def let_time_pass(db: Database) -> None:
    """Let two days pass for what waits: its time comes without anybody touching it."""
    with db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "update public.agent_jobs set run_after = run_after - interval '2 days',"
            " waits_until = waits_until - interval '2 days'"
        )


def test_a_claimer_passes_over_what_another_one_is_looking_at(database: Database) -> None:
    project = make_project(database)
    first, second = enqueue(database, project), enqueue(database, project)
    with separate_connection(database) as conn, conn.transaction():
        conn.execute("select 1 from public.agent_jobs where id = %s for no key update", [first])
        assert claim(database) == [second]
    assert claim(database) == [first]


def test_a_reference_to_a_job_does_not_hide_it(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    with separate_connection(database) as conn, conn.transaction():
        conn.execute(
            "insert into public.research_sources (project_id, job_id, url, quote, quote_sha256, retrieved_by)"
            " values (%s, %s, 'https://example.com', 'tea', repeat('0', 64), 'test')",
            [project, job_id],
        )
        assert claim(database) == [job_id]


# --- one job by its id


def claim_by_id(db: Database, job_id: UUID, **options: Any) -> claims.Claim:
    with db.transaction() as conn:
        return claims.claim_by_id(conn, db, job_id, "operator", "run-1", LEASE, **options)


def test_a_job_is_claimed_by_id_whatever_its_lane_says(database: Database) -> None:
    set_lane(database, "standard", slots=0, project_limit=1)
    job_id = enqueue(database, make_project(database), priority=-5, run_after=datetime.now(UTC) + timedelta(days=1))
    held = claim_by_id(database, job_id)
    assert (held.job.status, held.job.locked_by, held.job.dagster_run_id) == ("running", "operator", "run-1")
    assert (held.claim_no, held.job.attempts) == (1, 1)


def test_a_live_lease_is_not_taken_over(database: Database) -> None:
    enqueue(database, make_project(database))
    holder = claim_next(database, "anna")
    with pytest.raises(JobBusy, match="anna under claim 1"):
        claim_by_id(database, holder.job_id)
    holder.complete()


def test_a_foreign_claim_is_not_taken_over_for_ten_minutes(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    with pytest.raises(JobBusy):
        claim_by_id(database, job_id)
    database.execute("update public.agent_jobs set locked_at = now() - interval '11 minutes' where id = %s", [job_id])
    assert claim_by_id(database, job_id).claim_no == 2


def test_an_expired_lease_is_taken_over_and_the_new_run_is_announced(database: Database) -> None:
    enqueue(database, make_project(database))
    zombie = claim_next(database)
    expire_lease(database, zombie.job_id)
    held = claim_by_id(database, zombie.job_id)
    assert (held.claim_no, held.job.attempts) == (2, 2)
    assert statuses(database, zombie.job_id) == ["queued", "running", "running"]
    with pytest.raises(LeaseLost):
        zombie.complete()


def test_who_takes_a_job_over_is_not_asked_to_stop_in_its_holders_place(database: Database) -> None:
    enqueue(database, make_project(database))
    lost = claim_next(database)
    queue.cancel(database, lost.job_id)
    expire_lease(database, lost.job_id)
    renewal = claim_by_id(database, lost.job_id).renew(LEASE)
    assert renewal is not None
    assert not renewal.cancel_requested


@pytest.mark.parametrize("ended", ["completed", "failed", "canceled"])
def test_an_ended_job_is_claimed_by_id_for_a_new_result(database: Database, ended: str) -> None:
    enqueue(database, make_project(database))
    first = claim_next(database)
    first.release("Interrupted.")
    first = claim_next(database)
    database.execute("select public.complete_agent_job(%s, %s, 'so', %s)", [first.job_id, ended, first.claim_no])

    held = claim_by_id(database, first.job_id)

    assert (held.job.status, held.job.attempts, held.job.interruptions, held.claim_no) == ("running", 1, 0, 3)
    assert (held.job.completed_at, held.job.last_error) == (None, None)
    held.complete()
    assert job(database, held.job_id).completed_at is not None


def test_a_completed_job_is_left_alone_where_that_is_asked_for(database: Database) -> None:
    enqueue(database, make_project(database))
    held = claim_next(database)
    held.complete()
    before = job(database, held.job_id)
    with pytest.raises(Conflict, match="completed"):
        claim_by_id(database, held.job_id, unless_completed=True)
    assert job(database, held.job_id) == before


def test_a_job_that_is_not_there_cannot_be_claimed(database: Database) -> None:
    for options in ({}, {"unless_completed": True}):
        with pytest.raises(NotFound):
            claim_by_id(database, uuid4(), **options)


def test_inserting_and_claiming_at_once_leaves_pickup_nothing(database: Database) -> None:
    project = make_project(database)
    stop = threading.Event()

    def pick_up() -> list[UUID]:
        found: list[UUID] = []
        while not stop.is_set():
            found += claim(database, lane="heavy", slots=1000, project_limit=1000)
        return found

    pickup = InBackground(pick_up)
    for number in range(25):
        new = NewJob("phase0.generate_packet", project, {"ownerClerkId": "owner"}, key=f"local-{number}")
        held = claims.enqueue_and_claim(database, new, "operator", f"run-{number}", LEASE)
        assert (held.claim_no, held.job.locked_by) == (1, "operator")
        assert statuses(database, held.job_id) == ["queued", "running"]
    stop.set()
    assert pickup.result() == []


def test_inserting_and_claiming_joins_what_is_queued_and_refuses_what_runs_or_is_done(database: Database) -> None:
    new = NewJob("phase0.generate_packet", make_project(database), {"ownerClerkId": "owner"}, key="local")
    with database.transaction() as conn:
        queued = queue.enqueue(conn, new)
    held = claims.enqueue_and_claim(database, new, "operator", "run-1", LEASE)
    assert held.job_id == queued.job_id
    with pytest.raises(JobBusy):
        claims.enqueue_and_claim(database, new, "operator", "run-2", LEASE)
    held.complete()
    with pytest.raises(Conflict, match="completed"):
        claims.enqueue_and_claim(database, new, "operator", "run-3", LEASE)
    assert job(database, held.job_id).claim_no == 1


# --- the run takes up what pickup claimed


def test_one_run_takes_up_a_claim_and_another_one_does_not(database: Database) -> None:
    enqueue(database, make_project(database))
    [picked] = queue.claim(database, "pickup", limit=1, lane=None, lease=timedelta(minutes=2))
    held = claims.start(database, picked.id, picked.claim_no, "run-1", LEASE)
    assert held.job.dagster_run_id == "run-1"
    assert held.job.leased_until is not None
    assert picked.leased_until is not None
    assert held.job.leased_until - picked.leased_until > timedelta(minutes=50)
    # The same run may ask again, for instance after a lost answer; a duplicate launch may not.
    assert claims.start(database, picked.id, picked.claim_no, "run-1", LEASE).claim_no == held.claim_no
    with pytest.raises(LeaseLost, match="another run"):
        claims.start(database, picked.id, picked.claim_no, "run-2", LEASE)


def test_a_late_run_does_not_take_up_a_claim_that_is_over(database: Database) -> None:
    enqueue(database, make_project(database))
    late = claim_next(database, "pickup")
    successor = take_over(database, late)
    with pytest.raises(LeaseLost):
        claims.start(database, late.job_id, late.claim_no, "run-1", LEASE)
    assert claims.start(database, successor.job_id, successor.claim_no, "run-2", LEASE).claim_no == 2
    with pytest.raises(LeaseLost):
        claims.start(database, uuid4(), 1, "run-1", LEASE)


def test_every_claim_gets_a_higher_number_through_all_of_a_jobs_lives(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, "key")
    numbers: list[int] = []

    def hold() -> claims.Claim:
        held = claim_next(database)
        numbers.append(held.claim_no)
        return held

    hold().release("Interrupted.")
    hold().fail("It broke.", permanent=False, retry_base=timedelta(0))
    hold()
    expire_lease(database, job_id)
    queue.reclaim_stale(database)
    hold().cancel()
    with database.transaction() as conn:
        assert enqueue_in(conn, project, "key").outcome == "revived"
    hold().complete()
    numbers.append(claim_by_id(database, job_id).claim_no)

    assert numbers == [1, 2, 3, 4, 5, 6]
