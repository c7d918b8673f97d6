"""Phase 0 begins: `POST /api/projects/{project_id}/launch` (seed plan §5.1)."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import Field

from studio import launch
from studio.job_types import GUIDANCE_LIMIT
from studio.queue import JobStatus, Outcome
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Done, SeedBody, Text, worded
from web.errors import CHANGING
from web.identity.owner import OwnProject
from web.studio_site import studio_site

router = owner_router("projects")


class LaunchBody(SeedBody):
    """How Phase 0 is to be done, where it is not the first time."""

    revision_guidance: Annotated[Text, Field(max_length=GUIDANCE_LIMIT)] | None = None
    force_new_approval: bool = False


class LaunchAnswer(Done):
    """The job of the launch. `started` says whether this very request has put it into the queue."""

    started: bool
    job_id: UUID
    outcome: Outcome
    status: JobStatus
    already_running: bool
    already_completed: bool


@router.post("/api/projects/{project_id}/launch", responses=CHANGING)
def launch_project(project: OwnProject, request: Request, body: LaunchBody | None = None) -> LaunchAnswer:
    """Put the project's Phase 0 into the queue; the same launch again is the same job."""
    wish = body or LaunchBody()
    guidance = worded(wish.revision_guidance)
    made = committed(
        studio_site(request).db,
        lambda conn: launch.launch(conn, project.id, guidance=guidance, force_new_approval=wish.force_new_approval),
    )
    return LaunchAnswer(
        started=made.started,
        job_id=made.job_id,
        outcome=made.outcome,
        status=made.status,
        already_running=not made.started and made.status in ("queued", "running"),
        already_completed=not made.started and made.status == "completed",
    )
