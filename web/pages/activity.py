"""What was done: `GET /projects/{project}/activity`, and one job with all there is to say of it, `GET /jobs/{job}`."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from studio import events, projects
from studio.operations import traces
from studio.queue import Job
from studio.views import activity
from studio.views.job import job_page
from web.identity.owner import OwnJob, OwnProject, SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

_LARGEST_SEQ = 2**63 - 1
_Position = Annotated[int | None, Query(ge=1, le=_LARGEST_SEQ)]


@router.get("/projects/{project_id}/activity")
def history(project: OwnProject, owner: SignedIn, request: Request, before: UUID | None = None) -> Response:
    """Show the project's jobs, the newest first."""
    db = studio_site(request).db
    seq = events.last_seq(db, project.id)
    listed = activity.history(db, project.id, before=before)
    return page(request, "activity.html", owner, project=project, listed=listed, before=before, seq=seq)


@router.get("/parts/projects/{project_id}/activity")
def history_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return the newest jobs as they are now."""
    listed = activity.history(studio_site(request).db, project.id)
    return page(request, "parts/activity.html", owner, project=project, listed=listed, before=None)


@router.get("/jobs/{job_id}")
def job(job: OwnJob, owner: SignedIn, request: Request, before: _Position = None) -> Response:
    """Show a job: its steps, its words, its calls and their cost, its log, and what went wrong."""
    here = studio_site(request)
    seq = events.last_seq(here.db, job.project_id)
    return page(request, "job.html", owner, seq=seq, **_job(here, job, before))


@router.get("/parts/jobs/{job_id}")
def job_part(job: OwnJob, owner: SignedIn, request: Request) -> Response:
    """Return a job as it is now."""
    return page(request, "parts/job.html", owner, **_job(studio_site(request), job, None))


def _job(here: StudioSite, job: Job, before: int | None) -> dict[str, Any]:
    return {
        "project": projects.get(here.db, job.project_id),
        "shown": job_page(here.db, job, before=before),
        "before": before,
        "attempts": traces.of_job(here.db, job.id),
    }
