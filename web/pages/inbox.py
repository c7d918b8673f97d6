"""The inbox `GET /inbox`, one approval `GET /inbox/{approval}`, and their live parts."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from studio import integrations
from studio.approvals import Approval
from studio.job_types import GUIDANCE_LIMIT
from studio.proposals import GUIDANCE_MINIMUM
from studio.views import dashboard, inbox
from studio.views.inbox import Kind
from web.identity.owner import Owner, SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

# Older decisions than these pages hold are found in their project.
_LAST_PAGE = 500
Project = Annotated[UUID | None, Query()]
Page = Annotated[int, Query(ge=1, le=_LAST_PAGE)]


@router.get("/inbox")
def lists(
    request: Request, owner: SignedIn, project: Project = None, kind: Kind | None = None, decided: Page = 1
) -> Response:
    """Show what waits for a decision, and what was decided."""
    return page(request, "inbox.html", owner, **_lists(request, owner, project, kind, decided))


@router.get("/parts/inbox")
def lists_part(
    request: Request, owner: SignedIn, project: Project = None, kind: Kind | None = None, decided: Page = 1
) -> Response:
    """Return the lists as they are now."""
    return page(request, "parts/inbox_lists.html", owner, **_lists(request, owner, project, kind, decided))


def _lists(request: Request, owner: Owner, project: UUID | None, kind: Kind | None, decided: int) -> dict[str, Any]:
    db = studio_site(request).db
    names = dashboard.names(db, owner.clerk_id)
    # Somebody else's project has no name here, and nothing in its lists.
    project = project if project in names else None
    done, more = inbox.decided(db, owner.clerk_id, project_id=project, page=decided)

    def link(**changes: Any) -> str:
        asked = {"project": project, "kind": kind, "decided": decided if decided > 1 else None, **changes}
        query = urlencode({key: str(value) for key, value in asked.items() if value is not None})
        return f"/inbox?{query}" if query else "/inbox"

    return {
        "names": names,
        "project": project,
        "kind": kind,
        "counts": inbox.counts(db, owner.clerk_id, project),
        "pending": inbox.pending(db, owner.clerk_id, project_id=project, kind=kind),
        "decided": done,
        "newer": link(decided=decided - 1 if decided > 2 else None) if decided > 1 else None,
        "older": link(decided=decided + 1) if more else None,
        "link": link,
        "nav_inbox": inbox.waiting(db, owner.clerk_id),
    }


@router.get("/inbox/{approval_id}")
def one(approval_id: UUID, request: Request, owner: SignedIn) -> Response:
    """Show an approval: what it rests on, exactly what a yes carries out, and what became of it."""
    return page(request, "approval.html", owner, **_asked(request, owner, approval_id, None))


@router.get("/parts/inbox/{approval_id}/decision")
def decision_part(approval_id: UUID, version: int, request: Request, owner: SignedIn) -> Response:
    """Return what can be decided about `version`, which is what the page shows, or what became of it."""
    return page(request, "parts/approval_decision.html", owner, **_asked(request, owner, approval_id, version))


@router.get("/parts/inbox/{approval_id}/does")
def does_part(approval_id: UUID, request: Request, owner: SignedIn) -> Response:
    """Return what a yes does, or what was asked where it is decided."""
    return page(request, "parts/approval_does.html", owner, **_asked(request, owner, approval_id, None))


def _asked(request: Request, owner: Owner, approval_id: UUID, version: int | None) -> dict[str, Any]:
    here = studio_site(request)
    asked = inbox.asked(here.db, owner.clerk_id, approval_id)
    executes = asked.approval.payload.get("executes")
    packet = asked.packet.packet if asked.packet is not None else None
    # The columns take any JSON, and other clients write to them.
    said: dict[str, Any] = packet if isinstance(packet, dict) else {}
    synopsis = asked.packet.synopsis if asked.packet is not None else None
    return {
        "asked": asked,
        "approval": asked.approval,
        "project": asked.project,
        "lacking": _lacking(here, asked.approval),
        "executes": executes if isinstance(executes, dict) else {},
        "verdict": said.get("recommendation"),
        "summary": said.get("tagline") or said.get("summary"),
        "synopsis": synopsis if isinstance(synopsis, dict) else {},
        "decided_version": inbox.shown_version(asked.approval),
        "shown_version": asked.approval.version if version is None else version,
        "sandbox": asked.packet is not None and (asked.packet.model or "").startswith("sandbox"),
        "guidance_minimum": GUIDANCE_MINIMUM,
        "guidance_limit": GUIDANCE_LIMIT,
    }


def _lacking(here: StudioSite, approval: Approval) -> str | None:
    """Return why it would fail now for want of an account; None where it would not, or neither waits nor has failed."""
    if approval.status != "pending" and approval.execution_status != "failed":
        return None
    return integrations.lacking(here.db, here.settings, approval.project_id, approval.action_type)
