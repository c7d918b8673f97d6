"""A brand: the colours, fonts and looks in which everything of a project is drawn, legible by construction.

| module | what it holds |
|---|---|
| `colors` | hex, OKLCH and contrast |
| `palette` | six colours by role, repaired until they can be read |
| `fonts` | typefaces that can be counted on, and relatives of those that cannot |
| `look` | compositions, patterns and marks that follow from the idea |
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.brand import fonts, palette
from studio.brand.colors import contrast, readable
from studio.brand.fonts import PAIRINGS, Typeface
from studio.brand.look import Look, Lot, look
from studio.brand.palette import Palette, turned
from studio.packets.phase1 import BrandKit

__all__ = ["Brand", "Look", "Palette", "brand_of", "contrast", "readable", "turned"]


@dataclass(frozen=True)
class Brand:
    """A project's colours (`#RRGGBB`), fonts and looks. Every text colour can be read on the grounds it is meant for.

    `heading_font` and `body_font` can be counted on; `wanted_heading` and `wanted_body` are the names that the brand
    kit asks for, empty where it asks for none.
    """

    name: str
    palette: Palette
    heading: Typeface
    body: Typeface
    look: Look
    wanted_heading: str = ""
    wanted_body: str = ""
    voice: str = ""

    @property
    def background(self) -> str:
        """The ground of pages."""
        return self.palette.background

    @property
    def surface(self) -> str:
        """The ground of cards and bands; carries the same text colours as the background."""
        return self.palette.surface

    @property
    def text(self) -> str:
        """The colour of text."""
        return self.palette.text

    @property
    def muted_text(self) -> str:
        """The colour of lesser text; 4.5:1 all the same."""
        return self.palette.muted_text

    @property
    def accent(self) -> str:
        """The main colour of fills and graphics: 3:1 against the grounds, so not for small text."""
        return self.palette.accent

    @property
    def accent_secondary(self) -> str:
        """The second colour of fills and graphics."""
        return self.palette.accent_secondary

    @property
    def accent_text(self) -> str:
        """The accent where it is the colour of text."""
        return self.palette.accent_text

    @property
    def on_accent(self) -> str:
        """The colour of text on the accent."""
        return self.palette.on_accent

    @property
    def on_accent_secondary(self) -> str:
        """The colour of text on the second accent."""
        return self.palette.on_accent_secondary

    @property
    def accent_fill(self) -> str:
        """The accent as the brand has it, for large fills and ornament; text on it is `on_accent_fill`."""
        return self.palette.accent_fill

    @property
    def secondary_fill(self) -> str:
        """The second accent as the brand has it, for ornament."""
        return self.palette.secondary_fill

    @property
    def on_accent_fill(self) -> str:
        """The colour of text on a large fill of the accent."""
        return self.palette.on_accent_fill

    @property
    def heading_font(self) -> str:
        """The name of the heading font."""
        return self.heading.name

    @property
    def body_font(self) -> str:
        """The name of the body font."""
        return self.body.name

    @property
    def heading_stack(self) -> str:
        """The heading font as a CSS font-family list."""
        return self.heading.stack(self.wanted_heading)

    @property
    def body_stack(self) -> str:
        """The body font as a CSS font-family list."""
        return self.body.stack(self.wanted_body)

    @property
    def dark(self) -> bool:
        """Whether pages are dark."""
        return self.palette.dark

    @property
    def repairs(self) -> tuple[str, ...]:
        """What of the brand's own colours was moved to be legible, and why."""
        return self.palette.repairs


def brand_of(kit: BrandKit | None, seed: str, name: str = "") -> Brand:
    """Return the brand of a project: the kit's colours and fonts where there is one, else those of the seed.

    `seed` is the idea: the same idea always looks the same, and unlike ideas look unlike, also under similar kits.
    Colours that could not be read are moved in lightness until they can; `repairs` says which.
    """
    if kit is None:
        heading, body = Lot(seed).choice("pairing", PAIRINGS)
        return Brand(name, palette.from_seed(seed), heading, body, look(seed))
    wanted_heading, wanted_body = fonts.pair(kit.font_pairing)
    return Brand(
        name=name,
        palette=palette.from_entries(kit.color_palette, seed),
        heading=fonts.typeface(wanted_heading),
        body=fonts.typeface(wanted_body),
        look=look(seed),
        wanted_heading=wanted_heading,
        wanted_body=wanted_body,
        voice=kit.voice,
    )
