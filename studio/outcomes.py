"""What became of a decided approval: its execution, its effects and mails, and what a person can do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from studio import outbox, projects, queue
from studio.approvals import Approval
from studio.database.connection import Database
from studio.outbox import Listed
from studio.queue import Job

# More effects than any action has.
EFFECTS_SHOWN = 20

StepKind = Literal[
    "resolve_effect",
    "held_mails",
    "failed_mails",
    "follow_job",
    "see_pages",
    "project_killed",
    "superseded",
    "resume_project",
    "retry_job",
    "propose_anew",
]


@dataclass(frozen=True)
class Step:
    """What a person can do next, or why there is nothing.

    `of` is the effect, the job, the approval or the project that it is done to; `what` and `where` name an effect.
    """

    kind: StepKind
    of: UUID
    what: str | None = None
    where: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a decision has led to.

    `detail` is the execution's own sentence, `error` why it has not been done, `mails` how many are in which status,
    and `steps` what a person can do next.
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
    steps: list[Step]


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


def _steps(
    db: Database, approval: Approval, job: Job | None, effects: list[Listed], mails: dict[str, int]
) -> Iterator[Step]:
    for effect in effects:
        if effect.status == "unknown":
            yield Step("resolve_effect", effect.id, effect.subject, effect.recipient)
    if mails.get("unknown"):
        yield Step("held_mails", approval.project_id)
    if mails.get("failed"):
        yield Step("failed_mails", approval.project_id)
    if job is not None and not job.ended:
        yield Step("follow_job", job.id)
    elif approval.execution_status == "failed":
        yield from _after_a_failure(db, approval, job)
    elif approval.execution_status == "completed" and approval.action_type == "deploy_landing_page":
        yield Step("see_pages", approval.project_id)


def _after_a_failure(db: Database, approval: Approval, job: Job | None) -> Iterator[Step]:
    life = projects.get(db, approval.project_id).status
    if life == "killed":
        yield Step("project_killed", approval.project_id)
        return
    row = db.fetch_one("select public.superseding_approval(%s) as id", [approval.id])
    if row is not None and row["id"] is not None:
        yield Step("superseded", row["id"])
        return
    if life == "paused":
        yield Step("resume_project", approval.project_id)
    if job is not None and job.status in ("failed", "canceled"):
        yield Step("retry_job", job.id)
    else:
        yield Step("propose_anew", approval.id)
