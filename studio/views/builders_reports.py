"""Reports that were researched for a project: what they state, on which quotes, and what the checker took out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

from studio.builders import REPORT, SLIDES, SLIDES_LIMIT, SLIDES_MINIMUM
from studio.database.connection import Database
from studio.operations.wording import several
from studio.queue import Job
from studio.views import builders
from studio.views.builders import Stored, objects, said, text, whole

_SNAPSHOTS = (
    "select s.* from public.page_snapshots s where s.project_id = %(project)s and (s.job_id = %(job)s or s.id in"
    # The same text of the same page is kept once, under the report that has read it first.
    " (select c.snapshot_id from public.report_claims c where c.job_id = %(job)s)) order by s.retrieved_at, s.url, s.id"
)


@dataclass(frozen=True)
class Source:
    """A page as it was retrieved. `number` is how this list names it, `snapshot` its text as it was stored."""

    number: int
    id: UUID
    url: str
    title: str
    text_sha256: str
    text_chars: int
    retrieved_by: str
    retrieved_at: datetime
    snapshot: Stored | None


@dataclass(frozen=True)
class ReportClaim:
    """A statement, the quote that is said to carry it, and what the checker made of that; `confidence` is 0 to 100."""

    number: int
    question: str
    statement: str
    quote: str | None
    outcome: str
    reason: str | None
    confidence: int
    source: Source | None


@dataclass(frozen=True)
class Contradicting:
    """Claims, by their numbers, that cannot all be true, and in what they differ."""

    claims: list[int]
    difference: str


@dataclass(frozen=True)
class ReportFile:
    """A report as it was rendered, with what became of the claims it was made from."""

    title: str
    format: str
    summary: str
    pages: int
    file: Stored | None
    nothing_found: bool
    questions: int
    claims_supported: int
    claims_marked: int
    claims_removed: int
    contradictions: int
    sources: int
    created_at: datetime


@dataclass(frozen=True)
class Listed:
    """A wish for a report with what came of it; `report` is None until it has been rendered.

    `cost_micros` is in millionths of a dollar, and grows while it works.
    """

    job: Job
    topic: str
    format: str
    max_slides: int
    report: ReportFile | None
    cost_micros: int

    @property
    def title(self) -> str:
        """The report's title, before there is one its topic, in one line."""
        return builders.title(self.report.title if self.report is not None else self.topic, "Report")

    @property
    def length(self) -> str | None:
        """How many pages it has, and how many were asked for where nothing was found to fill them; None before."""
        made = self.report
        if made is None:
            return None
        if made.nothing_found and made.pages < self.max_slides:
            return f"{made.pages} of the {self.max_slides} pages asked for, as nothing was found"
        return several(made.pages, "page")


@dataclass(frozen=True)
class Details:
    """A report with all it rests on; claims and sources are there as soon as they are stored."""

    listed: Listed
    claims: list[ReportClaim]
    sources: list[Source]
    contradictions: list[Contradicting]

    def by_question(self, *outcomes: str) -> list[tuple[str, list[ReportClaim]]]:
        """Return the claims with one of the outcomes, by the question that they answer."""
        wanted = [claim for claim in self.claims if claim.outcome in outcomes]
        return [(question, list(claims)) for question, claims in groupby(wanted, key=lambda claim: claim.question)]


def reports(db: Database, project_id: UUID, limit: int = builders.LISTED) -> list[Listed]:
    """Return a project's reports, the newest first."""
    return _read(db, builders.jobs_of(db, project_id, REPORT, limit))


def report(db: Database, project_id: UUID | None, job_id: UUID) -> Details:
    """Return one report by its job's id; raise `NotFound`, also for another project's where one is given."""
    job = builders.job_of(db, project_id, REPORT, job_id, "report")
    listed = _read(db, [job])[0]
    asked = {"project": job.project_id, "job": job_id}
    sources = _sources(db, asked)
    claims = db.fetch_all("select * from public.report_claims where job_id = %(job)s order by claim_no", asked)
    by_id = {source.id: source for source in sources}
    return Details(
        listed,
        # As the questions come, each with all of its claims.
        sorted((_claim(row, by_id) for row in claims), key=_by_first_of(claims)),
        sources,
        _contradictions(listed.report),
    )


def _by_first_of(rows: list[dict[str, Any]]) -> Any:
    first: dict[str, int] = {}
    for row in rows:
        first.setdefault(row["question"], row["claim_no"])
    return lambda claim: (first[claim.question], claim.number)


def _read(db: Database, jobs: list[Job]) -> list[Listed]:
    if not jobs:
        return []
    rows = db.fetch_all("select * from public.research_reports where job_id = any(%s)", [[job.id for job in jobs]])
    stored = builders.files(db, jobs[0].project_id, [row["asset_id"] for row in rows])
    found = {row["job_id"]: row for row in rows}
    costs = builders.costs(db, jobs)
    return [_listed(job, found.get(job.id), stored, costs.get(job.id, 0)) for job in jobs]


def _listed(job: Job, row: dict[str, Any] | None, stored: dict[UUID, Stored], spent: int) -> Listed:
    asked = whole(job.payload.get("maxSlides")) if isinstance(job.payload, dict) else None
    slides = SLIDES if asked is None else min(max(asked, SLIDES_MINIMUM), SLIDES_LIMIT)
    if row is None:
        return Listed(job, said(job, "topic"), said(job, "format") or "pdf", slides, None, spent)
    values = {name: row[name] for name in ReportFile.__dataclass_fields__ if name != "file"}
    made = ReportFile(**values, file=stored.get(row["asset_id"]))
    return Listed(job, row["topic"], row["format"], slides, made, max(spent, row["cost_micros"]))


def _sources(db: Database, asked: dict[str, Any]) -> list[Source]:
    rows = db.fetch_all(_SNAPSHOTS, asked)
    stored = builders.files(db, asked["project"], [row["asset_id"] for row in rows])
    names = [name for name in Source.__dataclass_fields__ if name not in ("number", "snapshot")]
    return [
        Source(number=number, snapshot=stored.get(row["asset_id"]), **{name: row[name] for name in names})
        for number, row in enumerate(rows, start=1)
    ]


def _claim(row: dict[str, Any], sources: dict[UUID, Source]) -> ReportClaim:
    names = [name for name in ReportClaim.__dataclass_fields__ if name not in ("number", "source")]
    values = {name: row[name] for name in names}
    return ReportClaim(number=row["claim_no"], source=sources.get(row["snapshot_id"]), **values)


def _contradictions(made: ReportFile | None) -> list[Contradicting]:
    """Return what the report's file says of them; its row only counts them."""
    if made is None or made.file is None:
        return []
    told = objects(made.file.asset.metadata.get("contradictions"))
    return [Contradicting(_numbers(entry.get("claims")), text(entry.get("difference"))) for entry in told]


def _numbers(value: Any) -> list[int]:
    return [number for number in map(whole, value) if number is not None] if isinstance(value, list) else []
