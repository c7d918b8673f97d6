"""The database lets an effect be sent, recorded and completed only from the right state, whoever speaks to it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from studio import outbox
from studio.actions.context import ActionContext
from studio.claims import Claim
from studio.database.connection import Connection
from studio.errors import LeaseLost
from studio.project_events import record as record_event
from tests.integration.actions.outbox.effects import enlisted, other_job, record, send
from tests.support.actions import Stage
from tests.support.approvals import HOOK


def test_only_what_was_certainly_not_done_can_be_sent(stage: Stage) -> None:
    _, claim, entry_id = enlisted(stage)
    with pytest.raises(LeaseLost):
        send(claim, entry_id, 1)
    send(claim, entry_id, 0)
    # The same statement again, whose answer was lost, changes nothing; the next one is another sending.
    send(claim, entry_id, 0)
    assert outbox.get(stage.db, entry_id).attempts == 1
    for status in ("sending", "unknown", "done"):
        if status != "sending":
            assert record(claim, entry_id, status)
            stage.db.execute("update public.outbox set status = 'sending' where id = %s", [entry_id])
            assert record(claim, entry_id, status)
        with pytest.raises(LeaseLost):
            send(claim, entry_id, 1)
        assert outbox.get(stage.db, entry_id).status == status
        stage.db.execute("update public.outbox set status = 'sending' where id = %s", [entry_id])


@pytest.mark.parametrize("certain", ["pending", "failed"])
def test_what_was_certainly_not_done_can_be_sent_again(stage: Stage, certain: str) -> None:
    _, claim, entry_id = enlisted(stage)
    send(claim, entry_id, 0)
    assert record(claim, entry_id, certain)
    send(claim, entry_id, 1)
    assert outbox.get(stage.db, entry_id).attempts == 2


def test_who_has_been_taken_over_has_no_more_say(stage: Stage) -> None:
    approval, old, entry_id = enlisted(stage)
    send(old, entry_id, 0)
    stage.lose(old.job_id)
    new = stage.claimed(approval)
    new.write(stage.execution(new).begin)
    # Nobody has looked yet: who sent it may say so, though his claim is lost.
    new.write(
        lambda conn: conn.execute(
            "select public.settle_outbox_effect(%s, %s, %s, 'pending')", [new.job_id, new.claim_no, entry_id]
        )
    )
    send(new, entry_id, 1)
    assert not record(old, entry_id, "failed")
    with pytest.raises(LeaseLost):
        send(old, entry_id, 2)
    assert record(new, entry_id, "done")
    assert outbox.get(stage.db, entry_id).status == "done"


def test_an_execution_with_an_effect_that_is_not_done_is_not_complete(stage: Stage) -> None:
    approval, claim, _ = enlisted(stage)
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="not done"):
        claim.write(
            lambda conn: conn.execute(
                "select public.finish_action_execution(%s, %s, %s, 'Done')",
                [claim.job_id, claim.claim_no, stage.executed(approval)["id"]],
            )
        )
    assert stage.status(approval) == "running"


def test_a_part_is_done_once_whatever_job_comes_next(stage: Stage) -> None:
    company, approval = stage.approved(HOOK)

    def act(claim: Claim) -> Any:
        work = stage.execution(claim)
        taken, approved, _ = claim.write(work._take_up)
        context = ActionContext(
            claim, taken.execution_id, approved, stage.settings, stage.told, work.outbound, work.storage
        )

        def part(conn: Connection) -> Any:
            record_event(conn, company.id, "test.part", "It is done.")
            return {"by": claim.claim_no, "job": str(claim.job_id)}

        return context.once("part", part)

    first = stage.claimed(approval)
    outcome = act(first)
    assert act(first) == outcome
    stage.lose(first.job_id)
    assert act(stage.claimed(approval)) == outcome
    stage.lose(first.job_id)
    assert act(other_job(stage, company.id, approval)) == outcome
    assert len(company.events("test.part")) == 1
    with pytest.raises(LeaseLost):
        act(first)
