"""Page checks: asking for a look at a page, and what was found. A check goes by the id of its job."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field

from studio import builders
from studio.job_types import CHECKS, CheckName
from studio.queue import JobStatus
from studio.views import builders_checks as views
from studio.views.builders import Stored
from studio.views.builders_checks import Found, PageCheck
from web.api.jobs import AskedAnswer
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Body, Object
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import StudioSite, studio_site

router = owner_router("checks")

PAGE = 50
PAGE_LIMIT = 200
LINK_LIFETIME = timedelta(hours=24)


class CheckBody(Body):
    """Which page is to be looked at, by default the published one, and for what, by default for everything."""

    url: Annotated[str, Field(max_length=builders.URL_LIMIT)] | None = None
    checks: Annotated[list[CheckName], Field(min_length=1, max_length=len(CHECKS))] | None = None


class CheckAnswer(Answer):
    """A wish for a look at a page and what came of it. What was found is null until the browser has ended.

    A page has `passed` where a check applies to it, each that does was measured, and none failed. `failed` and
    `not_measured` name the checks that keep it from that; both are empty as well where none applies.
    """

    job_id: UUID
    status: JobStatus
    url: str
    error: str | None
    created_at: datetime
    completed_at: datetime | None
    passed: bool | None = None
    failed: list[str] | None = None
    not_measured: list[str] | None = None
    final_url: str | None = None
    publication_no: int | None = None
    checked_at: datetime | None = None
    rollback_approval_id: UUID | None = None

    @classmethod
    def of(cls, check: PageCheck) -> Self:
        """Return a page check as it stands."""
        job, look = check.job, check.look
        answer = cls(
            job_id=job.id,
            status=job.status,
            url=check.url,
            error=job.last_error,
            created_at=job.created_at,
            completed_at=job.completed_at,
            rollback_approval_id=None if check.rollback is None else check.rollback.approval_id,
        )
        if look is not None:
            answer.passed = look.passed
            answer.failed = [found.check for found in look.failed]
            answer.not_measured = [found.check for found in look.not_measured]
            answer.final_url = look.final_url
            answer.publication_no = look.publication_no
            answer.checked_at = look.checked_at
        return answer


class ChecksAnswer(Answer):
    """The newest first."""

    checks: list[CheckAnswer]


class PictureAnswer(Answer):
    """A picture. `link` shows it and is good for a day; it is null where it is away."""

    name: str
    asset_id: UUID
    filename: str
    link: str | None

    @classmethod
    def of(cls, here: StudioSite, name: str, stored: Stored) -> Self:
        """Return a picture with a new link."""
        link = stored.look(here.settings, LINK_LIFETIME)
        return cls(name=name, asset_id=stored.id, filename=stored.asset.filename, link=link)


class FoundAnswer(Answer):
    """What one check found: `passed`, `failed`, `not applicable` or `not measured`, and on what."""

    check: str
    outcome: str
    summary: str
    evidence: Object
    pictures: list[PictureAnswer]

    @classmethod
    def of(cls, here: StudioSite, found: Found) -> Self:
        """Return a finding with links to its pictures."""
        return cls(
            check=found.check,
            outcome=found.outcome,
            summary=found.summary,
            evidence=found.evidence,
            pictures=[PictureAnswer.of(here, picture.name, picture.file) for picture in found.pictures],
        )


class CheckDetails(CheckAnswer):
    """A page check with its findings and pictures."""

    results: list[FoundAnswer] = Field(default_factory=list)
    desktop: PictureAnswer | None = None
    mobile: PictureAnswer | None = None


@router.post("/api/projects/{project_id}/checks", responses=CHANGING)
def ask_for_check(project: OwnProject, owner: SignedIn, request: Request, body: CheckBody) -> AskedAnswer:
    """Ask for a look at a page with a browser; the same wish in the same minute is the same job."""
    made = committed(
        studio_site(request).db,
        lambda conn: builders.ask_check(
            conn, project.id, body.url, checks=body.checks, settings=studio_site(request).settings
        ),
    )
    return AskedAnswer.model_validate(made)


@router.get("/api/projects/{project_id}/checks", responses=NAMED)
def list_checks(
    project: OwnProject, request: Request, limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
) -> ChecksAnswer:
    """Return the looks at the project's pages, and those that are under way."""
    found = views.page_checks(studio_site(request).db, project.id, limit)
    return ChecksAnswer(checks=[CheckAnswer.of(one) for one in found])


@router.get("/api/projects/{project_id}/checks/{check_id}", responses=NAMED)
def show_check(project: OwnProject, check_id: UUID, request: Request) -> CheckDetails:
    """Return one page check with evidence and pictures; where it has not ended yet, how its job stands."""
    here = studio_site(request)
    found = views.page_check(here.db, project.id, check_id)
    answer = CheckDetails.of(found)
    if (look := found.look) is not None:
        answer.results = [FoundAnswer.of(here, one) for one in look.results]
        answer.desktop = None if look.desktop is None else PictureAnswer.of(here, "desktop", look.desktop)
        answer.mobile = None if look.mobile is None else PictureAnswer.of(here, "mobile", look.mobile)
    return answer
