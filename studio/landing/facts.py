"""What a landing page is made from, and what of it stands in the prompts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studio.brand import Brand, brand_of, turned
from studio.landing.form import WAITLIST_ACTION
from studio.packets.phase1 import BrandKit, LandingCopy
from studio.text import canonical_json, clip, sha256_hex

# A page is made from its copy; of the idea it needs the gist (domain specification §3).
IDEA_CHARS = 400


@dataclass(frozen=True)
class LandingFacts:
    """A project's landing page before it is drawn. `form_fields` are the waitlist's, in words; e-mail always is one."""

    project_id: UUID
    name: str
    idea: str
    copy: LandingCopy
    brand_kit: BrandKit
    form_fields: tuple[str, ...] = ()
    guidance: str | None = None
    waitlist_action: str = WAITLIST_ACTION

    @property
    def gist(self) -> str:
        """The idea as the designer reads it."""
        return clip(" ".join(self.idea.split()), IDEA_CHARS)

    @property
    def brand(self) -> Brand:
        """The brand as decks and documents are drawn in it: the page has these colours and fonts and no others."""
        return brand_of(self.brand_kit, self.idea, self.name)

    @property
    def known(self) -> tuple[str, ...]:
        """Everything that a page may speak of besides its copy."""
        return (self.name, self.idea, *self.form_fields, self.guidance or "")

    def for_prompt(self) -> dict[str, Any]:
        """Return the blocks that every call about the page gets."""
        copy = self.copy.model_dump(exclude={"launch_notes"})
        brand = self.brand
        settled = {
            "colors": brand.palette.colors(),
            "colors_for_the_other_scheme": turned(brand.palette).colors(),
            "fonts": {"headings": brand.heading_stack, "text": brand.body_stack},
        }
        return {
            "project": {"name": self.name},
            "idea": self.gist,
            "guidance": self.guidance,
            "brand": {**self.brand_kit.model_dump(), **settled},
            "landing": {**copy, "form_fields": list(self.form_fields) or ["E-mail"]},
        }

    @property
    def context_hash(self) -> str:
        """Sixteen hex digits that change with whatever the page is made from."""
        return sha256_hex(canonical_json([self.for_prompt(), str(self.project_id), self.waitlist_action]))[:16]
