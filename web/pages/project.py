"""A project: `GET /projects/{project}`, what comes next in it and what its agents are doing."""

from __future__ import annotations

from typing import Any, Literal

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import assets, uploads
from studio.database.connection import Database
from studio.deliverables import Deliverable
from studio.projects import Project
from studio.storage.base import MAX_BYTES
from studio.uploads.announcing import QUOTA_BYTES
from studio.uploads.kinds import EXTENSIONS
from studio.views import activity
from studio.views import project as views
from studio.views.next_step import next_step
from web.identity.owner import OwnProject, SignedIn
from web.packet_view import web_address
from web.pages import builders
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

_MIB = 1024 * 1024
# What the form for files says, by the rules of `studio.uploads`.
UPLOAD = {
    "kinds": "PDF, PowerPoint, Word, PNG, JPEG, WebP, text or Markdown",
    "accept": ",".join(f".{extension}" for extension in EXTENSIONS),
    "each": f"{MAX_BYTES // _MIB} MiB",
    "together": f"{QUOTA_BYTES // _MIB} MiB",
}

Tab = Literal["overview", "phase-0", "phase-1", "phase-2", "phase-3", "chat", "activity", "settings"]


def _overview(db: Database, project: Project) -> dict[str, Any]:
    shown = views.overview(db, project)
    return {"project": project, "shown": shown, "next": next_step(project, shown), "web_address": web_address}


def _files(db: Database, project: Project, files: list[tuple[int, Deliverable]]) -> dict[str, Any]:
    made = [(phase, entry) for phase, entry in files if entry.status == "stored"]
    brought = assets.find(db, project.id, kind=uploads.KIND)
    return {"made": made, "brought": brought, "upload": UPLOAD}


@router.get("/projects/{project_id}")
def overview(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Show where the project stands."""
    here = studio_site(request)
    # First: whoever follows the stream from here on misses nothing of what is read after it.
    live = activity.live(here.db, project.id)
    told = _overview(here.db, project)
    told |= _files(here.db, project, told["shown"].files) | builders.section(here, project)
    return page(request, "project.html", owner, live=live, **told)


@router.get("/parts/projects/{project_id}/head")
def head_part(project: OwnProject, owner: SignedIn, request: Request, active: Tab = "overview") -> Response:
    """Return the project's head and navigation as they are now, on the tab `active`."""
    return page(request, "parts/project_head.html", owner, project=project, active=active)


@router.get("/parts/projects/{project_id}/next")
def next_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return what comes next now."""
    return page(request, "parts/project_next.html", owner, **_overview(studio_site(request).db, project))


@router.get("/parts/projects/{project_id}/overview")
def overview_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return where the project stands now."""
    return page(request, "parts/project_overview.html", owner, **_overview(studio_site(request).db, project))


@router.get("/parts/projects/{project_id}/files")
def files_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return which files the studio has made and which were brought, as it is now."""
    db = studio_site(request).db
    files = views.overview(db, project).files
    return page(request, "parts/project_files.html", owner, project=project, **_files(db, project, files))


@router.get("/parts/projects/{project_id}/work")
def work_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return what the project's agents are doing now."""
    live = activity.live(studio_site(request).db, project.id)
    return page(request, "parts/project_work.html", owner, project=project, live=live)
