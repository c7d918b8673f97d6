"""The outbox `GET /outbox`, one entry `GET /outbox/{entry}`, a mail's body in a frame, and their live parts."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Query, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException

from studio.views import dashboard, outbox
from studio.views.outbox import State
from web import headers
from web.identity.owner import Owner, SignedIn
from web.pages.inbox import Page, Project
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

EntryKind = Annotated[Literal["effect", "mail"] | None, Query()]


@router.get("/outbox")
def entries(
    request: Request,
    owner: SignedIn,
    project: Project = None,
    state: State | None = None,
    kind: EntryKind = None,
    page_no: Annotated[Page, Query(alias="page")] = 1,
) -> Response:
    """Show what leaves and what became of it."""
    return page(request, "outbox.html", owner, **_entries(request, owner, project, state, kind, page_no))


@router.get("/parts/outbox")
def entries_part(
    request: Request,
    owner: SignedIn,
    project: Project = None,
    state: State | None = None,
    kind: EntryKind = None,
    page_no: Annotated[Page, Query(alias="page")] = 1,
) -> Response:
    """Return the list as it is now."""
    return page(request, "parts/outbox_list.html", owner, **_entries(request, owner, project, state, kind, page_no))


def _entries(
    request: Request,
    owner: Owner,
    project: UUID | None,
    state: State | None,
    kind: Literal["effect", "mail"] | None,
    page_no: int,
) -> dict[str, Any]:
    db = studio_site(request).db
    names = dashboard.names(db, owner.clerk_id)
    project = project if project in names else None
    found, more = outbox.find(db, owner.clerk_id, project_id=project, state=state, kind=kind, page=page_no)

    def link(**changes: Any) -> str:
        asked = {"project": project, "state": state, "kind": kind, "page": None, **changes}
        query = urlencode({key: str(value) for key, value in asked.items() if value is not None})
        return f"/outbox?{query}" if query else "/outbox"

    return {
        "names": names,
        "project": project,
        "state": state,
        "kind": kind,
        "counts": outbox.counts(db, owner.clerk_id, project),
        "reasons": outbox.reasons(db, owner.clerk_id, project),
        "entries": found,
        "newer": link(page=page_no - 1 if page_no > 2 else None) if page_no > 1 else None,
        "older": link(page=page_no + 1) if more else None,
        "page_no": page_no,
        "link": link,
    }


@router.get("/outbox/{entry_id}")
def one(entry_id: UUID, request: Request, owner: SignedIn) -> Response:
    """Show a mail or an effect: what was asked for, and what became of it."""
    return page(request, "outbox_entry.html", owner, **_one(request, owner, entry_id))


@router.get("/parts/outbox/{entry_id}")
def one_part(entry_id: UUID, request: Request, owner: SignedIn) -> Response:
    """Return what became of it by now, and what can be said about it."""
    return page(request, "parts/outbox_state.html", owner, **_one(request, owner, entry_id))


def _one(request: Request, owner: Owner, entry_id: UUID) -> dict[str, Any]:
    here = studio_site(request)
    shown = outbox.shown(here.db, owner.clerk_id, entry_id)
    letter = None
    if shown.mail is not None:
        letter = outbox.letter(here.settings, shown.mail, with_links=_may_read_files(request))
    return {"shown": shown, "entry": shown.listed, "project": shown.project, "letter": letter}


@router.get("/outbox/{entry_id}/body")
def body(entry_id: UUID, request: Request, owner: SignedIn) -> Response:
    """Return a mail's HTML for a frame: under a policy that gives it no origin and lets it load and do nothing."""
    here = studio_site(request)
    shown = outbox.shown(here.db, owner.clerk_id, entry_id)
    if shown.mail is None:
        raise HTTPException(404)
    letter = outbox.letter(here.settings, shown.mail, with_links=_may_read_files(request))
    if letter.html is None:
        raise HTTPException(404, "This mail has no HTML part.")
    return HTMLResponse(
        letter.html, headers={"Content-Security-Policy": headers.file(here), "Cache-Control": "private, no-store"}
    )


def _may_read_files(request: Request) -> bool:
    """Say whether the one who asks owns the machine: who signs in by link does, whoever comes from Clerk may not."""
    return studio_site(request).clerk is None
