"""Packet versions: immutable, numbered per project and phase; `phase_packets` points at the latest."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.errors import NotFound
from studio.model.spend import Spent


@dataclass(frozen=True)
class PacketVersion:
    """One version of a packet, with where it came from."""

    id: UUID
    project_id: UUID
    phase: int
    version: int
    packet: dict[str, Any]
    confidence: int
    synopsis: dict[str, Any]
    source_job_id: UUID | None
    model: str | None
    prompt_version: str | None
    cost_micros: int | None
    created_at: datetime


def _version(row: dict[str, Any]) -> PacketVersion:
    return PacketVersion(**{name: row[name] for name in PacketVersion.__dataclass_fields__})


def save(
    conn: Connection,
    project_id: UUID,
    phase: int,
    packet: dict[str, Any],
    *,
    synopsis: dict[str, Any],
    job_id: UUID,
    claim_no: int,
    model: str,
    prompt_version: str,
    spent: Spent,
    provenance: dict[str, Any],
) -> PacketVersion:
    """Add a version in the caller's transaction and make it the project's latest of that phase."""
    row = conn.execute(
        "insert into public.phase_packet_versions (project_id, phase, packet, confidence, synopsis, source_job_id,"
        " claim_no, model, prompt_version, cost_micros, input_tokens, output_tokens, provenance)"
        " values (%s, %s, %s::jsonb, %s, %s::jsonb, %s, %s, %s, %s, %s, %s, %s, %s::jsonb) returning *",
        [
            project_id,
            phase,
            json.dumps(packet),
            synopsis["confidence"],
            json.dumps(synopsis),
            job_id,
            claim_no,
            model,
            prompt_version,
            spent.cost_micros,
            spent.input_tokens,
            spent.output_tokens,
            json.dumps(provenance),
        ],
    ).fetchone()
    assert row is not None  # noqa: S101 - an insert returns its row
    conn.execute(
        "insert into public.phase_packets (project_id, phase, version_id) values (%s, %s, %s)"
        " on conflict (project_id, phase) do update set version_id = excluded.version_id",
        [project_id, phase, row["id"]],
    )
    return _version(row)


def get(db: Database, version_id: UUID) -> PacketVersion:
    """Return a version by id, or raise `NotFound`."""
    with db.connection() as conn:
        return get_in(conn, version_id)


def get_in(conn: Connection, version_id: UUID) -> PacketVersion:
    """Return a version by id as the caller's transaction sees it, or raise `NotFound`."""
    row = conn.execute("select * from public.phase_packet_versions where id = %s", [version_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no packet version {version_id}.", "See `greenlight projects show`.")
    return _version(row)


def hold_latest(conn: Connection, project_id: UUID, phase: int) -> None:
    """Let no other packet become the latest of the phase until the caller's transaction ends."""
    conn.execute("select public.hold_phase_packet(%s, %s)", [project_id, phase])


def is_latest(conn: Connection, version: PacketVersion) -> bool:
    """Whether the version is the project's latest of its phase; lasting only under `hold_latest`."""
    row = conn.execute(
        "select 1 from public.phase_packets where project_id = %s and phase = %s and version_id = %s",
        [version.project_id, version.phase, version.id],
    ).fetchone()
    return row is not None


def last_made_by_job(conn: Connection, job_id: UUID) -> datetime | None:
    """Return when the job last made a version, None where it has made none."""
    row = conn.execute(
        "select max(created_at) as made_at from public.phase_packet_versions where source_job_id = %s", [job_id]
    ).fetchone()
    return row["made_at"] if row else None


def latest(db: Database, project_id: UUID, phase: int) -> PacketVersion | None:
    """Return the project's latest packet of `phase`, or None."""
    row = db.fetch_one(
        "select v.* from public.phase_packets p join public.phase_packet_versions v on v.id = p.version_id"
        " where p.project_id = %s and p.phase = %s",
        [project_id, phase],
    )
    return _version(row) if row else None


def numbered(db: Database, project_id: UUID, phase: int, version: int | None) -> PacketVersion | None:
    """Return the packet of a phase with this number, None for the latest; None where there is no such version."""
    if version is None:
        return latest(db, project_id, phase)
    row = db.fetch_one(
        "select * from public.phase_packet_versions where project_id = %s and phase = %s and version = %s",
        [project_id, phase, version],
    )
    return _version(row) if row else None


def all_latest(db: Database, project_id: UUID) -> list[PacketVersion]:
    """Return the project's latest packet of every phase that has one, in the order of the phases."""
    rows = db.fetch_all(
        "select v.* from public.phase_packets p join public.phase_packet_versions v on v.id = p.version_id"
        " where p.project_id = %s order by p.phase",
        [project_id],
    )
    return [_version(row) for row in rows]


def history(db: Database, project_id: UUID, phase: int) -> list[PacketVersion]:
    """Return all versions of a packet, the newest first."""
    rows = db.fetch_all(
        "select * from public.phase_packet_versions where project_id = %s and phase = %s order by version desc",
        [project_id, phase],
    )
    return [_version(row) for row in rows]
