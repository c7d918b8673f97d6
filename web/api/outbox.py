"""The outbox: what has left for systems of others, and the owner's word where nobody knows whether it did."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field

from studio import outbox
from studio.outbox import Listed, Resolution
from web.api.routing import owner_router
from web.api.wire import REASON_LIMIT, Answer, Body, Done, Text
from web.errors import CHANGING
from web.identity.owner import SignedIn
from web.studio_site import studio_site

router = owner_router("outbox")

PAGE = 50
PAGE_LIMIT = 200
PROVIDER_ID_LIMIT = 200

Status = Literal["queued", "pending", "sending", "sent", "done", "failed", "suppressed", "canceled", "unknown"]


def own_entry(entry_id: UUID, owner: SignedIn, request: Request) -> Listed:
    """Return the effect or mail of the path where it is of a project of the owner's; else it is not there."""
    return outbox.of_owner(studio_site(request).db, owner.clerk_id, entry_id)


OwnEntry = Annotated[Listed, Depends(own_entry)]


class EntryAnswer(Answer):
    """An effect or a mail, and what became of it."""

    kind: Literal["effect", "mail"]
    id: UUID
    project_id: UUID
    approval_id: UUID | None
    subject: str | None
    recipient: str | None
    status: str
    attempts: int
    idempotency_key: str | None
    provider_id: str | None
    error: str | None
    created_at: datetime
    sent_at: datetime | None


class OutboxAnswer(Answer):
    """The newest first."""

    entries: list[EntryAnswer]


class ResolutionBody(Body):
    """What the owner has found: `done`, it happened; `retry`, it did not and is to be done again."""

    resolution: Resolution
    note: Annotated[Text, Field(max_length=REASON_LIMIT)] | None = None
    provider_id: Annotated[Text, Field(max_length=PROVIDER_ID_LIMIT)] | None = None


class ResolvedAnswer(Done):
    """What the entry is now, and of an effect whether its job goes on."""

    status: str
    job_id: UUID | None
    job_outcome: str | None


@router.get("/api/outbox")
def list_outbox(
    owner: SignedIn,
    request: Request,
    status: Status | None = None,
    project_id: Annotated[UUID | None, Query(alias="projectId")] = None,
    kind: Literal["effect", "mail"] | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
) -> OutboxAnswer:
    """Return the newest effects and mails of the owner's projects."""
    found = outbox.find(
        studio_site(request).db,
        owner_clerk_id=owner.clerk_id,
        project_id=project_id,
        status=status,
        kind=kind,
        limit=limit,
    )
    return OutboxAnswer(entries=[EntryAnswer.model_validate(entry) for entry in found])


@router.post("/api/outbox/{entry_id}/resolve", responses=CHANGING)
def resolve_entry(entry: OwnEntry, owner: SignedIn, request: Request, body: ResolutionBody) -> ResolvedAnswer:
    """Say what became of an effect or a mail that nobody knows of."""
    said = outbox.resolve(
        studio_site(request).db,
        entry.id,
        body.resolution,
        by=owner.clerk_id,
        provider_id=body.provider_id,
        note=body.note,
    )
    return ResolvedAnswer.model_validate(said)
