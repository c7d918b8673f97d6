"""Packets: what a phase has found and planned, in each of its versions, to read and to print."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from urllib.parse import quote
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from studio import assets, deliverables
from studio.errors import NotFound, RateLimited
from studio.packets import export, versions
from web.api.routing import owner_router
from web.api.wire import LARGEST_INTEGER, Answer, Object
from web.errors import NAMED, errors
from web.identity.owner import OwnProject
from web.studio_site import studio_site

router = owner_router("packet")

# One paper is drawn in half a second; who waits for longer than some of them comes again.
_DRAWING_SECONDS = 3.0
_AGAIN_SECONDS = 3

_Phase = Annotated[int, Query(ge=0, le=3)]
_Version = Annotated[int | None, Query(ge=1, le=LARGEST_INTEGER, description="By default the latest.")]

_BINARY = {"type": "string", "format": "binary"}


class PacketAnswer(Answer):
    """A version of a packet, with where it came from. `costMicros` is in millionths of a dollar."""

    id: UUID
    project_id: UUID
    phase: int
    version: int
    packet: Object
    confidence: int
    synopsis: Object
    source_job_id: UUID | None
    model: str | None
    prompt_version: str | None
    cost_micros: int | None
    created_at: datetime


class DeliverableAnswer(Answer):
    """Something that the phase hands over beside its packet, made or not; `error` says why not."""

    kind: str
    label: str
    status: str
    storage_path: str | None
    url: str | None
    asset_id: UUID | None
    content_hash: str | None
    score: int | None
    error: str | None
    generated_at: datetime | None


class PacketDetails(PacketAnswer):
    """A version, which others there are (the newest first), and what the latest has been handed over with."""

    is_latest: bool
    versions: list[int]
    deliverables: list[DeliverableAnswer]


@router.get("/api/projects/{project_id}/packet", responses=NAMED)
def show_packet(project: OwnProject, request: Request, phase: _Phase = 0, version: _Version = None) -> PacketDetails:
    """Return the packet of a phase, by default the latest version."""
    db = studio_site(request).db
    history = versions.history(db, project.id, phase)
    found = next((one for one in history if version in (None, one.version)), None)
    if found is None:
        what = f"has no packet of phase {phase}" if not history else f"has no version {version} of this packet"
        raise NotFound(f"The project {what}.")
    with db.connection() as conn:
        listed = deliverables.listed_in(conn, project.id, phase) if found is history[0] else []
    return PacketDetails(
        **dict(PacketAnswer.model_validate(found)),
        is_latest=found is history[0],
        versions=[one.version for one in history],
        deliverables=[DeliverableAnswer.model_validate(entry) for entry in listed],
    )


@router.get(
    "/api/projects/{project_id}/packet/export",
    response_class=Response,
    responses={
        **NAMED,
        **errors(429),
        200: {"description": "The PDF.", "content": {export.MIME_TYPE: {"schema": _BINARY}}},
    },
)
def export_packet(project: OwnProject, request: Request, phase: _Phase = 0, version: _Version = None) -> Response:
    """Return a packet as a PDF; the same version is always the same file."""
    here = studio_site(request)
    if not here.drawing.acquire(timeout=_DRAWING_SECONDS):
        raise RateLimited("Other papers are being drawn.", "Try again in a moment.", retry_after=_AGAIN_SECONDS)
    try:
        made = export.exported(here.db, here.storage, project.id, phase, version)
    finally:
        here.drawing.release()
    told = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(made.filename)}",
        "Cache-Control": "private, no-store",
    }
    return Response(assets.content(here.storage, made), media_type=export.MIME_TYPE, headers=told)
