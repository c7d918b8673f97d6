"""Share links: a packet version that whoever holds the link may read, until it expires or is revoked.

A link names one version for good: what is generated later is not shown by it (domain specification §14, D41). The
database keeps a hash of the token only, so that a copy of the database opens no link; the link itself is told once,
to who made it. The column `token` is read by other clients too: theirs hold the token itself and are opened as well,
ours begin with a mark that no token can have, so that neither is taken for the other.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from studio import links
from studio.database.connection import Connection, Database
from studio.errors import Conflict, InvalidInput, LinkRefused, NotFound
from studio.packets.evidence import passages
from studio.packets.fields import Source
from studio.packets.schemas import SCHEMAS
from studio.project_events import record
from studio.settings import Settings
from studio.text import sha256_hex

DAYS = 30
LONGEST_DAYS = 365
# Enough for every reader of every phase; more are links that somebody forgot, and each is a way in.
LIVE_LINKS = 50
TOKEN_BYTES = 32
# What a client of another make has put there may be longer than ours, but not endless.
MAX_TOKEN_CHARS = 200
# A colon stands in no token: not in ours, not in base64 of any kind, not in a UUID.
_HASHED = "sha256:"
_TOKEN = re.compile(rf"[A-Za-z0-9_~.-]{{16,{MAX_TOKEN_CHARS}}}")
# What the studio could do itself once somebody approves it: the owner's business alone.
_OWNERS_ONLY = frozenset({"proposed_actions"})


@dataclass(frozen=True)
class Share:
    """A share link as its project's owner sees it. `token` is known only to who has just made the link."""

    id: UUID
    project_id: UUID
    phase: int | None
    version: int | None
    created_by: str | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    live: bool
    token: str | None = None


@dataclass(frozen=True)
class SharedPacket:
    """What a stranger may see, and nothing else: no ids, no owner, no jobs, no costs.

    `packet` holds the parts that a packet of its phase has; `readable` is false where another client has written it
    in a shape of its own, of which only the parts with familiar names are there. `created_at` is the version's,
    `expires_at` the link's.
    """

    project_name: str
    phase: int
    version: int
    packet: dict[str, Any]
    readable: bool
    sources: list[Source]
    confidence: int
    verdict: str | None
    created_at: datetime
    expires_at: datetime
    sandbox: bool


def create(
    conn: Connection, project_id: UUID, phase: int, *, created_by: str, days: int = DAYS, version: int | None = None
) -> Share:
    """Make a link to a version of a phase's packet, by default the latest, in the caller's transaction.

    The answer is the only one that carries the token. Raise `InvalidInput` for a phase or a lifetime there is not,
    `NotFound` where there is no such project, packet or version, `Conflict` where the project is killed or has as
    many live links as it may have.
    """
    if phase not in SCHEMAS:
        raise InvalidInput(f"There is no phase {phase}.", "Choose 0, 1, 2 or 3.")
    if not 1 <= days <= LONGEST_DAYS:
        raise InvalidInput(f"A share link cannot live for {days} days.", f"Choose 1 to {LONGEST_DAYS} days.")
    # One after the other, or two at once would both find room for the last link.
    conn.execute("select pg_advisory_xact_lock(hashtextextended('shares:' || %s::text, 0))", [project_id])
    project = conn.execute("select status from public.projects where id = %s", [project_id]).fetchone()
    if project is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    if project["status"] == "killed":
        raise Conflict("The project is killed: nothing of it is shown any more.", "Share a project that is alive.")
    pinned = conn.execute(
        "select v.id, v.version from public.phase_packet_versions v"
        " left join public.phase_packets p on p.version_id = v.id"
        " where v.project_id = %(project)s and v.phase = %(phase)s"
        " and case when %(version)s::integer is null then p.id is not null else v.version = %(version)s end",
        {"project": project_id, "phase": phase, "version": version},
    ).fetchone()
    if pinned is None:
        what = f"no packet of phase {phase}" if version is None else f"no version {version} of the phase {phase} packet"
        raise NotFound(f"The project has {what}.", "See `greenlight projects show`.")
    counted = conn.execute(
        "select count(*) as live from public.packet_share_links"
        " where project_id = %s and revoked_at is null and expires_at > now()",
        [project_id],
    ).fetchone()
    if counted is not None and counted["live"] >= LIVE_LINKS:
        raise Conflict(
            f"The project has {LIVE_LINKS} live share links, as many as it may have.", "Revoke one that is done with."
        )
    token = secrets.token_urlsafe(TOKEN_BYTES)
    row = conn.execute(
        "insert into public.packet_share_links (project_id, packet_version_id, token, created_by, expires_at)"
        " values (%s, %s, %s, %s, now() + make_interval(days => %s)) returning *, true as live",
        [project_id, pinned["id"], _stored(token), created_by, days],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    share = _share(row | {"phase": phase, "version": pinned["version"]}, token)
    record(
        conn,
        project_id,
        "packet.shared",
        f"Version {share.version} of the phase {phase} packet is shared until {share.expires_at:%Y-%m-%d}.",
        {
            "shareId": str(share.id),
            "phase": phase,
            "version": share.version,
            "expiresAt": share.expires_at.isoformat(),
            "by": created_by,
        },
    )
    return share


def listed(db: Database, project_id: UUID) -> list[Share]:
    """Return a project's links, the newest first, also those that are over; none of them tells its token."""
    rows = db.fetch_all(
        "select l.*, v.phase, v.version, l.revoked_at is null and l.expires_at > now() as live"
        " from public.packet_share_links l left join public.phase_packet_versions v on v.id = l.packet_version_id"
        " where l.project_id = %s order by l.created_at desc, l.id",
        [project_id],
    )
    return [_share(row) for row in rows]


def revoke(conn: Connection, project_id: UUID, share_id: UUID, by: str) -> bool:
    """End a link at once, in the caller's transaction; return whether it was still unrevoked.

    Raise `NotFound` where the project has no such link.
    """
    row = conn.execute(
        "select revoked_at from public.packet_share_links where id = %s and project_id = %s for no key update",
        [share_id, project_id],
    ).fetchone()
    if row is None:
        raise NotFound(f"The project has no share link {share_id}.", "See `greenlight projects shares`.")
    if row["revoked_at"] is not None:
        return False
    conn.execute("update public.packet_share_links set revoked_at = now() where id = %s", [share_id])
    record(conn, project_id, "packet.share_revoked", "A share link was revoked.", {"shareId": str(share_id), "by": by})
    return True


def share_url(settings: Settings, token: str) -> str:
    """Return the address of a link, on the origin of public pages. Raise `SettingsError` where there is none."""
    return f"{links.base_url(settings)}/packet/share/{token}"


def opened(db: Database, token: str) -> SharedPacket:
    """Return what a link shows.

    Raise `LinkRefused` with `expired` where it has expired. A link that was never made, one that was revoked and one
    of a killed project raise the same `NotFound`, so that nobody learns which it is.
    """
    if not _TOKEN.fullmatch(token):
        raise _nothing()
    row = db.fetch_one(
        "select l.project_id, l.packet_version_id, l.created_at, l.expires_at, l.expires_at <= now() as expired,"
        " p.name from public.packet_share_links l join public.projects p on p.id = l.project_id"
        " where l.token in (%s, %s) and l.revoked_at is null and p.status <> 'killed'",
        [_stored(token), token],
    )
    if row is None:
        raise _nothing()
    if row["expired"]:
        raise LinkRefused("This link has expired.", "Ask whoever sent it for a new one.", expired=True)
    if row["packet_version_id"] is not None:
        version = db.fetch_one(
            "select * from public.phase_packet_versions where id = %s and project_id = %s",
            [row["packet_version_id"], row["project_id"]],
        )
    else:
        # A client that knows no versions shared the pitch as it was then.
        version = db.fetch_one(
            "select * from public.phase_packet_versions where project_id = %s and phase = 0 and created_at <= %s"
            " order by version desc limit 1",
            [row["project_id"], row["created_at"]],
        )
    if version is None:
        raise _nothing()
    packet, readable = _shown(version["phase"], version["packet"])
    return SharedPacket(
        project_name=row["name"],
        phase=version["phase"],
        version=version["version"],
        packet=packet,
        readable=readable,
        sources=passages([packet]),
        confidence=version["confidence"],
        verdict=_verdict(packet),
        created_at=version["created_at"],
        expires_at=row["expires_at"],
        sandbox=(version["model"] or "").startswith("sandbox"),
    )


def _nothing() -> NotFound:
    return NotFound(
        "There is nothing under this link.", "Check that it is complete, or ask whoever sent it for a new one."
    )


def _stored(token: str) -> str:
    return _HASHED + sha256_hex(token)


def _shown(phase: int, packet: dict[str, Any]) -> tuple[dict[str, Any], bool]:
    model = SCHEMAS[phase]
    try:
        # What a packet has beyond its model was not written to be read.
        return _without(model.model_validate(packet).model_dump(mode="json")), True
    except ValidationError:
        return _without({key: value for key, value in packet.items() if key in model.model_fields}), False


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in _OWNERS_ONLY}
    return [_without(item) for item in value] if isinstance(value, list) else value


def _verdict(packet: dict[str, Any]) -> str | None:
    said = packet.get("recommendation")
    return said if isinstance(said, str) else None


def _share(row: dict[str, Any], token: str | None = None) -> Share:
    values = {name: row[name] for name in Share.__dataclass_fields__ if name != "token"}
    return Share(**values, token=token)
