"""The dashboard `GET /`, its live parts, and the number beside the inbox."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from studio.views import dashboard, inbox
from web.identity.owner import Owner, SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)


def _needs(here: StudioSite, owner: Owner) -> dict[str, Any]:
    return {"needs": dashboard.needs(here.db, owner.clerk_id)}


def _running(here: StudioSite, owner: Owner) -> dict[str, Any]:
    jobs, count = dashboard.running(here.db, owner.clerk_id)
    return {"running": jobs, "running_count": count}


def _night(here: StudioSite, owner: Owner) -> dict[str, Any]:
    return {"nights": dashboard.nights(here.db, owner.clerk_id)}


def _projects(here: StudioSite, owner: Owner) -> dict[str, Any]:
    return {
        "standings": dashboard.standings(here.db, owner.clerk_id),
        "spending": dashboard.spending(here.db, owner.clerk_id),
    }


_PARTS = {"needs": _needs, "running": _running, "night": _night, "projects": _projects}


@router.get("/")
def whole(request: Request, owner: SignedIn) -> Response:
    """Show what needs the owner, what runs, what happened at night, spend, and projects."""
    here = studio_site(request)
    shown: dict[str, Any] = {}
    for part in _PARTS.values():
        shown |= part(here, owner)
    return page(request, "dashboard.html", owner, **shown, nav_inbox=shown["needs"].approvals_count)


@router.get("/parts/dashboard/{name}")
def part(name: str, request: Request, owner: SignedIn) -> Response:
    """Return one section of the dashboard as it is now."""
    if name not in _PARTS:
        raise HTTPException(404)
    return page(request, f"parts/dashboard_{name}.html", owner, **_PARTS[name](studio_site(request), owner))


@router.get("/parts/nav-inbox")
def count(request: Request, owner: SignedIn) -> Response:
    """Return how many approvals wait, as it stands in the navigation."""
    waiting = inbox.waiting(studio_site(request).db, owner.clerk_id)
    return page(request, "parts/nav_inbox.html", owner, nav_inbox=waiting)
