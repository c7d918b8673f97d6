"""A project: `GET /projects/{project}`, what comes next in it and what its agents are doing."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.database.connection import Database
from studio.projects import Project
from studio.views import activity
from studio.views import project as views
from studio.views.next_step import next_step
from web.identity.owner import OwnProject, SignedIn
from web.packet_view import web_address
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)


def _overview(db: Database, project: Project) -> dict[str, Any]:
    shown = views.overview(db, project)
    return {"project": project, "shown": shown, "next": next_step(project, shown), "web_address": web_address}


@router.get("/projects/{project_id}")
def overview(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Show where the project stands."""
    db = studio_site(request).db
    # First: whoever follows the stream from here on misses nothing of what is read after it.
    live = activity.live(db, project.id)
    return page(request, "project.html", owner, live=live, **_overview(db, project))


@router.get("/parts/projects/{project_id}/next")
def next_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return what comes next now."""
    return page(request, "parts/project_next.html", owner, **_overview(studio_site(request).db, project))


@router.get("/parts/projects/{project_id}/overview")
def overview_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return where the project stands now."""
    return page(request, "parts/project_overview.html", owner, **_overview(studio_site(request).db, project))


@router.get("/parts/projects/{project_id}/work")
def work_part(project: OwnProject, owner: SignedIn, request: Request) -> Response:
    """Return what the project's agents are doing now."""
    live = activity.live(studio_site(request).db, project.id)
    return page(request, "parts/project_work.html", owner, project=project, live=live)
