"""What became of a decided approval: its execution, its effects and mails, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from studio import outbox, projects, queue
from studio.approvals import Approval
from studio.database.connection import Database
from studio.outbox import Listed
from studio.queue import Job

# More effects than any action has.
EFFECTS_SHOWN = 20


@dataclass(frozen=True)
class Outcome:
    """What a decision has led to.

    `detail` is the execution's own sentence, `error` why it has not been done, `mails` how many are in which status,
    and `steps` what a person can do next, each a sentence with its command.
    """

    execution_status: str
    detail: str | None
    error: str | None
    ended_at: datetime | None
    provider_response: dict[str, Any] | None
    job_id: UUID | None
    job_status: str | None
    effects: list[Listed]
    mails: dict[str, int]
    steps: list[str]


def status_of(approval: Approval) -> str:
    """Return the decision, and what became of it where something is carried out."""
    if approval.is_gate or approval.execution_status == "idle":
        return approval.status
    return f"{approval.status}, {approval.execution_status}"


def outcome_of(db: Database, approval: Approval) -> Outcome | None:
    """Return what became of an approved action; None of a gate, and of what has not been approved."""
    if approval.is_gate or approval.status != "approved":
        return None
    execution = (
        db.fetch_one(
            "select status, detail, provider_response, job_id, updated_at from public.action_executions"
            " where approval_id = %s",
            [approval.id],
        )
        or {}
    )
    job_id = execution.get("job_id") or approval.execution_job_id
    job = queue.get(db, job_id) if job_id else None
    effects = outbox.find(db, approval_id=approval.id, kind="effect", limit=EFFECTS_SHOWN)
    mails = db.fetch_all(
        "select status, count(*)::int as mails from public.email_jobs where approval_id = %s group by status"
        " order by status",
        [approval.id],
    )
    counted = {row["status"]: row["mails"] for row in mails}
    status = approval.execution_status
    error = None
    if status != "completed":
        # What the provider said says more than what was made of it since.
        said = [effect.error for effect in effects]
        error = next(filter(None, [*said, execution.get("detail"), job.last_error if job else None]), None)
    return Outcome(
        execution_status=status,
        detail=execution.get("detail") if status == "completed" else None,
        error=error,
        ended_at=execution.get("updated_at") if status in ("completed", "failed", "unknown") else None,
        provider_response=execution.get("provider_response"),
        job_id=job_id,
        job_status=job.status if job else None,
        effects=effects,
        mails=counted,
        steps=list(_steps(db, approval, job, effects, counted)),
    )


def outcome_rows(outcome: Outcome) -> list[tuple[str, Any]]:
    """Return the rows in which a table shows it."""
    rows: list[tuple[str, Any]] = []
    if outcome.job_id:
        rows.append(("job", f"{outcome.job_id}, {outcome.job_status}"))
    if outcome.detail:
        rows.append(("done", outcome.detail))
    if outcome.error:
        rows.append(("error", outcome.error))
    if outcome.ended_at:
        rows.append(("ended", outcome.ended_at))
    for effect in outcome.effects:
        known = f", the provider's id is {effect.provider_id}" if effect.provider_id else ""
        rows.append(("effect", f"{effect.subject} at {effect.recipient}: {effect.status}{known}"))
        # In a row of its own, so that it can be copied from a narrow terminal.
        rows.append(("its id", effect.id))
    if outcome.mails:
        rows.append(("mails", ", ".join(f"{count} {status}" for status, count in outcome.mails.items())))
    return rows


def _steps(
    db: Database, approval: Approval, job: Job | None, effects: list[Listed], mails: dict[str, int]
) -> Iterator[str]:
    for effect in effects:
        if effect.status == "unknown":
            yield (
                f"Nobody knows whether {effect.subject} was done. Look at {effect.recipient}, then say so:"
                f" greenlight outbox resolve {effect.id} --done, or --retry"
            )
    if mails.get("unknown"):
        yield (
            "Some mails may have left or not. See them with: greenlight outbox list"
            f" --project {approval.project_id} --status unknown"
        )
    if mails.get("failed"):
        yield f"See why mails failed: greenlight outbox list --project {approval.project_id} --status failed"
    if job is not None and not job.ended:
        yield f"Follow it with: greenlight jobs tail {job.id}"
    elif approval.execution_status == "failed":
        yield from _after_a_failure(db, approval, job)
    elif approval.execution_status == "completed" and approval.action_type == "deploy_landing_page":
        yield f"See what is published: greenlight pages list {approval.project_id}"


def _after_a_failure(db: Database, approval: Approval, job: Job | None) -> Iterator[str]:
    life = projects.get(db, approval.project_id).status
    if life == "killed":
        yield "The project is killed, so nothing more is done in it."
        return
    row = db.fetch_one("select public.superseding_approval(%s) as id", [approval.id])
    if row is not None and row["id"] is not None:
        yield f"The same was approved later; see what became of that: greenlight approvals show {row['id']}"
        return
    if life == "paused":
        yield f"The project is paused. Resume it first: greenlight projects resume {approval.project_id}"
    if job is not None and job.status in ("failed", "canceled"):
        yield f"Set right what the error says, then try it again: greenlight jobs retry {job.id}"
    else:
        yield "Its job is gone. It may be proposed and approved anew."
