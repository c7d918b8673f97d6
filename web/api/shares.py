"""Share links: a packet's version for people without an account, for a while."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Request
from pydantic import Field

from studio import shares
from studio.database.connection import Connection
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Done, Phase, SeedBody, Version
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("packet")


class ShareAnswer(Answer):
    """A share link. Its address is told only to who has just made it."""

    id: UUID
    phase: int | None
    version: int | None
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    live: bool


class SharesAnswer(Answer):
    """The newest links first, also those that are over."""

    shares: list[ShareAnswer]


class ShareBody(SeedBody):
    """What is to be shared, and for how long."""

    phase: Phase = 0
    days: Annotated[int, Field(ge=1, le=shares.LONGEST_DAYS)] = shares.DAYS
    version: Version | None = Field(default=None, description="By default the latest.")


class SharedAnswer(Done):
    """The new link. `shareUrl` is not told again."""

    share_url: str
    share: ShareAnswer


class RevokedAnswer(Done):
    """The link is over; `revoked` says whether this request has ended it."""

    revoked: bool


@router.get("/api/projects/{project_id}/packet/share", responses=NAMED)
def list_shares(project: OwnProject, request: Request) -> SharesAnswer:
    """Return the project's share links."""
    found = shares.listed(studio_site(request).db, project.id)
    return SharesAnswer(shares=[ShareAnswer.model_validate(share) for share in found])


@router.post("/api/projects/{project_id}/packet/share", responses=CHANGING)
def share_packet(project: OwnProject, owner: SignedIn, request: Request, body: ShareBody | None = None) -> SharedAnswer:
    """Make a link to a version of a packet; what is generated later is not shown by it."""
    here, wish = studio_site(request), body or ShareBody()

    def share(conn: Connection) -> SharedAnswer:
        made = shares.create(
            conn, project.id, wish.phase, created_by=owner.clerk_id, days=wish.days, version=wish.version
        )
        # Inside, because without an address of the pages there is no link either.
        url = shares.share_url(here.settings, made.token or "")
        return SharedAnswer(share_url=url, share=ShareAnswer.model_validate(made))

    return committed(here.db, share)


@router.delete("/api/projects/{project_id}/packet/share/{share_id}", responses=CHANGING)
def revoke_share(project: OwnProject, owner: SignedIn, share_id: UUID, request: Request) -> RevokedAnswer:
    """End a link at once."""
    ended = committed(studio_site(request).db, lambda conn: shares.revoke(conn, project.id, share_id, owner.clerk_id))
    return RevokedAnswer(revoked=ended)
