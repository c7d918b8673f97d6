"""All projects of an owner: `GET /projects`."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.views import projects as views
from web.identity.owner import SignedIn
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)


@router.get("/projects")
def projects(request: Request, owner: SignedIn) -> Response:
    """Show the projects, those that need or do something first."""
    return page(request, "projects.html", owner, rows=views.listed(studio_site(request).db, owner.clerk_id))


@router.get("/parts/projects")
def part(request: Request, owner: SignedIn) -> Response:
    """Return the list as it is now."""
    return page(request, "parts/projects.html", owner, rows=views.listed(studio_site(request).db, owner.clerk_id))
