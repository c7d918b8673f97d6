"""Published pages: `GET /launch/{project}`."""

from __future__ import annotations

import logging
from uuid import UUID

import psycopg
from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException

from studio import pages
from studio.errors import StudioError
from web import headers
from web.site import Site, site
from web.visitors import is_person, visitor

log = logging.getLogger(__name__)
router = APIRouter()

_GONE = "There is no page here, or it is no longer published."


@router.api_route("/launch/{project_id}", methods=["GET", "HEAD"])
def launch(project_id: str, request: Request) -> Response:
    """Return a project's published page exactly as it was approved."""
    here = site(request)
    try:
        live = pages.published(here.db, UUID(project_id))
    except ValueError:
        live = None
    if live is None:
        raise HTTPException(404, _GONE)
    tag = f'"{live.content_hash}"'
    told = {
        "ETag": tag,
        # Kept by browsers, and asked for again each time: a rollback is seen at once.
        "Cache-Control": "no-cache",
        "Content-Security-Policy": headers.published_page(here),
    }
    counting = BackgroundTask(count, here, live.project_id, request) if is_person(request) else None
    if tag in [known.strip().removeprefix("W/") for known in request.headers.get("if-none-match", "").split(",")]:
        return Response(status_code=304, headers=told, background=counting)
    return Response(live.html, media_type="text/html", headers=told, background=counting)


def count(here: Site, project_id: UUID, request: Request) -> None:
    """Count the visit; where that fails, it is one visit less, and nothing else."""
    who = visitor(request)
    try:
        pages.count_visit(here.db, project_id, address=who.address, user_agent=who.user_agent)
    except (StudioError, psycopg.Error) as exc:
        log.warning("a visit of %s was not counted: %s", project_id, exc)
