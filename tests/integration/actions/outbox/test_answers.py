"""What an answer of a provider, or its lack, makes of effect, approval and job: certain or not, for now or for good."""

from __future__ import annotations

from typing import Any

import pytest

from studio import queue
from tests.integration.actions.outbox.effects import state
from tests.support.actions import EFFECTS, Stage, attempt, execution, hook_client
from tests.support.approvals import ADS, HOOK, REPOSITORY
from tests.support.local_web import closed_port


@pytest.mark.parametrize(("action", "status"), [(ADS, 429), (REPOSITORY, 429), (HOOK, 429), (HOOK, 408)])
def test_refused_for_now_is_tried_again(stage: Stage, action: str, status: int) -> None:
    _, approval = stage.approved(action)
    stage.providers.fault("status", status=status)
    assert stage.run(approval) == "queued"
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1
    assert stage.effect(approval).attempts == 2


@pytest.mark.parametrize(
    ("action", "status", "body"),
    [
        (ADS, 400, {"error": {"message": "User request limit reached", "code": 17}}),
        (ADS, 400, {"error": {"message": "Please retry", "code": 999, "is_transient": True}}),
        (REPOSITORY, 403, {"message": "API rate limit exceeded for user ID 1."}),
    ],
)
def test_a_limit_that_comes_as_another_status_is_known(stage: Stage, action: str, status: int, body: Any) -> None:
    _, approval = stage.approved(action)
    stage.providers.fault("status", status=status, body=body)
    assert stage.run(approval) == "queued"
    assert stage.effect(approval).status == "pending"
    assert stage.run(approval) == "completed"


@pytest.mark.parametrize(
    ("action", "status"),
    [(ADS, 400), (ADS, 401), (REPOSITORY, 301), (REPOSITORY, 403), (REPOSITORY, 422), (HOOK, 307), (HOOK, 404)],
)
def test_refused_is_failed_with_the_reason_and_can_be_retried(stage: Stage, action: str, status: int) -> None:
    company, approval = stage.approved(action)
    stage.providers.fault(
        "status", status=status, body={"error": {"message": "Not like this"}, "message": "Not like this"}
    )
    assert stage.run(approval) == "failed"
    assert state(stage, approval) == ("failed", "failed", "failed")
    assert f"answered {status}" in (stage.effect(approval).error or "")
    assert "Not like this" in (stage.effect(approval).error or "")
    assert stage.effect(approval).error in (stage.job(approval).last_error or "")
    assert [event["message"] for event in company.events("execution.failed")] == [stage.job(approval).last_error]
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        ({"kind": "drop"}, True),
        ({"kind": "drop"}, False),
        ({"kind": "status", "status": 500}, True),
        ({"kind": "status", "status": 503}, False),
        ({"kind": "hang"}, True),
        ({"kind": "hang"}, False),
        ({"kind": "raw", "body": b"HTTP/1.1 what?\r\n\r\n"}, True),
    ],
)
def test_what_meta_did_is_asked_of_meta(stage: Stage, fault: dict[str, Any], done: bool) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 0.7})
    _, approval = stage.approved(ADS)
    ordered = stage.providers.fault(**fault, done=done)
    assert stage.run(approval) == "queued"
    ordered.released.set()
    assert state(stage, approval) == ("queued", "queued", "sending")
    assert stage.run_to_end(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.happened(approval) == 1
    assert stage.effect(approval).provider_id == stage.providers.campaigns[0]["id"]
    assert len(stage.providers.changes()) == (1 if done else 2)


def test_an_answer_of_meta_without_a_campaign_is_no_success(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("status", status=200, body={"success": True}, done=True)
    assert stage.run(approval) == "queued"
    assert stage.run_to_end(approval) == "completed"
    assert stage.happened(approval) == 1


@pytest.mark.parametrize(
    ("action", "fault", "done"),
    [
        (REPOSITORY, {"kind": "drop"}, True),
        (REPOSITORY, {"kind": "drop"}, False),
        (REPOSITORY, {"kind": "status", "status": 502}, True),
        (REPOSITORY, {"kind": "hang"}, False),
        (HOOK, {"kind": "drop"}, True),
        (HOOK, {"kind": "status", "status": 503}, False),
        (HOOK, {"kind": "hang"}, True),
        (HOOK, {"kind": "raw", "body": b"HTTP/1.1 what?\r\n\r\n"}, True),
    ],
)
def test_what_nobody_can_be_asked_about_is_held(stage: Stage, action: str, fault: dict[str, Any], done: bool) -> None:
    stage.settings = stage.settings.model_copy(update={"provider_timeout_seconds": 0.7})
    company, approval = stage.approved(action)
    ordered = stage.providers.fault(**fault, done=done)
    assert stage.run(approval) == "failed"
    ordered.released.set()
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert stage.executed(approval)["status"] == "unknown"
    entry = stage.effect(approval)
    assert f"greenlight outbox resolve {entry.id}" in (stage.job(approval).last_error or "")
    (held,) = company.events("execution.unknown")
    assert str(entry.id) in held["message"]
    # Whoever just tries again changes nothing.
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "unknown"
    assert stage.run(approval) == "failed"
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    assert len(stage.providers.changes()) == 1


@pytest.mark.parametrize("action", EFFECTS)
def test_a_closed_door_is_certainly_nothing_done(stage: Stage, action: str) -> None:
    _, approval = stage.approved(action)
    with closed_port() as address:
        here = f"http://{address[0]}:{address[1]}"
        settings = stage.settings.model_copy(update={"github_url": here, "meta_url": here})
        work = execution(stage.claimed(approval), settings, hook_client(address))
        assert attempt(work) == "queued"
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_a_provider_that_is_away_for_good_fails_the_approval(stage: Stage) -> None:
    _, approval = stage.approved(REPOSITORY)
    stage.settings = stage.settings.model_copy(update={"github_url": "http://github.invalid"})
    assert stage.run_to_end(approval) == "failed"
    assert state(stage, approval) == ("failed", "failed", "failed")
    assert stage.effect(approval).attempts == stage.job(approval).max_attempts == 3
