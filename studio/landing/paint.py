"""The colours of style sheets as channels: what a token names, as far as it can be known."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from tinycss2.color5 import parse_color

from studio.brand.colors import channels, from_oklch
from studio.landing.media import Scheme

# No screen shows more; a page may write any number, and roots and powers of it would overflow.
_MAX_COORDINATE = 1000.0
# What is left out, or is no finite number, counts as nothing.
_NOTHING = 0.0


class Rgba(NamedTuple):
    """A colour; channels and alpha from 0 to 1."""

    red: float
    green: float
    blue: float
    alpha: float

    @property
    def hex(self) -> str:
        """As `#RRGGBB`, without the alpha."""
        return "#" + "".join(f"{round(255 * min(1, max(0, channel))):02X}" for channel in self[:3])

    def over(self, ground: Rgba) -> Rgba:
        """Return this colour as it looks on an opaque ground."""
        red, green, blue = (a * self.alpha + b * (1 - self.alpha) for a, b in zip(self[:3], ground[:3], strict=True))
        return Rgba(red, green, blue, 1.0)


WHITE, BLACK, CLEAR = Rgba(1, 1, 1, 1), Rgba(0, 0, 0, 1), Rgba(0, 0, 0, 0)


def color_of(token: Any, scheme: Scheme, current: Rgba | None = None) -> Rgba | None:
    """Return the colour that a token names, None where it names none that is known.

    `current` is what `currentcolor` stands for. Accepts any token, with any numbers in it.
    """
    try:
        parsed = parse_color(token, (scheme,))
    except (ValueError, AttributeError, TypeError, IndexError, ArithmeticError):
        return None
    if parsed is None:
        return None
    if parsed == "currentcolor":
        return current
    alpha = min(1.0, max(0.0, _number(parsed.alpha)))
    if parsed.space == "oklch":
        lightness, chroma, hue = map(_number, parsed.coordinates)
        red, green, blue = (value / 255 for value in channels(from_oklch(lightness, chroma, hue)))
        return Rgba(red, green, blue, alpha)
    try:
        red, green, blue = map(_number, parsed.to("srgb").coordinates)
    # tinycss2's own word for a space that it cannot convert.
    except (NotImplementedError, ValueError, ArithmeticError):
        return None
    return Rgba(red, green, blue, alpha)


def _number(value: Any) -> float:
    number = float(value or _NOTHING)
    return min(_MAX_COORDINATE, max(-_MAX_COORDINATE, number)) if math.isfinite(number) else _NOTHING
