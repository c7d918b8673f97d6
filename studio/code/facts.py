"""What the coder is told of a project: the request, the packets, the brand, what is remembered, the files there are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from studio import memory
from studio.brand import brand_of
from studio.company import context as company_context
from studio.database.connection import Database
from studio.packets import versions
from studio.packets.digest import digest
from studio.packets.phase1 import BrandKit
from studio.packets.versions import PacketVersion
from studio.projects import Project
from studio.text import clip

# As much of an idea as other agents read.
IDEA_CHARS = 20_000
# A large repository is looked at with the tools.
FILES_SHOWN = 400


def facts(db: Database, project: Project, request: str, paths: Sequence[str]) -> dict[str, Any]:
    """Return the parts of the coder's prompt, plain JSON; `paths` are those of the workspace."""
    packets = versions.all_latest(db, project.id)
    return {
        "project": {"name": project.name, "domain": project.domain, "phase": project.phase},
        "idea": clip(project.idea_description, IDEA_CHARS),
        "request": request,
        "packets": {f"phase_{packet.phase}": digest(packet.packet) for packet in packets} or None,
        "brand": _brand(project, packets),
        "company": company_context(db, project.id),
        "memory": memory.prompt_block(memory.recall(db, project.id)),
        "files": _listed(paths),
    }


def _brand(project: Project, packets: Sequence[PacketVersion]) -> dict[str, Any] | None:
    """Return the colours and fonts that decks and pages are drawn in; None where no brand kit was made yet."""
    kit = next((packet.packet.get("brand_kit") for packet in packets if packet.phase == 1), None)
    try:
        brand = brand_of(BrandKit.model_validate(kit), project.idea_description, project.name) if kit else None
    except ValidationError:
        # A packet of another client: its kit is no ground to draw on.
        return None
    if brand is None:
        return None
    return {
        "voice": brand.voice,
        "colors": brand.palette.colors(),
        "heading_font": brand.heading_stack,
        "body_font": brand.body_stack,
    }


def _listed(paths: Sequence[str]) -> list[str]:
    shown = sorted(paths)[:FILES_SHOWN]
    left = len(paths) - len(shown)
    return [*shown, f"… and {left:,} more"] if left else shown
