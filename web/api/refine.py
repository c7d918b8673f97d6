"""Asking for another packet by guidance: `POST /api/projects/{project_id}/refine` (domain specification §4)."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Request
from pydantic import Field

from studio import assets, proposals
from studio.database.connection import Connection
from studio.errors import Conflict, NotFound
from studio.job_types import GUIDANCE_LIMIT
from studio.packets import versions
from studio.projects import Project
from studio.proposals import GUIDANCE_MINIMUM, REFINE, Proposal
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Done, Phase, SeedBody, Text
from web.errors import CHANGING
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("packet")

SOURCE = "refine_control"


class RefineBody(SeedBody):
    """What should be different; by default in the latest packet there is."""

    guidance: Annotated[Text, Field(min_length=GUIDANCE_MINIMUM, max_length=2 * GUIDANCE_LIMIT)]
    phase: Phase | None = None
    asset_id: UUID | None = Field(default=None, description="The file that the guidance is about.")


class RefineAnswer(Done):
    """The approval that waits for a decision; `pending` is one that was asked for before."""

    approval_id: UUID | None
    outcome: Literal["created", "pending"]
    phase: int


@router.post("/api/projects/{project_id}/refine", responses=CHANGING)
def refine_packet(project: OwnProject, owner: SignedIn, request: Request, body: RefineBody) -> RefineAnswer:
    """Ask whether a packet shall be made anew with the guidance; one such question at a time."""
    db = studio_site(request).db
    phase = body.phase
    if phase is None:
        phase = max((packet.phase for packet in versions.all_latest(db, project.id)), default=0)
    made = committed(db, lambda conn: _ask(conn, project, phase, body, owner.clerk_id))
    if made.outcome not in ("created", "pending"):
        raise Conflict(made.reason)
    return RefineAnswer.model_validate({"approval_id": made.approval_id, "outcome": made.outcome, "phase": phase})


def _ask(conn: Connection, project: Project, phase: int, body: RefineBody, by: str) -> Proposal:
    payload: dict[str, Any] = {"guidance": body.guidance, "target_phase": phase}
    if body.asset_id is not None:
        payload["about"] = _about(conn, project, body.asset_id)
    return proposals.propose(
        conn,
        project.id,
        REFINE,
        phase=phase,
        packet=None,
        title=f"Make the Phase {phase} packet anew",
        description=proposals.DESCRIPTIONS[REFINE],
        agent_source=SOURCE,
        asset_id=body.asset_id,
        payload=payload,
        asked_by=by,
    )


def _about(conn: Connection, project: Project, asset_id: UUID) -> dict[str, str]:
    missing = NotFound(f"The project has no file {asset_id}.")
    try:
        asset = assets.get_in(conn, asset_id)
    except NotFound:
        raise missing from None
    if asset.project_id != project.id:
        raise missing
    return {"filename": asset.filename, "kind": asset.kind}
