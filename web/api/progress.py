"""How a project fares: what is listed as done and open, and who works on what at this moment."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Request

from studio import approvals, live
from studio.approvals import ApprovalStatus, Risk
from web.api.routing import owner_router
from web.api.wire import Answer
from web.errors import NAMED
from web.identity.owner import OwnProject
from web.studio_site import studio_site

router = owner_router("projects")

# Domain specification §8.
APPROVALS = 20


class TaskAnswer(Answer):
    """An entry of the activity list."""

    id: UUID
    job_id: UUID | None
    agent: str
    description: str
    status: Literal["queued", "running", "completed", "failed"]
    detail: str | None
    error: str | None
    started_at: datetime | None
    completed_at: datetime | None
    created_at: datetime


class AskedAnswer(Answer):
    """An approval, in short."""

    id: UUID
    phase: int
    title: str
    risk: Risk
    type: Literal["phase_advance", "execution"]
    action_type: str
    status: ApprovalStatus
    version: int
    execution_status: str
    created_at: datetime


class ProgressAnswer(Answer):
    """The newest tasks and approvals first."""

    project_id: UUID
    phase: int
    status: str
    tasks: list[TaskAnswer]
    approvals: list[AskedAnswer]


class RunningAnswer(Answer):
    """A job that is worked on; `step` is the last one it has finished, `task` what it has open."""

    job_id: UUID
    job_type: str
    agent: str
    since: datetime
    attempt: int
    step: str | None
    task: str | None
    task_since: datetime | None
    cancel_requested_at: datetime | None


class CompletionAnswer(Answer):
    """A job that was completed."""

    job_id: UUID
    job_type: str
    agent: str
    started_at: datetime | None
    completed_at: datetime


class LiveAnswer(Answer):
    """What runs now, and what was completed in the last quarter of an hour. `at` is the moment of the look."""

    at: datetime
    running: list[RunningAnswer]
    completions: list[CompletionAnswer]


@router.get("/api/projects/{project_id}/progress", responses=NAMED)
def show_progress(project: OwnProject, request: Request) -> ProgressAnswer:
    """Return the project's last 50 tasks and 20 approvals."""
    db = studio_site(request).db
    return ProgressAnswer(
        project_id=project.id,
        phase=project.phase,
        status=project.status,
        tasks=[TaskAnswer.model_validate(row) for row in live.tasks(db, project.id)],
        approvals=[
            AskedAnswer.model_validate(asked) for asked in approvals.find(db, project_id=project.id, limit=APPROVALS)
        ],
    )


@router.get("/api/projects/{project_id}/agents/live", responses=NAMED)
def show_agents(project: OwnProject, request: Request) -> LiveAnswer:
    """Return which jobs of the project run now, and which were completed just now."""
    return LiveAnswer.model_validate(live.agents(studio_site(request).db, project.id))
