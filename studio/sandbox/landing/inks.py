"""Colours for a page: tints and shades of the brand's two accents, and what can be read on them."""

from __future__ import annotations

from dataclasses import dataclass

from studio.brand.colors import contrast, from_oklch, legible, oklch, readable

# Colours with less than this are greys, whose hue is an accident of rounding.
_GREY = 0.025


@dataclass(frozen=True)
class Inks:
    """The brand's colours as `#RRGGBB`: ground and text, accent and second accent, as they were given."""

    ground: str
    text: str
    accent: str
    second: str

    def a(self, lightness: float, chroma: float | None = None) -> str:
        """Return a tint or shade of the accent; its own chroma where none is given."""
        return _toned(self.accent, lightness, chroma)

    def b(self, lightness: float, chroma: float | None = None) -> str:
        """Return a tint or shade of the second accent."""
        return _toned(self.second, lightness, chroma)

    def between(self, share: float, lightness: float, chroma: float) -> str:
        """Return a colour whose hue lies `share` of the shorter way from the accent to the second accent."""
        one, other = oklch(self.accent).hue, oklch(self.second).hue
        way = (other - one + 180) % 360 - 180
        return from_oklch(lightness, chroma, (one + share * way) % 360)

    def beyond(self, degrees: float, lightness: float, chroma: float) -> str:
        """Return a colour whose hue lies `degrees` from the accent's."""
        return from_oklch(lightness, chroma, (oklch(self.accent).hue + degrees) % 360)

    @property
    def ink(self) -> str:
        """The darkest colour: the brand's text where that is dark, else a shade of its accent."""
        dark = min((self.text, self.ground), key=lambda color: oklch(color).lightness)
        lightness, chroma, hue = oklch(dark)
        return from_oklch(min(lightness, 0.24), min(chroma, 0.05), hue)

    def paper(self, lightness: float = 0.965, chroma: float = 0.014) -> str:
        """Return a light ground with a breath of the brand's hue."""
        light = max((self.text, self.ground), key=lambda color: oklch(color).lightness)
        own = oklch(light)
        return from_oklch(lightness, min(chroma, own.chroma * 1.8 + 0.003), own.hue)

    def swapped(self) -> Inks:
        """Return the same colours with the accents in each other's place."""
        return Inks(self.ground, self.text, self.second, self.accent)


def _toned(color: str, lightness: float, chroma: float | None) -> str:
    _, own, hue = oklch(color)
    wanted = own if chroma is None else chroma
    return from_oklch(lightness, min(wanted, own) if own < _GREY else wanted, hue)


def on(ground: str, *preferred: str) -> str:
    """Return what can be read on `ground`: the first of the preferred colours that can, else black or white."""
    return readable(ground, *preferred)


def legible_on(color: str, *grounds: str, ratio: float = 4.6) -> str:
    """Return `color`, moved in lightness as little as it takes to be read on every one of the `grounds`."""
    return legible(color, grounds, ratio)


def apart(color: str, other: str) -> bool:
    """Return whether two colours can be told apart where they meet."""
    return contrast(color, other) >= 1.5
