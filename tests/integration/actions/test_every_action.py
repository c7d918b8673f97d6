"""Every action leaves its traces when it is carried out, and is not carried out again."""

from __future__ import annotations

import pytest

from studio import queue
from tests.support.actions import PHASES, Stage


@pytest.mark.parametrize("action", PHASES)
def test_what_was_done_stands_in_the_ledger_the_memory_and_the_list(stage: Stage, action: str) -> None:
    company = stage.company(action)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    company, approval = stage.approved(action, company)
    assert stage.status(approval) == "queued"
    assert stage.run(approval) == "completed", stage.job(approval).last_error
    assert stage.happened(approval) == 1
    executed = stage.executed(approval)
    assert (stage.status(approval), executed["status"]) == ("completed", "completed")
    (started,) = company.events("execution.started")
    (completed,) = company.events("execution.completed")
    assert completed["message"] == executed["detail"]
    assert started["data"]["approval_id"] == completed["data"]["approval_id"] == str(approval.id)
    (remembered,) = [row for row in company.rows("agent_memory") if row["category"] == "learning"]
    assert (remembered["key"], remembered["value"]) == (f"action_{action}", executed["detail"])
    (task,) = [row for row in company.rows("tasks") if row["description"] == f"execute_{action}"]
    assert (task["status"], task["detail"]) == ("completed", executed["detail"])


@pytest.mark.parametrize("action", PHASES)
def test_what_is_executed_already_is_not_executed_again(stage: Stage, action: str) -> None:
    company = stage.company(action)
    stage.sign_up(company, "anna@example.org", "ben@example.org")
    company, approval = stage.approved(action, company)
    stage.run(approval)
    # Re-executed from the start: its checkpoints are forgotten.
    claim = stage.claimed(approval)
    with claim.transaction() as conn:
        claim.forget_steps(conn, None)
    assert stage.run(approval, claim) == "completed"
    # And once more, by another job for the same approval.
    other = queue.NewJob(
        "approval.execute", company.id, {"approvalId": str(approval.id), "actionType": action}, key="again"
    )
    with stage.db.transaction() as conn:
        again = queue.enqueue(conn, other)
    stage.db.execute(
        "update public.approval_queue set execution_job_id = %s where id = %s", [again.job_id, approval.id]
    )
    assert stage.run(approval) == "completed"
    assert stage.happened(approval) == 1
    assert stage.status(approval) == "completed"
    assert len(company.events("execution.completed")) == 1
    assert "executed already" in stage.told.said
