"""The brand's colours as a page uses them: exactly those of the decks, and tints that are mixed from nothing else.

`studio.brand` has settled which colours can be read where; a page only says which of them stands for what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.brand.colors import TEXT_CONTRAST, contrast, mix, readable
from studio.brand.palette import Palette, turned

# How much of a colour a tint holds. Few steps: a page is printed in few inks.
TINTS = (0.08, 0.16, 0.3, 0.5, 0.75)
# From here on two colours can be told apart where they meet.
_APART = 1.5


@dataclass(frozen=True)
class Inks:
    """A palette on one of its two grounds. `first` and `second` fill large areas, as they do in the decks."""

    palette: Palette
    first: str
    second: str

    @classmethod
    def of(cls, palette: Palette) -> Inks:
        """Return the inks of a palette."""
        return cls(palette, palette.accent_fill, palette.secondary_fill)

    @property
    def paper(self) -> str:
        """The ground of the page."""
        return self.palette.background

    @property
    def sheet(self) -> str:
        """The ground of what lies on the page."""
        return self.palette.surface

    @property
    def ink(self) -> str:
        """The colour of text."""
        return self.palette.text

    @property
    def soft(self) -> str:
        """The colour of lesser text."""
        return self.palette.muted_text

    @property
    def spot(self) -> str:
        """The accent as a colour of text."""
        return self.palette.accent_text

    @property
    def line(self) -> str:
        """The accent as a colour of lines."""
        return self.palette.accent

    @property
    def second_line(self) -> str:
        """The second accent as a colour of lines."""
        return self.palette.accent_secondary

    @property
    def second_spot(self) -> str:
        """The second accent as a colour of text, the first where the second cannot be read."""
        read = all(contrast(self.second_line, ground) >= TEXT_CONTRAST for ground in (self.paper, self.sheet))
        return self.second_line if read else self.spot

    @property
    def other(self) -> Inks:
        """The same colours on the palette's other ground."""
        return replace(self, palette=turned(self.palette))

    @property
    def dark(self) -> Inks:
        """The inks on the darker one of the two grounds."""
        return self if self.palette.dark else self.other

    @property
    def light(self) -> Inks:
        """The inks on the lighter one of the two grounds."""
        return self.other if self.palette.dark else self

    @property
    def scheme(self) -> str:
        """The colour scheme of the ground, as CSS names it."""
        return "dark" if self.palette.dark else "light"

    @property
    def schemes(self) -> str:
        """Both colour schemes, the brand's own first."""
        return "dark light" if self.palette.dark else "light dark"

    def on(self, fill: str) -> str:
        """Return the colour of text on a fill: the page's ground or text where those can be read, as in the decks."""
        return readable(fill, self.paper, self.ink)

    def tint(self, color: str, share: float) -> str:
        """Return the page's ground with a share of a colour, one of `TINTS`, laid over it."""
        if share not in TINTS:
            raise ValueError(f"A tint has one of the shares {TINTS}, not {share}.")
        return mix(self.paper, color, share)

    def wash(self, color: str) -> str:
        """Return the strongest tint of a colour on which the page's text can be read."""
        return next(
            (
                washed
                for share in reversed(TINTS)
                if contrast(self.ink, washed := self.tint(color, share)) >= TEXT_CONTRAST
            ),
            self.sheet,
        )

    def beside(self, color: str) -> str:
        """Return the second fill where it can be told from `color`, else the text's or the ground's colour."""
        return next((one for one in (self.second, self.ink, self.paper) if apart(one, color)), self.ink)

    def swapped(self) -> Inks:
        """Return the same colours with the fills in each other's place."""
        return replace(self, first=self.second, second=self.first)


def apart(color: str, other: str) -> bool:
    """Return whether two colours can be told apart where they meet."""
    return contrast(color, other) >= _APART
