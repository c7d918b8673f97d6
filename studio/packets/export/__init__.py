"""A packet as a PDF: the same version gives the same bytes, and is stored once.

parts       what a printed packet is made of
content     from a packet to those parts
typefaces   the fonts that show its characters
sheet       lines and pages
drawing     the parts on the sheet
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

from studio import assets, projects
from studio.assets import Asset
from studio.database.connection import Database
from studio.errors import NotFound
from studio.packets import versions
from studio.packets.evidence import passages
from studio.packets.export.content import paper
from studio.packets.fields import Source
from studio.packets.versions import PacketVersion
from studio.storage.base import Storage
from studio.text import sha256_hex

KIND = "packet_export"
MIME_TYPE = "application/pdf"
# Raise it with every change of content or drawing: what was stored before is then made anew.
FORMAT = 1
_NAME_CHARS = 60


def pdf(version: PacketVersion, project_name: str, sources: Sequence[Source] | None = None) -> bytes:
    """Return the PDF of a packet version; `sources` are the passages it rests on, by default those it names.

    Whatever stands in the packet is printed: a character that no font has is replaced by a mark, and a packet that is
    not in the studio's shape is printed as it is stored. The document's date is the version's.
    """
    # Here, because importing the PDF library takes longer than most commands.
    from studio.packets.export.drawing import drawn

    found = passages([version.packet]) if sources is None else sources
    return drawn(paper(version, project_name, found), version.created_at)


def exported(db: Database, storage: Storage, project_id: UUID, phase: int, version: int | None = None) -> Asset:
    """Return the stored PDF of a packet version, by default the latest; it is made the first time somebody asks.

    It is made anew after the project got another name. Raise `NotFound` where there is no such project or version,
    `StorageError` where it cannot be stored.
    """
    project = projects.get(db, project_id)
    found = versions.numbered(db, project_id, phase, version)
    if found is None:
        raise NotFound(f"The project has no such packet of phase {phase}.", "See `greenlight projects show`.")
    made_of = sha256_hex(f"{FORMAT}\n{found.id}\n{project.name}")
    for asset in assets.find(db, project_id, phase=phase, kind=KIND):
        if asset.metadata.get("made_of") == made_of:
            return asset
    name = f"{_slug(project.name)}-phase-{phase}-v{found.version}.pdf"
    return assets.store(
        assets.writing(db),
        storage,
        project_id,
        phase=phase,
        kind=KIND,
        path=f"{project_id}/phase-{phase}/exports/{name}",
        data=pdf(found, project.name),
        filename=name,
        mime_type=MIME_TYPE,
        metadata={"made_of": made_of, "packet_version": found.version, "packet_version_id": str(found.id)},
        created_by="studio",
    )


def _slug(name: str) -> str:
    words = re.sub(r"[^a-z0-9]+", "-", name.lower())[:_NAME_CHARS].strip("-")
    return words or "packet"
