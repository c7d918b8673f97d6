"""An action is permitted at the moment of the act, or does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from studio import lifecycle, permissions, queue
from studio.errors import StudioError
from tests.integration.actions.refusals import refused
from tests.support.actions import LIFECYCLE, PHASES, Stage
from tests.support.approvals import ADS, DEPLOY, EMAIL, FOUNDER, HOOK, REPOSITORY


@pytest.mark.parametrize(
    ("action", "switch"),
    [
        (EMAIL, "email_send"),
        (LIFECYCLE, "email_send"),
        (ADS, "ads_enabled"),
        (REPOSITORY, "repo_write"),
        (HOOK, "deploy"),
    ],
)
def test_a_permission_that_was_withdrawn_after_the_approval_counts(stage: Stage, action: str, switch: str) -> None:
    why = refused(
        stage,
        action,
        lambda company: permissions.change_limits(stage.db, company.id, FOUNDER, permissions={switch: False}),
    )
    assert switch in why


def test_a_cap_of_nothing_stops_the_campaign(stage: Stage) -> None:
    def no_money(company: Any) -> None:
        permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"ads_budget_cap": 0})

    assert "cap for ads is 0" in refused(stage, ADS, no_money)


def test_an_attached_runtime_publishes_nothing_here(stage: Stage) -> None:
    why = refused(
        stage,
        DEPLOY,
        lambda c: stage.db.execute("update public.projects set runtime_mode = 'attached' where id = %s", [c.id]),
    )
    assert "runtime mode" in why


@pytest.mark.parametrize("action", PHASES)
def test_a_project_that_is_killed_while_its_run_has_begun_does_nothing(stage: Stage, action: str) -> None:
    company, approval = stage.approved(action)
    claim = stage.claimed(approval)
    work = stage.execution(claim)
    begun = claim.once_in_transaction("begin", work.begin)
    lifecycle.set_status(stage.db, company.id, "killed", FOUNDER)
    with pytest.raises(StudioError, match="killed"):
        work.perform(begun)
    claim.cancel()
    assert stage.happened(approval) == 0
    assert stage.status(approval) == "failed"
    assert stage.executed(approval)["status"] == "failed"


def test_a_permission_that_is_given_again_lets_the_same_execution_go_on(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)
    permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"deploy": False})
    assert stage.run(approval) == "failed"
    (failed,) = company.events("execution.failed")
    assert "deploy" in failed["message"]
    assert "approval_execution_failed" in {task["description"] for task in company.rows("tasks")}
    permissions.change_limits(stage.db, company.id, FOUNDER, permissions={"deploy": True})
    queue.retry(stage.db, stage.job(approval).id)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1
    assert "approval_execution_failed" not in {task["description"] for task in company.rows("tasks")}
