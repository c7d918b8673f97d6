"""A job that nobody holds is canceled at once, a holder is asked to stop, and an ended job stays as it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.queue import (
    AT_ONCE,
    LEASE,
    claim_foreign,
    claim_next,
    enqueue,
    everything,
    expire_lease,
    job,
    last_status_event,
    lose,
    make_project,
    running,
    statuses,
)


def test_a_queued_job_is_canceled_at_once(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    assert queue.cancel(database, job_id, "Not wanted.") == "canceled"
    ended = job(database, job_id)
    assert (ended.status, ended.last_error) == ("canceled", "Not wanted.")
    assert ended.completed_at is not None
    assert statuses(database, job_id) == ["queued", "canceled"]
    assert last_status_event(database, job_id)["data"]["error"] == "Not wanted."
    assert claim_foreign(database) == []


ENDS: dict[str, tuple[Callable[[Claim], Any], str]] = {
    "stops": (lambda claim: claim.cancel(), "canceled"),
    "is released": (lambda claim: claim.release("Shutting down."), "canceled"),
    "fails": (lambda claim: claim.fail("It broke.", permanent=False, retry_base=AT_ONCE), "canceled"),
    "fails for good": (lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE), "canceled"),
    "is lost": (lose, "canceled"),
    "was quicker": (lambda claim: claim.complete(), "completed"),
}


@pytest.mark.parametrize("end", list(ENDS))
def test_the_holder_of_a_lease_is_asked_to_stop(database: Database, end: str) -> None:
    claim = running(database)
    finish, status = ENDS[end]
    assert queue.cancel(database, claim.job_id, "Not wanted.") == "cancel_requested"
    asked = job(database, claim.job_id)
    assert (asked.status, statuses(database, claim.job_id)) == ("running", ["queued", "running"])
    assert queue.cancel(database, claim.job_id) == "cancel_requested"
    assert job(database, claim.job_id).cancel_requested_at == asked.cancel_requested_at
    renewal = claim.renew(LEASE)
    assert renewal is not None
    assert renewal.cancel_requested

    finish(claim)

    assert statuses(database, claim.job_id) == ["queued", "running", status]
    assert job(database, claim.job_id).cancel_requested_at is None
    assert queue.claim(database, "worker", limit=1, lane=None, lease=LEASE) == []


def test_whoever_stops_a_job_need_not_know_why(database: Database) -> None:
    claim = running(database)
    queue.cancel(database, claim.job_id, "Not wanted.")
    claim.cancel()
    assert job(database, claim.job_id).last_error == "Not wanted."


@pytest.mark.parametrize("holder", ["foreign", "lost"])
def test_a_running_job_that_nobody_holds_a_lease_on_is_canceled_at_once(database: Database, holder: str) -> None:
    if holder == "foreign":
        job_id = enqueue(database, make_project(database))
        claim_foreign(database)
    else:
        job_id = running(database).job_id
        expire_lease(database, job_id)
    assert queue.cancel(database, job_id) == "canceled"
    assert statuses(database, job_id) == ["queued", "running", "canceled"]
    assert job(database, job_id).locked_by is None


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_an_ended_job_stays_as_it_ended(database: Database, status: str) -> None:
    claim = running(database)
    database.execute("select public.complete_agent_job(%s, %s, 'so', %s)", [claim.job_id, status, claim.claim_no])
    before = everything(database, claim.job_id)
    assert queue.cancel(database, claim.job_id, "Too late.") == status
    assert everything(database, claim.job_id) == before


def test_a_cancel_does_not_outlive_its_job(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project, "key")
    claim = claim_next(database)
    queue.cancel(database, claim.job_id)
    claim.release("Stopped.")
    enqueue(database, project, "key")
    revived = claim_next(database)
    renewal = revived.renew(LEASE)
    assert renewal is not None
    assert not renewal.cancel_requested
