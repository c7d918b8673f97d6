"""A version of a packet with everything around it: its other versions, its gate, its files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studio import deliverables
from studio.database.connection import Connection, Database
from studio.deliverables import Deliverable
from studio.errors import NotFound
from studio.packets.versions import PacketVersion, get_in
from studio.projects import Project
from studio.views.project import PHASES, Asked, GateHead, Head, PhaseJob, asked, gates, heads_of, phase_jobs


@dataclass(frozen=True)
class File:
    """A deliverable with what its asset says of it."""

    entry: Deliverable
    filename: str | None
    mime_type: str | None
    size_bytes: int | None
    metadata: dict[str, Any]

    @property
    def html(self) -> bool:
        """Whether it is a page that can be looked at in a frame."""
        return self.entry.status == "stored" and (self.mime_type or "").startswith("text/html")


@dataclass(frozen=True)
class PacketPage:
    """A packet version with everything around it. `files` are the latest version's, as the list belongs to it."""

    version: PacketVersion
    heads: list[Head]
    gate: GateHead | None
    job: PhaseJob | None
    files: list[File]
    asked: list[Asked]

    @property
    def head(self) -> Head:
        """The version that is shown, without its content."""
        return next(head for head in self.heads if head.id == self.version.id)

    @property
    def is_latest(self) -> bool:
        """Whether it is the newest version."""
        return self.heads[0].id == self.version.id


def packet_page(db: Database, project: Project, phase: int, version: int | None = None) -> PacketPage | None:
    """Return a version of a phase's packet, by default the latest; None where the phase has none yet.

    Raise `NotFound` for a phase or a version there is not.
    """
    if phase not in PHASES:
        raise NotFound(f"There is no phase {phase}.", "The phases are 0 to 3.")
    with db.connection() as conn:
        heads = heads_of(conn, project.id, phase)
        if not heads:
            if version is not None:
                raise NotFound(f"There is no version {version} of this packet.", "It has not been made yet.")
            return None
        head = next((head for head in heads if version in (None, head.version)), None)
        if head is None:
            raise NotFound(f"There is no version {version} of this packet.", f"The newest is {heads[0].version}.")
        return PacketPage(
            version=get_in(conn, head.id),
            heads=heads,
            gate=next((gate for gate in gates(conn, project.id) if gate.phase == phase), None),
            job=next((job for job in phase_jobs(conn, project.id) if job.phase == phase), None),
            files=_files(conn, project.id, deliverables.listed_in(conn, project.id, phase)),
            asked=[one for one in asked(conn, project.id) if one.phase == phase],
        )


def find_version(db: Database, project: Project, phase: int, version: int) -> PacketVersion:
    """Return one version of a packet; raise `NotFound`."""
    found = packet_page(db, project, phase, version)
    assert found is not None  # noqa: S101 - a version that is asked for is there, or an error
    return found.version


def _files(conn: Connection, project_id: UUID, entries: Sequence[Deliverable]) -> list[File]:
    rows = conn.execute(
        "select id, filename, mime_type, size_bytes, metadata from public.project_assets"
        " where project_id = %s and id = any(%s)",
        [project_id, [entry.asset_id for entry in entries if entry.asset_id is not None]],
    ).fetchall()
    known = {row["id"]: row for row in rows}
    return [_file(entry, known.get(entry.asset_id) if entry.asset_id is not None else None) for entry in entries]


def _file(entry: Deliverable, row: dict[str, Any] | None) -> File:
    if row is None:
        return File(entry, None, None, None, {})
    metadata = row["metadata"] if isinstance(row["metadata"], dict) else {}
    return File(entry, row["filename"], row["mime_type"], row["size_bytes"], metadata)
