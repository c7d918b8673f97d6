"""Effects that are brought to a certain point: pending, sent, recorded, held, under a job that has ended."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

from studio import claims, queue
from studio.approvals import Approval
from studio.claims import Claim
from tests.support.actions import LEASE, Stage
from tests.support.approvals import HOOK


def state(stage: Stage, approval: Approval) -> tuple[str, str, str]:
    """Return the status of job, approval and effect."""
    return stage.job(approval).status, stage.status(approval), stage.effect(approval).status


def other_job(stage: Stage, project_id: UUID, approval: Approval) -> Claim:
    payload = {"approvalId": str(approval.id), "actionType": approval.action_type}
    with stage.db.transaction() as conn:
        new = queue.NewJob("approval.execute", project_id, payload, key=f"other-{uuid4()}")
        job_id = queue.enqueue(conn, new).job_id
        return claims.claim_by_id(conn, stage.db, job_id, "worker", f"run-{uuid4()}", LEASE)


def enlisted(stage: Stage) -> tuple[Approval, Claim, UUID]:
    """An effect that is pending under a claim that has begun."""
    _, approval = stage.approved(HOOK)
    claim = stage.claimed(approval)
    claim.write(stage.execution(claim).begin)
    row = claim.write(
        lambda conn: conn.execute(
            "select id from public.enlist_outbox_effect(%s, %s, %s, 'effect', 'nobody', %s)",
            [claim.job_id, claim.claim_no, stage.executed(approval)["id"], str(approval.id)],
        ).fetchone()
    )
    assert row is not None
    return approval, claim, row["id"]


def send(claim: Claim, entry_id: UUID, attempts: int) -> None:
    claim.write(
        lambda conn: conn.execute(
            "select public.send_outbox_effect(%s, %s, %s, %s, '{}', 'hash')",
            [claim.job_id, claim.claim_no, entry_id, attempts],
        )
    )


def record(claim: Claim, entry_id: UUID, status: str) -> bool:
    row = claim.db.fetch_one(
        "select public.record_outbox_effect(%s, %s, %s, %s) as said", [claim.job_id, claim.claim_no, entry_id, status]
    )
    assert row is not None
    return bool(row["said"])


def held(stage: Stage, action: str = HOOK, *, done: bool = True) -> tuple[Any, Approval]:
    company, approval = stage.approved(action)
    stage.providers.fault("drop", done=done)
    assert stage.run(approval) == "failed"
    assert stage.status(approval) == "unknown"
    return company, approval


def ended(stage: Stage, sender: Claim, *, by: str = "failed") -> None:
    """Let the job of a sender that lives end without it."""
    with stage.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute(
            "update public.agent_jobs set status = %s, last_error = 'It was lost.', locked_by = null,"
            " leased_until = null where id = %s",
            [by, sender.job_id],
        )
