"""An answer that comes after the job has ended is taken once, unless a person has spoken."""

from __future__ import annotations

import threading

import pytest

from studio import outbox, queue
from tests.integration.actions.outbox.effects import ended, enlisted, record, send, state
from tests.support.actions import Stage
from tests.support.approvals import FOUNDER, HOOK
from tests.support.waiting import eventually


@pytest.mark.parametrize(
    ("answer", "effect", "end"),
    [("done", "done", "completed"), ("failed", "failed", "failed"), ("pending", "failed", "failed")],
)
def test_an_answer_that_comes_after_the_job_has_ended_is_taken(
    stage: Stage, answer: str, effect: str, end: str
) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    ended(stage, claim)
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    # Twice: what says so may have been all that was lost.
    assert record(claim, entry_id, answer)
    assert record(claim, entry_id, answer)
    assert state(stage, approval) == ("failed", end, effect)
    assert stage.executed(approval)["status"] == end
    row = stage.db.fetch_one(
        "select count(*) as n from public.project_events where project_id = %s and event_type = %s",
        [approval.project_id, f"execution.{end}"],
    )
    assert row == {"n": 1}


def test_a_sender_whose_job_is_ended_under_it_keeps_what_it_heard(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    slow = stage.providers.fault("slow")
    ends: list[str] = []
    sender = threading.Thread(target=lambda: ends.append(stage.run(approval, claim)))
    sender.start()
    eventually(lambda: stage.providers.changes(), what="the request")
    ended(stage, claim)
    slow.released.set()
    sender.join()
    assert ends == ["lost"]
    assert state(stage, approval) == ("failed", "completed", "done")
    assert stage.effect(approval).response is not None
    assert company.propose(HOOK).outcome == "executed_before"
    queue.retry(stage.db, claim.job_id)
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_after_a_persons_word_nobody_elses_counts(stage: Stage) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    ended(stage, claim)
    outbox.resolve(stage.db, entry_id, "done", by=FOUNDER)
    assert not record(claim, entry_id, "failed")
    assert outbox.get(stage.db, entry_id).status == "done"
    # Nor where a second run ended without an answer to what it was told to do again.
    stage.db.execute("update public.outbox set status = 'unknown' where id = %s", [entry_id])
    assert not record(claim, entry_id, "failed")
    assert stage.effect(approval).status == "unknown"


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_what_was_done_is_not_called_failed_because_its_job_ended(stage: Stage, status: str) -> None:
    approval, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    assert record(claim, entry_id, "done")
    ended(stage, claim, by=status)
    assert state(stage, approval) == (status, "completed", "done")
    assert "It was done" in stage.executed(approval)["detail"]
