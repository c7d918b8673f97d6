"""The same thing that was approved twice, since it failed or under another packet, happens once."""

from __future__ import annotations

import contextlib

import pytest

from studio import decisions, queue
from studio.approvals import Approval
from studio.errors import Conflict
from tests.support.actions import Stage
from tests.support.approvals import DEPLOY, FOUNDER, HOOK
from tests.support.queue import InBackground


def failed_and_asked_anew(stage: Stage) -> tuple[Approval, Approval]:
    """Return an approval whose execution was refused, and a pending one for the same packet."""
    company, first = stage.approved(HOOK)
    stage.providers.fault("status", status=404)
    assert stage.run(first) == "failed"
    return first, company.asked(HOOK)


def approve(stage: Stage, approval: Approval) -> Approval:
    decisions.decide(stage.db, approval.id, "approved", version=approval.version, decided_by=FOUNDER)
    return stage.approval(approval.id)


@pytest.mark.parametrize("first_runs", ["before", "after"])
def test_what_was_approved_anew_is_not_done_by_retrying_the_old_approval(stage: Stage, first_runs: str) -> None:
    first, second = failed_and_asked_anew(stage)
    second = approve(stage, second)
    if first_runs == "after":
        assert stage.run(second) == "completed"
    queue.retry(stage.db, stage.job(first).id)
    assert stage.status(first) == "failed", "a superseded approval is shown as under way"
    assert stage.run(first) == "failed"
    assert f"superseded by approval {second.id}" in (stage.job(first).last_error or "")
    assert stage.run_to_end(second) == "completed"
    assert (stage.status(first), stage.status(second)) == ("failed", "completed")
    assert stage.happened(second) == 1


def test_of_a_retry_and_a_new_approval_at_once_one_goes_on(stage: Stage) -> None:
    for _ in range(3):
        stage.providers.clear()
        first, second = failed_and_asked_anew(stage)
        retried = InBackground(lambda first=first: queue.retry(stage.db, stage.job(first).id))
        with contextlib.suppress(Conflict):
            second = approve(stage, second)
        retried.result()
        stage.run_to_end(first)
        if second.status == "approved":
            stage.run_to_end(second)
        assert stage.happened(first) == 1


def test_where_the_new_one_has_failed_too_the_old_one_may_go_on(stage: Stage) -> None:
    first, second = failed_and_asked_anew(stage)
    second = approve(stage, second)
    stage.providers.fault("status", status=404)
    assert stage.run(second) == "failed"
    queue.retry(stage.db, stage.job(first).id)
    assert stage.status(first) == "queued"
    queue.retry(stage.db, stage.job(second).id)
    assert stage.status(second) == "failed"
    assert stage.run(second) == "failed"
    assert stage.run(first) == "completed"
    assert stage.happened(first) == 1


def test_the_same_page_under_another_packet_is_the_same_thing(stage: Stage) -> None:
    company, first = stage.approved(DEPLOY)
    queue.cancel(stage.db, stage.job(first).id)
    company.packet(1)
    second = company.asked(DEPLOY, asset_id=first.asset_id, content_hash=first.content_hash)
    queue.retry(stage.db, stage.job(first).id)
    with pytest.raises(Conflict, match=f"approved before as {first.id}"):
        approve(stage, second)
    assert stage.run(first) == "completed"
