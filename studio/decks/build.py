"""From a packet, or a brand brief, to a deck in both its forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from studio.brand import Brand
from studio.decks import html, layouts, pptx
from studio.decks.content import brief, phase0, phase1, phase2, phase3
from studio.decks.content.common import PHASES
from studio.decks.model import Outline, Slide, clean
from studio.errors import InvalidInput
from studio.packets.brand_deck import BrandDeckSpec
from studio.packets.phase0 import Phase0Packet
from studio.packets.phase1 import Phase1Packet
from studio.packets.phase2 import Phase2Packet
from studio.packets.phase3 import Phase3Packet
from studio.packets.versions import PacketVersion
from studio.projects import Project

_Packet = TypeVar("_Packet", bound=BaseModel)


@dataclass(frozen=True)
class Deck:
    """A deck: the presentation's bytes, its HTML twin, and how many slides both have.

    The same packet, brand and project give the same bytes, so that their hashes can be compared.
    """

    pptx: bytes
    html: str
    slides: int


def build(project: Project, packet: PacketVersion, brand: Brand) -> Deck:
    """Return the deck of a packet of phase 0 to 3.

    Raises `InvalidInput` where the phase has no deck, or where the packet is not what its phase asks for, which a
    packet of another client may be; the message names the first field that is wrong.
    """
    return drawn(outline(project, packet, brand), brand, packet.created_at)


def outline(project: Project, packet: PacketVersion, brand: Brand) -> Outline:
    """Return what the deck of a packet says, before it is drawn. Raises as `build` does."""
    name = clean(project.name) or "Untitled project"
    return Outline(
        name=name,
        subject=f"Phase {packet.phase}: {PHASES.get(packet.phase, '')}",
        slides=tuple(_slides(project, packet, brand)),
        keywords=(f"phase {packet.phase}", f"version {packet.version}"),
    )


def brand_brief(spec: BrandDeckSpec, brand: Brand, made_at: datetime) -> Deck:
    """Return the brand brief that a spec describes.

    `brand` is the project's, whatever tokens the spec repeats; `made_at` is the time that the file gives, such as that
    of the packet it belongs to.
    """
    return drawn(brief_outline(spec, brand), brand, made_at)


def brief_outline(spec: BrandDeckSpec, brand: Brand) -> Outline:
    """Return what the brand brief of a spec says, before it is drawn."""
    return Outline(
        name=clean(brand.name) or "Untitled project",
        subject="Brand brief",
        slides=tuple(brief.slides(spec, brand)),
        keywords=("brand",),
    )


def drawn(told: Outline, brand: Brand, made_at: datetime) -> Deck:
    """Return an outline as a deck."""
    pages = layouts.pages(told, brand)
    return Deck(pptx=pptx.render(told, pages, brand, made_at), html=html.render(told, pages, brand), slides=len(pages))


def _slides(project: Project, version: PacketVersion, brand: Brand) -> list[Slide]:
    makers: dict[int, Callable[[], list[Slide]]] = {
        0: lambda: phase0.slides(project, version, read(version, Phase0Packet)),
        1: lambda: phase1.slides(project, version, read(version, Phase1Packet), brand),
        2: lambda: phase2.slides(project, version, read(version, Phase2Packet)),
        3: lambda: phase3.slides(project, version, read(version, Phase3Packet)),
    }
    make = makers.get(version.phase)
    if make is None:
        raise InvalidInput(f"There is no deck for phase {version.phase}.", "Decks exist for the phases 0 to 3.")
    return make()


def read(version: PacketVersion, schema: type[_Packet]) -> _Packet:
    """Return a stored packet as its schema, or raise `InvalidInput` that names the first field that does not fit."""
    try:
        return schema.model_validate(version.packet)
    except ValidationError as exc:
        first: Any = exc.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the packet"
        raise InvalidInput(
            f"Version {version.version} of the phase {version.phase} packet cannot be drawn: {place}: {first['msg']}.",
            "Regenerate the packet, or correct that field.",
        ) from exc
