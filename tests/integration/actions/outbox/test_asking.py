"""A provider that can be asked what it did is asked, in its own time, on every page, and is not sent to meanwhile."""

from __future__ import annotations

from datetime import timedelta

from studio import queue
from tests.integration.actions.outbox.effects import state
from tests.support.actions import Stage
from tests.support.approvals import ADS


def test_a_campaign_that_somebody_has_archived_meanwhile_is_found(stage: Stage) -> None:
    for status in ("ARCHIVED", "DELETED"):
        _, approval = stage.approved(ADS)
        stage.providers.fault("drop", done=True)
        stage.run(approval)
        stage.providers.campaigns[-1]["status"] = status
        assert stage.run_to_end(approval) == "completed"
        assert stage.happened(approval) == 1


def test_a_campaign_is_looked_for_on_every_page(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.providers.campaigns[:0] = [{"id": str(n), "name": f"Other {n}", "status": "ACTIVE"} for n in range(5)]
    stage.providers.page_size = 2
    assert stage.run_to_end(approval) == "completed"
    assert stage.happened(approval) == 1
    assert len([asked for asked in stage.providers.requests if asked.method == "GET"]) == 3


def test_no_token_stands_in_an_address(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.run_to_end(approval)
    assert all("access_token" not in asked.query for asked in stage.providers.requests)


def test_a_provider_that_does_not_say_is_asked_again_and_never_sent_to(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    for _ in range(2):
        stage.providers.fault("status", method="GET", status=503)
    assert stage.run_to_end(approval) == "failed"
    # It has not been found out, so it is held.
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert len(stage.providers.changes()) == 1
    # Here trying again is right: the provider can be asked.
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1


def test_a_provider_is_given_its_time_before_it_is_asked(stage: Stage) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 1.5})
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    stage.run(approval)  # at once
    row = stage.db.fetch_one(
        "select settled_at - sent_at as passed from public.outbox where approval_id = %s", [approval.id]
    )
    assert row is not None
    assert row["passed"] >= timedelta(seconds=1.5)
    assert stage.happened(approval) == 1
