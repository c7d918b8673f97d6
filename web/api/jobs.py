"""Jobs: what is worked on and was worked on, and how a person stops it or has it done again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request

from studio import queue
from studio.job_types import Lane
from studio.model import spend
from studio.queue import Job, JobStatus, Outcome
from web.api.routing import owner_router
from web.api.wire import Answer, Done, Object
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnJob, OwnProject, SignedIn
from web.limits import owner_limits
from web.studio_site import StudioSite, studio_site

router = owner_router("jobs")

PAGE = 50
PAGE_LIMIT = 200
STOPPED_HERE = "Canceled in the studio."


class JobAnswer(Answer):
    """A job. `runUrl` leads to its run in the Dagster UI, where that is known."""

    id: UUID
    project_id: UUID
    job_type: str
    agent_key: str
    status: JobStatus
    lane: Lane
    priority: int
    payload: Object
    attempts: int
    max_attempts: int
    interruptions: int
    run_after: datetime
    cancel_requested_at: datetime | None
    last_error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    dagster_run_id: str | None
    run_url: str | None = None


class JobsAnswer(Answer):
    """The newest jobs first."""

    jobs: list[JobAnswer]


class StepAnswer(Answer):
    """A step that the job has finished, in which attempt and how fast."""

    step: str
    attempt: int
    duration_ms: int
    created_at: datetime


class CallAnswer(Answer):
    """A call of the model. `costMicros` is in millionths of a dollar, and null until it is known."""

    step: str
    agent: str
    model: str
    status: str
    input_tokens: int | None
    output_tokens: int | None
    searches: int | None
    cost_micros: int | None
    reserved_micros: int
    duration_ms: int | None
    error: str | None
    created_at: datetime


class SpentAnswer(Answer):
    """What a job has cost so far."""

    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int
    searches: int


class JobDetails(JobAnswer):
    """A job with what it has done and what that cost."""

    steps: list[StepAnswer]
    model_calls: list[CallAnswer]
    spent: SpentAnswer


class CancelAnswer(Done):
    """`canceled`, `cancel_requested` (its run is being stopped), or how the job had ended before."""

    job_id: UUID
    status: Literal["canceled", "cancel_requested", "completed", "failed"]


class RetryAnswer(Done):
    """The job is in the queue again."""

    job_id: UUID
    outcome: Outcome
    status: JobStatus


class AskedAnswer(Done):
    """The job of a wish: `created`, `existing` where the same was asked just before, or `revived`."""

    job_id: UUID
    outcome: Outcome
    status: JobStatus


@router.get("/api/projects/{project_id}/jobs", responses=NAMED)
def list_jobs(
    project: OwnProject,
    request: Request,
    status: JobStatus | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
) -> JobsAnswer:
    """Return the project's newest jobs."""
    here = studio_site(request)
    found = queue.find(here.db, project_id=project.id, status=status, limit=limit)
    return JobsAnswer(jobs=[_answer(here, job) for job in found])


@router.get("/api/jobs/{job_id}", responses=NAMED)
def show_job(job: OwnJob, request: Request) -> JobDetails:
    """Return a job with its finished steps, its model calls and their cost."""
    here = studio_site(request)
    return JobDetails(
        **dict(_answer(here, job)),
        steps=[StepAnswer.model_validate(vars(step)) for step in queue.finished_steps(here.db, job.id)],
        model_calls=[CallAnswer.model_validate(row) for row in spend.calls_of_job(here.db, job.id)],
        spent=SpentAnswer.model_validate(spend.spent_by_job(here.db, job.id)),
    )


@router.post("/api/jobs/{job_id}/cancel", responses=CHANGING)
def cancel_job(job: OwnJob, request: Request) -> CancelAnswer:
    """Cancel a job: a queued one at once, a running one as soon as its run has stopped."""
    status = queue.cancel(studio_site(request).db, job.id, STOPPED_HERE)
    return CancelAnswer.model_validate({"job_id": job.id, "status": status})


@router.post("/api/jobs/{job_id}/retry", responses=CHANGING)
def retry_job(job: OwnJob, owner: SignedIn, request: Request) -> RetryAnswer:
    """Put a failed or canceled job back into the queue; its finished steps are not done again."""
    if job.job_type == "chat.reply":
        # Asked again, it costs as much as a new message.
        owner_limits(request.app).take("chat", owner.clerk_id)
    made = queue.retry(studio_site(request).db, job.id)
    return RetryAnswer(job_id=made.job_id, outcome=made.outcome, status=made.status)


def _answer(here: StudioSite, job: Job) -> JobAnswer:
    answer = JobAnswer.model_validate(job)
    if job.dagster_run_id and here.settings.dagster_ui_url:
        answer.run_url = f"{here.settings.dagster_ui_url.rstrip('/')}/runs/{job.dagster_run_id}"
    return answer
