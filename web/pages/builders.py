"""Code, reports and looks at a page: where a project asks for them, lists of them, and one of each in full."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import builders, events, pages
from studio.job_types import CHECKS
from studio.operations import traces
from studio.projects import Project
from studio.queue import Job
from studio.views import activity, builders_checks, builders_code, builders_reports
from studio.views.builders import LISTED, Stored
from studio.views.builders_checks import PageCheck
from studio.views.builders_code import Generation
from studio.views.builders_reports import Details
from web.identity.owner import OwnProject, SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

# On the project's page; the rest is a page away.
SHOWN = 4
# A code base of thousands of files is read in its repository.
FILES_SHOWN = 300
# A page that stays open over a working day still shows its pictures.
_LINK = timedelta(hours=12)

ASKING = {
    "description_limit": builders.DESCRIPTION_LIMIT,
    "branch": builders.BRANCH,
    "branch_limit": builders.BRANCH_LIMIT,
    "topic_limit": builders.TOPIC_LIMIT,
    "slides": builders.SLIDES,
    "slides_minimum": builders.SLIDES_MINIMUM,
    "slides_limit": builders.SLIDES_LIMIT,
    "url_limit": builders.URL_LIMIT,
    "checks": CHECKS,
}


@dataclass(frozen=True)
class Picture:
    """A picture as the page shows it: `link` is None where it cannot be shown, `check` whose evidence it is."""

    file: Stored
    link: str | None
    name: str
    check: str | None = None

    @property
    def phone(self) -> bool:
        """Whether it is as narrow as a phone."""
        return self.name.endswith("mobile")

    @property
    def title(self) -> str:
        """What it shows, in words."""
        if self.name.startswith("difference"):
            return f"What differs on a {'phone' if self.phone else 'desk'}"
        return self.name.replace("-", " ").capitalize()


def section(here: StudioSite, project: Project) -> dict[str, Any]:
    """Return what the section of a project's page needs."""
    with here.db.connection() as conn:
        live = builders.live_page(conn, project.id)
    # One more than is shown tells whether there are more.
    return {"asking": ASKING, "live_page": live, "shown_at_once": SHOWN, **_made(here, project, SHOWN + 1)}


def _made(here: StudioSite, project: Project, limit: int) -> dict[str, Any]:
    return {
        "made_code": builders_code.generations(here.db, project.id, limit),
        "made_reports": builders_reports.reports(here.db, project.id, limit),
        "made_checks": builders_checks.page_checks(here.db, project.id, limit),
    }


@router.get("/projects/{project_id}/builders")
def everything(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Show all that was asked for."""
    here = studio_site(request)
    seq = events.last_seq(here.db, project.id)
    made = _made(here, project, LISTED)
    return page(request, "made_all.html", owner, project=project, seq=seq, limit=LISTED, **made)


@router.get("/parts/projects/{project_id}/builders")
def section_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return the section of the project's page as it is now."""
    shown = section(studio_site(request), project)
    return page(request, "parts/project_builders.html", owner, project=project, **shown)


# --- code


@router.get("/projects/{project_id}/code/{generation_id}")
def code(project: OwnProject, generation_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Show one generation: its branch, what it changes, what its own checks say."""
    here = studio_site(request)
    seq = events.last_seq(here.db, project.id)
    made = builders_code.generation(here.db, project.id, generation_id)
    return page(request, "made_code.html", owner, title=made.title, seq=seq, **_code(here, project, made))


@router.get("/parts/projects/{project_id}/code/{generation_id}")
def code_part(project: OwnProject, generation_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Return one generation as it is now."""
    here = studio_site(request)
    made = builders_code.generation(here.db, project.id, generation_id)
    return page(request, "parts/made_code.html", owner, **_code(here, project, made))


def _code(here: StudioSite, project: Project, made: Generation) -> dict[str, Any]:
    where = builders_code.where(here.settings, made)
    # Paths of the machine are for whoever owns it: who signs in by link does, whoever comes from Clerk may not.
    may_clone = where is not None and where.clone is not None and (where.web is not None or here.clerk is None)
    shown = {"made": made, "where": where, "may_clone": may_clone, "files_shown": FILES_SHOWN}
    return {**shown, **_of_job(here, project, made.job)}


# --- reports


@router.get("/projects/{project_id}/reports/{report_id}")
def report(project: OwnProject, report_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Show one report: what it states, on which quotes, out of which pages."""
    here = studio_site(request)
    seq = events.last_seq(here.db, project.id)
    found = builders_reports.report(here.db, project.id, report_id)
    return page(request, "made_report.html", owner, title=found.listed.title, seq=seq, **_report(here, project, found))


@router.get("/parts/projects/{project_id}/reports/{report_id}")
def report_part(project: OwnProject, report_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Return one report as it is now."""
    here = studio_site(request)
    found = builders_reports.report(here.db, project.id, report_id)
    return page(request, "parts/made_report.html", owner, **_report(here, project, found))


def _report(here: StudioSite, project: Project, found: Details) -> dict[str, Any]:
    return {"found": found, **_of_job(here, project, found.listed.job)}


# --- looks at a page


@router.get("/projects/{project_id}/checks/{check_id}")
def check(project: OwnProject, check_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Show one look at a page: what was found, with its evidence and its pictures."""
    here = studio_site(request)
    seq = events.last_seq(here.db, project.id)
    found = builders_checks.page_check(here.db, project.id, check_id)
    return page(request, "made_check.html", owner, title=found.title, seq=seq, **_check(here, project, found))


@router.get("/parts/projects/{project_id}/checks/{check_id}")
def check_part(project: OwnProject, check_id: UUID, owner: SignedIn, request: Request) -> Response:
    """Return one look at a page as it is now."""
    here = studio_site(request)
    found = builders_checks.page_check(here.db, project.id, check_id)
    return page(request, "parts/made_check.html", owner, **_check(here, project, found))


def _check(here: StudioSite, project: Project, found: PageCheck) -> dict[str, Any]:
    look = found.look
    with here.db.connection() as conn:
        live = pages.current(conn, project.id) if project.status != "killed" else None
    evidence = [] if look is None else [(one.check, shown) for one in look.results for shown in one.pictures]
    return {
        "check": found,
        # Of a look at a publication: the number of what the world sees now, None where it sees nothing.
        "live_no": None if live is None else live.publication_no,
        "desktop": None if look is None or look.desktop is None else _picture(here, "desktop", look.desktop),
        "mobile": None if look is None or look.mobile is None else _picture(here, "mobile", look.mobile),
        "pictures": [_picture(here, shown.name, shown.file, name) for name, shown in evidence],
        **_of_job(here, project, found.job),
    }


def _picture(here: StudioSite, name: str, file: Stored, check: str | None = None) -> Picture:
    return Picture(file, file.look(here.settings, _LINK), name, check)


# --- of all three


def _of_job(here: StudioSite, project: Project, job: Job) -> dict[str, Any]:
    """Return what is shown around a result: its project, its job's work while it lasts, its traces."""
    return {
        "project": project,
        "work": None if job.ended else activity.work(here.db, job),
        "attempts": traces.of_job(here.db, job.id),
    }
