"""Who has signed in, and in which browsers: `GET /api/me`, `GET` and `DELETE /api/sessions`."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from fastapi import Request

from studio import approvals, sign_in
from studio.errors import NotFound
from web.api.routing import owner_router
from web.api.wire import Answer, Done
from web.errors import CHANGING
from web.identity.owner import SignedIn
from web.studio_site import studio_site

router = owner_router("me")


class MeAnswer(Answer):
    """Who asks, how he has signed in, and how many approvals wait for him."""

    owner_clerk_id: str
    via: Literal["link", "cookie", "bearer"]
    session_id: UUID | None
    pending_approvals: int


class SessionAnswer(Answer):
    """A browser that has signed in by link; `current` is the one that asks."""

    id: UUID
    user_agent: str | None
    last_seen_at: datetime
    created_at: datetime
    current: bool


class SessionsAnswer(Answer):
    """The one used last first. With an identity provider there are none: it keeps them."""

    sessions: list[SessionAnswer]


class EndedAnswer(Done):
    """How many sessions were ended."""

    ended: int


@router.get("/api/me")
def show_me(owner: SignedIn, request: Request) -> MeAnswer:
    """Return who asks."""
    waiting = approvals.count_pending(studio_site(request).db, owner.clerk_id)
    return MeAnswer(
        owner_clerk_id=owner.clerk_id, via=owner.via, session_id=owner.session_id, pending_approvals=waiting
    )


@router.get("/api/sessions")
def list_sessions(owner: SignedIn, request: Request) -> SessionsAnswer:
    """Return the browsers in which the owner is signed in."""
    found = sign_in.sessions(studio_site(request).db, owner.clerk_id)
    return SessionsAnswer(
        sessions=[
            SessionAnswer.model_validate({**vars(session), "current": session.id == owner.session_id})
            for session in found
        ]
    )


@router.delete("/api/sessions", responses=CHANGING)
def end_sessions(owner: SignedIn, request: Request) -> EndedAnswer:
    """Sign the owner out in every browser, also in this one."""
    return EndedAnswer(ended=sign_in.end(studio_site(request).db, owner.clerk_id))


@router.delete("/api/sessions/{session_id}", responses=CHANGING)
def end_session(owner: SignedIn, session_id: UUID, request: Request) -> EndedAnswer:
    """Sign the owner out in one browser."""
    ended = sign_in.end(studio_site(request).db, owner.clerk_id, session_id)
    if not ended:
        raise NotFound(f"There is no session {session_id}.")
    return EndedAnswer(ended=ended)
