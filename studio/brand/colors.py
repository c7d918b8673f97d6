"""Colours: sRGB hex in and out, OKLCH for moving them, WCAG 2.2 for judging what can be read.

Lightness is moved in OKLCH, because there a colour keeps its hue and looks evenly lighter or darker
(Björn Ottosson, "A perceptual color space for image processing", 2020). Contrast is WCAG 2.2's ratio, 1 to 21.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Iterable
from typing import NamedTuple

# WCAG 2.2 level AA: success criteria 1.4.3 (text, large text) and 1.4.11 (graphics).
TEXT_CONTRAST = 4.5
GRAPHICS_CONTRAST = 3.0

# Small enough that a repaired colour is not moved visibly further than it has to be.
_LIGHTNESS_STEP = 0.01
# Twelve halvings place a chroma within 0.0001 of the edge of what sRGB can show.
_GAMUT_HALVINGS = 12

_HEX = re.compile(r"#([0-9a-fA-F]{6}|[0-9a-fA-F]{3})(?![0-9a-fA-F])")


class Oklch(NamedTuple):
    """A colour by lightness (0 to 1), chroma (0 to about 0.37) and hue (degrees)."""

    lightness: float
    chroma: float
    hue: float


def find_hex(text: str) -> str | None:
    """Return the first hex colour in `text` as `#RRGGBB`, None where there is none."""
    found = _HEX.search(text)
    if found is None:
        return None
    digits = found.group(1)
    return "#" + ("".join(d * 2 for d in digits) if len(digits) == 3 else digits).upper()


def channels(color: str) -> tuple[int, int, int]:
    """Return red, green and blue of `#RRGGBB`, each 0 to 255."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


@functools.lru_cache(maxsize=4096)
def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2.2, 0 for black to 1 for white."""
    red, green, blue = (_linear(value / 255) for value in channels(color))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    """Return the contrast ratio of two colours `#RRGGBB`, 1 to 21."""
    darker, lighter = sorted((luminance(a), luminance(b)))
    return (lighter + 0.05) / (darker + 0.05)


def readable(on: str, *preferred: str) -> str:
    """Return a text colour for the ground `on`: the first preferred one that is legible, else black or white."""
    for color in preferred:
        if contrast(color, on) >= TEXT_CONTRAST:
            return color
    return max("#FFFFFF", "#000000", key=lambda color: contrast(color, on))


def legible(color: str, on: Iterable[str], ratio: float = TEXT_CONTRAST) -> str:
    """Return `color` with its lightness moved as little as possible until it has `ratio` against every ground.

    Where no lightness of its hue does, black or white, whichever is the better.
    """
    grounds = list(on)

    def holds(candidate: str) -> bool:
        return all(contrast(candidate, ground) >= ratio for ground in grounds)

    if holds(color):
        return color
    light, chroma, hue = oklch(color)
    for step in range(1, math.ceil(1 / _LIGHTNESS_STEP) + 1):
        for moved in (light - step * _LIGHTNESS_STEP, light + step * _LIGHTNESS_STEP):
            if 0 <= moved <= 1 and holds(candidate := from_oklch(moved, chroma, hue)):
                return candidate
    return max("#FFFFFF", "#000000", key=lambda ink: min(contrast(ink, ground) for ground in grounds))


def mix(a: str, b: str, share: float) -> str:
    """Return `a` with `share` (0 to 1) of `b` laid over it, channel by channel as a renderer blends."""
    return "#" + "".join(f"{round(x + (y - x) * share):02X}" for x, y in zip(channels(a), channels(b), strict=True))


def oklch(color: str) -> Oklch:
    """Return `#RRGGBB` as OKLCH."""
    red, green, blue = (_linear(value / 255) for value in channels(color))
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return Oklch(min(1.0, lightness), math.hypot(a, b), math.degrees(math.atan2(b, a)) % 360)


def from_oklch(lightness: float, chroma: float, hue: float) -> str:
    """Return OKLCH as `#RRGGBB`; what sRGB cannot show loses chroma, not lightness or hue."""
    if _inside(rgb := _to_rgb(lightness, chroma, hue)):
        return _hex(rgb)
    low, high = 0.0, chroma
    for _ in range(_GAMUT_HALVINGS):
        middle = (low + high) / 2
        if _inside(_to_rgb(lightness, middle, hue)):
            low = middle
        else:
            high = middle
    return _hex(_to_rgb(lightness, low, hue))


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4


def _gamma(value: float) -> float:
    return 12.92 * value if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055


def _to_rgb(lightness: float, chroma: float, hue: float) -> tuple[float, float, float]:
    a, b = chroma * math.cos(math.radians(hue)), chroma * math.sin(math.radians(hue))
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )


def _inside(rgb: tuple[float, float, float]) -> bool:
    # Half of an 8-bit step at black, where steps are smallest: what rounds into the gamut is inside it.
    return all(-0.0002 <= value <= 1.0002 for value in rgb)


def _hex(rgb: tuple[float, float, float]) -> str:
    return "#" + "".join(f"{round(255 * _gamma(min(1.0, max(0.0, value)))):02X}" for value in rgb)
