"""Starting a project: `GET /projects/new`, and what a scan has found so far while the form is being filled in."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from studio.errors import InvalidInput, NotFound
from studio.job_types import ADDRESS_LIMIT, DOMAIN_LIMIT
from studio.onboarding import brief, cache
from studio.onboarding import request as scans
from studio.onboarding.form import APP_CHARS, IDEA_CHARS, STRATEGIC_CHARS
from studio.onboarding.request import ScanResult, ScanStep
from studio.onboarding.scan import Scan, without_site
from studio.presence import normalise_domain
from studio.projects import NAME_LIMIT
from studio.queue import ENDED
from web.identity.owner import SignedIn
from web.packet_view import web_address
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

_LIMITS = {
    "idea_limit": IDEA_CHARS,
    "app_limit": APP_CHARS,
    "strategic_limit": STRATEGIC_CHARS,
    "name_limit": NAME_LIMIT,
    "domain_limit": DOMAIN_LIMIT,
    "address_limit": ADDRESS_LIMIT,
}


@router.get("/projects/new")
def form(request: Request, owner: SignedIn) -> Response:
    """Show the form of a new project."""
    return page(request, "new_project.html", owner, **_LIMITS)


@router.get("/parts/onboarding/scan")
def scan_part(
    request: Request,
    owner: SignedIn,
    job: UUID | None = None,
    domain: Annotated[str, Query(max_length=DOMAIN_LIMIT)] = "",
    idea_chars: Annotated[int, Query(ge=0, le=IDEA_CHARS)] = 0,
    strategic: Annotated[int, Query(ge=0, le=3)] = 0,
) -> Response:
    """Return what a scan has done and found. Of the form's texts it is only told how much they say."""
    here = studio_site(request)
    found = _found(here, job, domain)
    scan: Scan | None = found["scan"]
    # Of a form that says nothing there is nothing to preview.
    if scan is not None and (scan.domain or scan.repo_url or idea_chars or strategic):
        said = "x" * brief.SAYS_SOMETHING
        found["brief"] = brief.preview(scan, idea="x" * idea_chars, strategic=[said] * strategic)
    return page(request, "parts/scan.html", owner, web_address=web_address, **found)


def _found(here: StudioSite, job: UUID | None, domain: str) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("scan", "error", "brief"))
    found |= {"steps": [], "running": False, "refused": False}
    if job is not None:
        try:
            steps: list[ScanStep] = scans.scan_events(here.db, job)
            result: ScanResult = scans.result(here.db, job)
        except NotFound:
            return found | {"error": "This scan is not there any more."}
        running = result.scan is None and result.status not in ENDED
        return found | {"scan": result.scan, "steps": steps, "running": running, "error": result.error}
    if not domain.strip():
        return found | {"scan": without_site()}
    try:
        with here.db.connection() as conn:
            return found | {"scan": cache.cached(conn, normalise_domain(domain))}
    except InvalidInput as exc:
        return found | {"error": str(exc), "refused": True}
