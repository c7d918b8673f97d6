"""A retry by hand puts a failed or canceled job back as it was, and leaves every other job alone."""

from __future__ import annotations

import pytest

from studio import queue
from studio.database.connection import Database
from studio.errors import Conflict, NoHandler
from tests.support.queue import AT_ONCE, claim_next, insert_foreign, job, make_job, make_project, phase0, steps


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_retry_puts_the_job_back_as_it_was(database: Database, status: str) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        answer = queue.enqueue(
            conn, phase0(project, payload={"revisionGuidance": "warmer"}, priority=7, max_attempts=2)
        )
    claim = claim_next(database, lane="heavy")
    claim.once("research", lambda: 1)
    if status == "failed":
        claim.fail("It broke.", permanent=True, retry_base=AT_ONCE)
    else:
        claim.cancel()
    before = job(database, answer.job_id)

    assert queue.retry(database, answer.job_id).outcome == "revived"

    after = job(database, answer.job_id)
    assert (after.status, after.attempts, after.payload, after.priority, after.max_attempts) == (
        "queued", 0, before.payload, 7, 2,
    )  # fmt: skip
    assert steps(database, answer.job_id) == ["research"]


def test_a_retry_leaves_the_payload_of_another_client_alone(database: Database) -> None:
    project = make_project(database)
    # Not letter for letter what the registry would make of it: keys of its own, defaults left out.
    wrote = {"projectId": str(project), "ownerClerkId": "owner", "source": "landing"}
    job_id = insert_foreign(database, project, "phase0.generate_packet", payload=wrote)
    claim = claim_next(database)
    claim.once("research", lambda: 1)
    claim.fail("It broke.", permanent=True, retry_base=AT_ONCE)
    assert queue.retry(database, job_id).outcome == "revived"
    assert job(database, job_id).payload == wrote
    assert steps(database, job_id) == ["research"]


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_only_a_failed_or_canceled_job_can_be_retried(database: Database, status: str) -> None:
    _, job_id = make_job(database, status)
    with pytest.raises(Conflict, match=status):
        queue.retry(database, job_id)


def test_a_job_that_nothing_can_run_cannot_be_retried(database: Database, type_without_handler: str) -> None:
    project = make_project(database)
    # Written by another client: what nothing can run cannot be enqueued through the registry.
    job_id = insert_foreign(database, project, type_without_handler)
    queue.cancel(database, job_id)
    with pytest.raises(NoHandler):
        queue.retry(database, job_id)
    assert job(database, job_id).status == "canceled"
