"""Looks at a page: what a browser found, check by check, with its evidence and its pictures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from studio.builders import CHECK
from studio.database.connection import Database
from studio.queue import Job
from studio.rollbacks import ACTION
from studio.text import one_line
from studio.views import builders
from studio.views.builders import TITLE_CHARS, Stored, objects, said, text

# Under this key evidence names pictures: {"difference-mobile": {"asset_id": …}}.
_PICTURES = "pictures"


@dataclass(frozen=True)
class Picture:
    """A picture as evidence, by its name: `difference-mobile`."""

    name: str
    file: Stored


@dataclass(frozen=True)
class Found:
    """What one check found. `pictures` are those that its evidence names beside the two of the whole page."""

    check: str
    outcome: str
    summary: str
    evidence: dict[str, Any]
    pictures: list[Picture]


@dataclass(frozen=True)
class Rollback:
    """The approval in which going back to the page before was offered."""

    approval_id: UUID
    title: str
    status: str


@dataclass(frozen=True)
class Look:
    """What a browser saw. `final_url` is where the address led, `publication_no` which publication it was then.

    `passed` where a check applies to the page, each that does was measured, and none failed.
    """

    final_url: str | None
    publication_no: int | None
    passed: bool
    results: list[Found]
    desktop: Stored | None
    mobile: Stored | None
    checked_at: datetime

    @property
    def failed(self) -> list[Found]:
        """The checks that failed; one that was not measured is none of them."""
        return [found for found in self.results if found.outcome == "failed"]

    @property
    def not_measured(self) -> list[Found]:
        """The checks for which the browser had too little time."""
        return [found for found in self.results if found.outcome == "not measured"]

    @property
    def verdict(self) -> str:
        """How many checks passed or failed, or were not measured, in words."""
        passed = sum(found.outcome == "passed" for found in self.results)
        asked = passed + len(self.failed) + len(self.not_measured)
        if not asked:
            return "None of the checks applies to this page"
        open_ones = f"{len(self.not_measured)} not measured" if self.not_measured else ""
        if self.failed:
            return ", ".join(filter(None, (f"{len(self.failed)} of {asked} checks failed", open_ones)))
        if open_ones:
            return f"{passed} of {asked} checks passed, {open_ones}"
        return f"{passed} {'check' if passed == 1 else 'checks'} passed"


@dataclass(frozen=True)
class PageCheck:
    """A wish for a look at a page with what came of it; `look` is None until the browser has ended."""

    job: Job
    url: str
    look: Look | None
    rollback: Rollback | None

    @property
    def title(self) -> str:
        """The page's address without its scheme, in one line."""
        try:
            parts = urlsplit(self.url)
        except ValueError:
            return one_line(self.url, TITLE_CHARS)
        query = f"?{parts.query}" if parts.query else ""
        return one_line(f"{parts.netloc}{parts.path}{query}".rstrip("/"), TITLE_CHARS) or "Page"


def page_checks(db: Database, project_id: UUID, limit: int = builders.LISTED) -> list[PageCheck]:
    """Return the looks at a project's pages, the newest first."""
    return _read(db, builders.jobs_of(db, project_id, CHECK, limit))


def page_check(db: Database, project_id: UUID | None, job_id: UUID) -> PageCheck:
    """Return one look by its job's id; raise `NotFound`, also for another project's where one is given."""
    return _read(db, [builders.job_of(db, project_id, CHECK, job_id, "page check")])[0]


def _read(db: Database, jobs: list[Job]) -> list[PageCheck]:
    if not jobs:
        return []
    rows = db.fetch_all("select * from public.page_checks where job_id = any(%s)", [[job.id for job in jobs]])
    wanted = [one for row in rows for one in (row["desktop_asset_id"], row["mobile_asset_id"], *_named(row["results"]))]
    stored = builders.files(db, jobs[0].project_id, wanted)
    found = {row["job_id"]: row for row in rows}
    rollbacks = _rollbacks(db, jobs, rows)
    return [_check(job, found.get(job.id), stored, rollbacks.get(job.id)) for job in jobs]


def _check(job: Job, row: dict[str, Any] | None, stored: dict[UUID, Stored], rollback: Rollback | None) -> PageCheck:
    if row is None:
        return PageCheck(job, said(job, "url"), None, rollback)
    whole = {row["desktop_asset_id"], row["mobile_asset_id"]}
    look = Look(
        final_url=row["final_url"],
        publication_no=row["publication_no"],
        passed=row["passed"],
        results=[_found(entry, stored, whole) for entry in objects(row["results"])],
        desktop=stored.get(row["desktop_asset_id"]),
        mobile=stored.get(row["mobile_asset_id"]),
        checked_at=row["checked_at"],
    )
    return PageCheck(job, row["url"], look, rollback)


def _found(entry: dict[str, Any], stored: dict[UUID, Stored], shown: set[UUID | None]) -> Found:
    evidence = entry.get("evidence")
    if not isinstance(evidence, dict):
        evidence = {} if evidence is None else {"evidence": evidence}
    named = _pictures(evidence)
    return Found(
        check=text(entry.get("check")),
        outcome=text(entry.get("outcome"), "not applicable"),
        summary=text(entry.get("summary")),
        evidence={key: value for key, value in evidence.items() if key != _PICTURES},
        pictures=[Picture(name, stored[one]) for name, one in named if one in stored and one not in shown],
    )


def _named(results: Any) -> list[UUID]:
    return [asset for entry in objects(results) for _, asset in _pictures(entry.get("evidence"))]


def _pictures(evidence: Any) -> list[tuple[str, UUID]]:
    """Return the pictures that evidence names, with the ids of their files."""
    named = evidence.get(_PICTURES) if isinstance(evidence, dict) else None
    if not isinstance(named, dict):
        return []
    ids = [(name, _uuid(kept.get("asset_id"))) for name, kept in named.items() if isinstance(kept, dict)]
    return [(name, asset) for name, asset in ids if asset is not None]


def _uuid(value: Any) -> UUID | None:
    try:
        return UUID(str(value))
    except ValueError:
        return None


def _rollbacks(db: Database, jobs: list[Job], rows: list[dict[str, Any]]) -> dict[UUID, Rollback]:
    """Return the latest offer to go back that each look has led to, or that waited already when it failed."""
    asked = db.fetch_all(
        "select id, title, status, payload ->> 'job_id' as job, payload -> 'from' as publication_no"
        " from public.approval_queue where project_id = %s and type = 'execution' and action_type = %s"
        " order by created_at, id",
        [jobs[0].project_id, ACTION],
    )
    by_job = {row["job"]: row for row in asked}
    by_number = {row["publication_no"]: row for row in asked if isinstance(row["publication_no"], int)}
    failed = {
        row["job_id"]: row["publication_no"]
        for row in rows
        if any(entry.get("outcome") == "failed" for entry in objects(row["results"]))
    }
    offered = {job.id: by_job.get(str(job.id)) or by_number.get(failed.get(job.id) or 0) for job in jobs}
    return {job: Rollback(row["id"], row["title"], row["status"]) for job, row in offered.items() if row is not None}
