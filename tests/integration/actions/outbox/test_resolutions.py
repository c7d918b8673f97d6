"""Where nobody can know, a person says whether it was done; that is said once, and followed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from studio import lifecycle, outbox, queue
from studio.errors import Conflict, InvalidInput, JobBusy, NotFound, PermissionRefused
from tests.integration.actions.outbox.effects import held, state
from tests.support.actions import Stage
from tests.support.approvals import FOUNDER, HOOK, REPOSITORY


def test_it_was_done_so_it_is_not_done_again(stage: Stage) -> None:
    company, approval = held(stage)
    entry = stage.effect(approval)
    resolved = outbox.resolve(
        stage.db, entry.id, "done", by=FOUNDER, provider_id="dpl_1", note="I saw it in the dashboard."
    )
    assert (resolved.status, resolved.job_outcome) == ("done", "revived")
    assert stage.status(approval) == "queued"
    # Neither permission nor configuration is needed any more to say that it was done.
    stage.settings = stage.settings.model_copy(update={"vercel_deploy_hook_url": None})
    assert stage.run(approval) == "completed"
    assert state(stage, approval) == ("completed", "completed", "done")
    assert stage.executed(approval)["provider_response"]["deployment_id"] == "dpl_1"
    assert len(stage.providers.changes()) == 1
    (said,) = company.events("outbox.resolved")
    assert said["data"] == {
        "outbox_id": str(entry.id),
        "approval_id": str(approval.id),
        "resolution": "done",
        "by": FOUNDER,
        "provider_id": "dpl_1",
        "note": "I saw it in the dashboard.",
    }
    after = stage.effect(approval)
    assert (after.resolved_by, after.note) == (FOUNDER, "I saw it in the dashboard.")


def test_it_was_not_done_so_it_is_done_now(stage: Stage) -> None:
    _, approval = held(stage, REPOSITORY, done=False)
    outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert state(stage, approval) == ("queued", "queued", "pending")
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_only_what_is_unknown_can_be_resolved_and_only_once(stage: Stage) -> None:
    _, approval = held(stage, done=False)
    entry = stage.effect(approval)
    outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
    for resolution in ("done", "retry"):
        with pytest.raises(Conflict, match="pending"):
            outbox.resolve(stage.db, entry.id, resolution, by=FOUNDER)  # type: ignore[arg-type]
    stage.run(approval)
    with pytest.raises(Conflict, match="is done"):
        outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
    assert stage.happened(approval) == 1
    with pytest.raises(NotFound):
        outbox.resolve(stage.db, uuid4(), "done", by=FOUNDER)
    with pytest.raises(InvalidInput, match="The note"):
        outbox.resolve(stage.db, entry.id, "done", by=FOUNDER, note="\x00")


def test_nothing_is_resolved_under_a_job_that_is_at_it(stage: Stage) -> None:
    _, approval = held(stage)
    queue.retry(stage.db, stage.job(approval).id)
    claim = stage.claimed(approval)
    with pytest.raises(JobBusy):
        outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert stage.run(approval, claim) == "failed"
    assert stage.status(approval) == "unknown"


def test_it_was_done_where_the_job_is_gone(stage: Stage) -> None:
    _, approval = held(stage)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    assert outbox.resolve(stage.db, stage.effect(approval).id, "done", by=FOUNDER).job_outcome is None
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("completed", "completed")


def test_a_mail_that_nobody_knows_of_is_settled_in_the_same_way(stage: Stage) -> None:
    company = stage.company(HOOK)
    for resolution, status in (("done", "sent"), ("retry", "queued")):
        row = stage.db.fetch_one(
            "insert into public.email_jobs (project_id, to_email, subject, html_body, scheduled_for, status)"
            " values (%s, 'anna@example.org', 'Hello', '<p>Hello</p>', now(), 'unknown') returning id",
            [company.id],
        )
        assert row is not None
        assert outbox.resolve(stage.db, row["id"], resolution, by=FOUNDER).status == status  # type: ignore[arg-type]
        assert outbox.listed(stage.db, row["id"]).status == status
        with pytest.raises(Conflict):
            outbox.resolve(stage.db, row["id"], resolution, by=FOUNDER)  # type: ignore[arg-type]
    assert len(company.events("email.outbound.resolved")) == 2


@pytest.mark.parametrize("life", ["paused", "killed"])
def test_it_was_done_in_a_project_that_is_not_active(stage: Stage, life: Any) -> None:
    company, approval = held(stage)
    entry = stage.effect(approval)
    lifecycle.set_status(stage.db, company.id, life, FOUNDER)
    if life == "paused":
        with pytest.raises(PermissionRefused, match="is paused") as refused:
            outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)
        assert "say" in refused.value.remedy
    assert state(stage, approval) == ("failed", "unknown", "unknown")
    resolved = outbox.resolve(stage.db, entry.id, "done", by=FOUNDER, provider_id="dpl_1", note="I saw it.")
    assert (resolved.status, resolved.job_outcome) == ("done", "existing")
    assert state(stage, approval) == ("failed", "completed", "done")
    done = stage.executed(approval)
    assert (done["status"], done["detail"], done["provider_response"]["provider_id"]) == (
        "completed",
        "I saw it.",
        "dpl_1",
    )
    assert stage.happened(approval) == 1


def test_it_was_not_done_in_a_project_that_was_killed_since(stage: Stage) -> None:
    company, approval = held(stage, done=False)
    entry = stage.effect(approval)
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    resolved = outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER, note="I have looked: nothing.")
    assert (resolved.status, resolved.job_outcome) == ("failed", "existing")
    assert state(stage, approval) == ("failed", "failed", "failed")
    assert stage.executed(approval)["detail"] == "I have looked: nothing."
    after = stage.effect(approval)
    assert (after.error, after.resolved_by) == ("A person has seen that it was not done.", FOUNDER)
    (said,) = company.events("outbox.resolved")
    assert said["message"].endswith(": it was not done")
    assert stage.happened(approval) == 0
    with pytest.raises(Conflict):
        outbox.resolve(stage.db, entry.id, "retry", by=FOUNDER)


def test_it_was_not_done_where_the_job_is_gone_so_it_can_be_asked_anew(stage: Stage) -> None:
    company, approval = held(stage, done=False)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    resolved = outbox.resolve(stage.db, stage.effect(approval).id, "retry", by=FOUNDER)
    assert (resolved.status, resolved.job_outcome) == ("failed", None)
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")
    assert company.propose(HOOK).outcome == "created"
