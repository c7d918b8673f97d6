"""Deliverables: what a phase hands over beside its packet, listed with the packet, made or not.

The list is `phase_packets.deliverables`, one entry per kind and label (domain specification §4). What could not be
made stands there with the reason, so that nobody waits for it or takes it for done.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel

from studio.assets import Asset
from studio.database.connection import Connection
from studio.errors import InvalidInput, ModelError, SettingsError, StorageError, StudioError
from studio.packets import versions
from studio.packets.versions import PacketVersion

# stored: it can be opened; failed: making it was tried; missing: nothing here can make it.
Status = Literal["stored", "failed", "missing"]

# What may go wrong with an optional part without taking the packet with it. Whatever concerns the whole job (its
# claim, its budget, the database, an interrupt) is not among these.
DEGRADING: tuple[type[StudioError], ...] = (ModelError, StorageError, InvalidInput, SettingsError)


class Deliverable(BaseModel):
    """One entry. `content_hash` is the SHA-256 of exactly the stored bytes in hex."""

    kind: str
    label: str
    status: Status
    storage_path: str | None = None
    url: str | None = None
    asset_id: UUID | None = None
    content_hash: str | None = None
    score: int | None = None
    error: str | None = None
    generated_at: datetime | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """By what an entry replaces another."""
        return self.kind, self.label


def stored(kind: str, label: str, asset: Asset, *, score: int | None = None) -> Deliverable:
    """Return the entry of a stored asset."""
    return Deliverable(
        kind=kind,
        label=label,
        status="stored",
        storage_path=asset.storage_path,
        asset_id=asset.id,
        content_hash=asset.content_hash,
        score=score,
        generated_at=datetime.now(UTC),
    )


def lacking(kind: str, label: str, status: Literal["failed", "missing"], reason: str) -> Deliverable:
    """Return the entry of something that is not there, with the reason."""
    return Deliverable(kind=kind, label=label, status=status, error=reason)


def enlist(conn: Connection, version: PacketVersion, entries: Iterable[Deliverable]) -> list[Deliverable]:
    """List the entries with the packet, in the caller's transaction; return those that say something new.

    A packet that a newer one has overtaken is not listed with any more: nothing happens then.
    """
    versions.hold_latest(conn, version.project_id, version.phase)
    if not versions.is_latest(conn, version):
        return []
    listed = {entry.identity: entry for entry in listed_in(conn, version.project_id, version.phase)}
    news = [entry for entry in entries if not _says(listed.get(entry.identity), entry)]
    listed |= {entry.identity: entry for entry in news}
    _write(conn, version, listed.values())
    return news


def begin(conn: Connection, version: PacketVersion, entries: Iterable[Deliverable]) -> None:
    """Start the list of a new version, in the caller's transaction: what its predecessor had made is not its own."""
    _write(conn, version, entries)


def listed_in(conn: Connection, project_id: UUID, phase: int) -> list[Deliverable]:
    """Return the deliverables of the latest packet of a phase that this studio has listed."""
    row = conn.execute(
        "select deliverables from public.phase_packets where project_id = %s and phase = %s", [project_id, phase]
    ).fetchone()
    found = row["deliverables"] if row else None
    # Other clients keep entries of their own; they have no asset of ours behind them.
    return [Deliverable.model_validate(item) for item in found or [] if isinstance(item, dict) and "status" in item]


def _says(known: Deliverable | None, entry: Deliverable) -> bool:
    unchanged = {"generated_at"}
    return known is not None and known.model_dump(exclude=unchanged) == entry.model_dump(exclude=unchanged)


def _write(conn: Connection, version: PacketVersion, entries: Iterable[Deliverable]) -> None:
    listed = [entry.model_dump(mode="json", exclude_none=True) for entry in entries]
    conn.execute(
        "update public.phase_packets set deliverables = %s::jsonb where project_id = %s and phase = %s"
        " and version_id = %s",
        [json.dumps(listed), version.project_id, version.phase, version.id],
    )
