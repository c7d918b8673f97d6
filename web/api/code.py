"""Code: asking an agent to write some, and what was written. A generation goes by the id of its job."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field

from studio import builders
from studio.queue import JobStatus
from studio.views import builders_code as views
from studio.views.builders_code import Generation
from web.api.jobs import AskedAnswer
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Body
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import StudioSite, studio_site

router = owner_router("code")

PAGE = 50
PAGE_LIMIT = 200
ADDRESS_LIMIT = 500


class CodeBody(Body):
    """What is to be written. Without `repoUrl` it goes to the project's repository; `branch` is a new one."""

    description: Annotated[str, Field(min_length=1, max_length=builders.DESCRIPTION_LIMIT)]
    repo_url: Annotated[str, Field(max_length=ADDRESS_LIMIT)] | None = None
    branch: Annotated[str, Field(max_length=builders.BRANCH_LIMIT)] | None = None


class GenerationAnswer(Answer):
    """A wish for code and what came of it. What was pushed is null until there is something; so is `finished`.

    `repository` is its address; null, too, where it is the studio's own. `finished` is false where the agent was
    stopped before it was done, for `unfinishedReason`. `costMicros` is in millionths of a dollar.
    """

    job_id: UUID
    status: JobStatus
    description: str
    error: str | None
    created_at: datetime
    completed_at: datetime | None
    cost_micros: int
    repository: str | None = None
    branch: str | None = None
    commit_sha: str | None = None
    pull_request_url: str | None = None
    finished: bool | None = None
    unfinished_reason: str | None = None
    files_changed: int | None = None
    checks_failed: int | None = None

    @classmethod
    def of(cls, here: StudioSite, made: Generation) -> Self:
        """Return a generation as it stands."""
        job, code = made.job, made.code
        answer = cls(
            job_id=job.id,
            status=job.status,
            description=made.description,
            error=job.last_error,
            created_at=job.created_at,
            completed_at=job.completed_at,
            cost_micros=made.cost_micros,
        )
        if code is not None:
            where = views.where(here.settings, made)
            answer.repository = None if where is None else where.web
            answer.branch = code.branch
            answer.commit_sha = code.commit_sha
            answer.pull_request_url = code.pull_request_url
            answer.finished = code.finished
            answer.unfinished_reason = code.unfinished_reason
            answer.files_changed = len(code.files)
            answer.checks_failed = code.failed_checks
        return answer


class GenerationsAnswer(Answer):
    """The newest first."""

    generations: list[GenerationAnswer]


class ChangedFileAnswer(Answer):
    """A file that the commit changes: `added`, `modified` or `deleted`; `size` in bytes."""

    path: str
    status: str
    size: int | None
    sha256: str | None
    executable: bool


class LeftOutAnswer(Answer):
    """What was written and not pushed, and why."""

    path: str
    reason: str


class DeclaredCheckAnswer(Answer):
    """A build or test run that the project declares: `passed`, `failed` or `could not run`."""

    name: str
    command: str
    outcome: str
    exit_code: int | None
    seconds: float | None
    output: str


class GenerationDetails(GenerationAnswer):
    """A generation with all that was pushed, what its own checks say, and what was left out."""

    base_branch: str | None = None
    base_commit: str | None = None
    summary: str | None = None
    sandbox: str | None = None
    turns: int | None = None
    files: list[ChangedFileAnswer] = Field(default_factory=list)
    left_out: list[LeftOutAnswer] = Field(default_factory=list)
    checks: list[DeclaredCheckAnswer] = Field(default_factory=list)


@router.post("/api/projects/{project_id}/code", responses=CHANGING)
def ask_for_code(project: OwnProject, owner: SignedIn, request: Request, body: CodeBody) -> AskedAnswer:
    """Ask an agent to write code on a new branch; the same wish in the same minute is the same job."""
    here = studio_site(request)
    made = committed(
        here.db,
        lambda conn: builders.ask_code(
            conn, project.id, body.description, repo_url=body.repo_url, branch=body.branch, settings=here.settings
        ),
    )
    return AskedAnswer.model_validate(made)


@router.get("/api/projects/{project_id}/code", responses=NAMED)
def list_code(
    project: OwnProject, request: Request, limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
) -> GenerationsAnswer:
    """Return what agents have written for the project, and what they are about to write."""
    here = studio_site(request)
    found = views.generations(here.db, project.id, limit)
    return GenerationsAnswer(generations=[GenerationAnswer.of(here, one) for one in found])


@router.get("/api/projects/{project_id}/code/{generation_id}", responses=NAMED)
def show_code(project: OwnProject, generation_id: UUID, request: Request) -> GenerationDetails:
    """Return one generation with its files and checks; where it has not pushed anything yet, how its job stands."""
    here = studio_site(request)
    found = views.generation(here.db, project.id, generation_id)
    answer = GenerationDetails.of(here, found)
    if (code := found.code) is not None:
        answer.base_branch = code.base_branch
        answer.base_commit = code.base_commit
        answer.summary = code.summary
        answer.sandbox = code.sandbox
        answer.turns = code.turns
        answer.files = [ChangedFileAnswer.model_validate(file) for file in code.files]
        answer.left_out = [LeftOutAnswer.model_validate(entry) for entry in code.left_out]
        answer.checks = [DeclaredCheckAnswer.model_validate(check) for check in code.checks]
    return answer
