"""A job that ends outside its run leaves no execution under way, and says no more than is known."""

from __future__ import annotations

from studio import lifecycle, outbox, queue
from tests.integration.actions.outbox.effects import state
from tests.support.actions import Stage
from tests.support.approvals import ADS, DEPLOY, FOUNDER, HOOK


def test_a_job_canceled_in_the_queue_leaves_nothing_running(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    queue.cancel(stage.db, stage.job(approval).id, "Not today.")
    assert stage.status(approval) == "failed"
    (failed,) = company.events("execution.failed")
    assert failed["message"] == "Not today."
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"


def test_a_job_canceled_while_nobody_knows_is_unknown(stage: Stage) -> None:
    _, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    assert stage.run(approval) == "queued"
    queue.cancel(stage.db, stage.job(approval).id)
    assert state(stage, approval) == ("canceled", "unknown", "unknown")


def test_a_job_that_is_lost_too_often_fails_its_approval(stage: Stage) -> None:
    _, approval = stage.approved(DEPLOY)
    for _ in range(20):
        if stage.job(approval).ended:
            break
        claim = stage.claimed(approval)
        claim.write(stage.execution(claim).begin)
        assert stage.status(approval) == "running"
        stage.lose(claim.job_id)
        assert stage.status(approval) in ("queued", "failed")
    assert stage.job(approval).status == "failed"
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")


def test_a_job_that_another_client_completes_has_not_carried_it_out(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    claim.once_in_transaction("begin", stage.execution(claim).begin)
    claim.complete()
    assert (stage.status(approval), stage.executed(approval)["status"]) == ("failed", "failed")
    assert "without having carried it out" in stage.executed(approval)["detail"]


def test_a_job_that_is_deleted_takes_no_approval_along(stage: Stage) -> None:
    _, approval = stage.approved(HOOK)
    stage.db.execute("delete from public.agent_jobs where id = %s", [stage.job(approval).id])
    assert stage.status(approval) == "failed"


def test_a_deleted_project_takes_everything_along(stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    stage.run(approval)
    stage.db.execute("delete from public.projects where id = %s", [company.id])
    assert outbox.find(stage.db, project_id=company.id) == []


def test_a_pause_stops_an_execution_and_a_resume_carries_it_out(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    lifecycle.set_status(stage.db, company.id, "paused", FOUNDER)
    assert stage.status(approval) == "failed"
    lifecycle.set_status(stage.db, company.id, "active", FOUNDER)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1


def test_a_kill_while_nobody_knows_does_not_say_that_nothing_happened(stage: Stage) -> None:
    company, approval = stage.approved(ADS)
    stage.providers.fault("drop", done=True)
    stage.run(approval)
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    assert state(stage, approval) == ("canceled", "unknown", "unknown")
