"""The chat of a project: `GET /projects/{project}/chat`, its newest part, and what was said earlier."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.responses import Response
from markupsafe import Markup

from studio import chat, events
from studio.chat.messages import PAGE, PAGE_LIMIT, ChatMessage
from studio.database.connection import Database
from studio.job_types import MESSAGE_LIMIT
from studio.projects import Project
from studio.views import activity
from web.identity.owner import OwnProject, SignedIn
from web.linked import linked
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class Said:
    """A message as it is shown. One that `waits` has no answer yet; `streamed` is what there is of it."""

    message: ChatMessage
    html: Markup
    waits: bool = False
    streamed: str = ""


@router.get("/projects/{project_id}/chat")
def conversation(project: OwnProject, owner: SignedIn, request: Request, before: UUID | None = None) -> Response:
    """Show the newest messages, or those before one of them."""
    db = studio_site(request).db
    seq = events.last_seq(db, project.id)
    shown = _shown(db, project, seq, chat.page(db, project.id, before=before))
    return page(request, "chat.html", owner, **shown, before=before, message_limit=MESSAGE_LIMIT)


@router.get("/parts/projects/{project_id}/chat")
def newest_part(project: OwnProject, owner: SignedIn, request: Request, first: UUID | None = None) -> Response:
    """Return the newest messages: from message `first` on where it is given and not too long ago."""
    db = studio_site(request).db
    seq = events.last_seq(db, project.id)
    found = chat.page(db, project.id, limit=PAGE if first is None else PAGE_LIMIT)
    begins = next((at for at, message in enumerate(found.messages) if message.id == first), None)
    if begins is not None:
        found = type(found)(found.messages[begins:], found.has_more or begins > 0)
    return page(request, "parts/chat.html", owner, before=None, **_shown(db, project, seq, found))


@router.get("/parts/projects/{project_id}/chat/earlier")
def earlier_part(project: OwnProject, owner: SignedIn, request: Request, before: UUID) -> Response:
    """Return what was said before a message."""
    db = studio_site(request).db
    seq = events.last_seq(db, project.id)
    found = chat.page(db, project.id, before=before)
    return page(request, "parts/chat_earlier.html", owner, **_shown(db, project, seq, found))


def _shown(db: Database, project: Project, seq: int, found: chat.Page) -> dict[str, Any]:
    """Return what is shown of a page; `seq` was read before it, so that whoever follows from there misses nothing."""
    answered = {message.reply_to for message in found.messages if message.reply_to is not None}
    under_way = [job for message in found.messages if (job := _under_way(message))]
    streamed = activity.streamed(db, under_way, seq)
    starting = activity.starting(db, under_way) if under_way else set()
    said = [
        Said(
            # A job that was claimed answers nothing before its run has begun: so far it waits.
            replace(message, job_status="queued") if message.job_id in starting else message,
            linked(message.content),
            waits=message.role == "user" and message.job_id is not None and message.id not in answered,
            streamed=streamed.get(message.job_id, "") if message.job_id is not None else "",
        )
        for message in found.messages
    ]
    return {"project": project, "said": said, "has_more": found.has_more, "seq": seq}


def _under_way(message: ChatMessage) -> UUID | None:
    return message.job_id if message.job_status in ("queued", "running") else None
