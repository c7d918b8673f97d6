"""Reports: asking for research, and what was found. A report goes by the id of its job."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self
from uuid import UUID

from fastapi import Query, Request
from pydantic import Field

from studio import builders
from studio.builders import ReportFormat
from studio.queue import JobStatus
from studio.views import builders_reports as views
from studio.views.builders_reports import Listed
from web.api.jobs import AskedAnswer
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Body
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("reports")

PAGE = 50
PAGE_LIMIT = 200
# The seed's.
LINK_LIFETIME = timedelta(hours=24)


class ReportBody(Body):
    """What is to be researched, and the report that is to come of it."""

    topic: Annotated[str, Field(min_length=builders.TOPIC_MINIMUM, max_length=builders.TOPIC_LIMIT)]
    format: ReportFormat = "pdf"
    max_slides: Annotated[int, Field(ge=builders.SLIDES_MINIMUM, le=builders.SLIDES_LIMIT)] = builders.SLIDES


class ReportAnswer(Answer):
    """A wish for a report and what came of it. What the report says of itself is null until there is one.

    Of the statements that research brought, `claimsSupported` are carried by their quotes, `claimsMarked` are in the
    report and called unsupported, `claimsRemoved` are not in it. `costMicros` is in millionths of a dollar.
    """

    job_id: UUID
    status: JobStatus
    topic: str
    format: str
    error: str | None
    created_at: datetime
    completed_at: datetime | None
    cost_micros: int
    title: str | None = None
    summary: str | None = None
    pages: int | None = None
    asset_id: UUID | None = None
    nothing_found: bool | None = None
    claims_supported: int | None = None
    claims_marked: int | None = None
    claims_removed: int | None = None
    contradictions: int | None = None
    sources: int | None = None

    @classmethod
    def of(cls, listed: Listed) -> Self:
        """Return a report as it stands."""
        job, made = listed.job, listed.report
        answer = cls(
            job_id=job.id,
            status=job.status,
            topic=listed.topic,
            format=listed.format,
            error=job.last_error,
            created_at=job.created_at,
            completed_at=job.completed_at,
            cost_micros=listed.cost_micros,
        )
        if made is not None:
            answer.title = made.title
            answer.summary = made.summary
            answer.pages = made.pages
            answer.asset_id = None if made.file is None else made.file.id
            answer.nothing_found = made.nothing_found
            answer.claims_supported = made.claims_supported
            answer.claims_marked = made.claims_marked
            answer.claims_removed = made.claims_removed
            answer.contradictions = made.contradictions
            answer.sources = made.sources
        return answer


class ReportsAnswer(Answer):
    """The newest first."""

    reports: list[ReportAnswer]


class ReportSourceAnswer(Answer):
    """A page as it was retrieved: the hash is that of the text that was stored, of `textChars` characters."""

    number: int
    url: str
    title: str
    text_sha256: str
    text_chars: int
    retrieved_by: str
    retrieved_at: datetime


class ClaimAnswer(Answer):
    """A statement, the exact words that are said to carry it, and the number of the source that they are from.

    `outcome` is `supported`, `marked` or `removed`, with the checker's `reason`; `confidence` is 0 to 100.
    """

    number: int
    question: str
    statement: str
    quote: str | None
    source: int | None
    outcome: str
    reason: str | None
    confidence: int


class ContradictionAnswer(Answer):
    """Claims, by their numbers, that cannot all be true."""

    claims: list[int]
    difference: str


class ReportDetails(ReportAnswer):
    """A report with all it rests on. `link` is good for a day, and null without an address of public pages."""

    link: str | None = None
    claims: list[ClaimAnswer]
    source_list: list[ReportSourceAnswer]
    contradiction_list: list[ContradictionAnswer]


@router.post("/api/projects/{project_id}/reports", responses=CHANGING)
def ask_for_report(project: OwnProject, owner: SignedIn, request: Request, body: ReportBody) -> AskedAnswer:
    """Ask for research and a report; the same wish in the same minute is the same job."""
    made = committed(
        studio_site(request).db,
        lambda conn: builders.ask_report(conn, project.id, body.topic, format=body.format, max_slides=body.max_slides),
    )
    return AskedAnswer.model_validate(made)


@router.get("/api/projects/{project_id}/reports", responses=NAMED)
def list_reports(
    project: OwnProject, request: Request, limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
) -> ReportsAnswer:
    """Return the project's reports, and those that are being made."""
    found = views.reports(studio_site(request).db, project.id, limit)
    return ReportsAnswer(reports=[ReportAnswer.of(one) for one in found])


@router.get("/api/projects/{project_id}/reports/{report_id}", responses=NAMED)
def show_report(project: OwnProject, report_id: UUID, request: Request) -> ReportDetails:
    """Return one report with its claims and sources; where there is none yet, how its job stands."""
    here = studio_site(request)
    found = views.report(here.db, project.id, report_id)
    made = found.listed.report
    link = None
    if made is not None and made.file is not None:
        link = made.file.save(here.settings, here.storage, LINK_LIFETIME)
    return ReportDetails(
        **dict(ReportAnswer.of(found.listed)),
        link=link,
        claims=[
            ClaimAnswer(
                number=claim.number,
                question=claim.question,
                statement=claim.statement,
                quote=claim.quote,
                source=None if claim.source is None else claim.source.number,
                outcome=claim.outcome,
                reason=claim.reason,
                confidence=claim.confidence,
            )
            for claim in found.claims
        ],
        source_list=[ReportSourceAnswer.model_validate(source) for source in found.sources],
        contradiction_list=[ContradictionAnswer.model_validate(entry) for entry in found.contradictions],
    )
