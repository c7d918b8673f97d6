"""Typefaces: names that PowerPoint, LibreOffice and a browser have, or have a font of the same widths for.

A deck cannot carry a font along. A name outside this list is therefore shown in its nearest relative here, and the
HTML asks for the name first, for whoever has it installed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["serif", "sans", "mono"]


@dataclass(frozen=True)
class Typeface:
    """A typeface that can be counted on, and what stands in for it elsewhere."""

    name: str
    kind: Kind
    fallbacks: tuple[str, ...]
    # Share of the type size from one baseline to the next, the larger of the font's and its stand-in's.
    line_height: float

    def stack(self, *wanted: str) -> str:
        """Return the CSS font-family list, with the names that were wished for first."""
        generic = {"serif": "serif", "sans": "sans-serif", "mono": "monospace"}[self.kind]
        names = dict.fromkeys(name for name in (*wanted, self.name, *self.fallbacks) if _PLAIN_NAME.fullmatch(name))
        return ", ".join([*(f"'{name}'" for name in names), generic])


# What may stand between quotes in a style sheet without a thought.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,78}")

ARIAL = Typeface("Arial", "sans", ("Liberation Sans", "Helvetica"), 1.15)
NARROW = Typeface("Arial Narrow", "sans", ("Liberation Sans Narrow", "Helvetica Neue Condensed"), 1.15)
VERDANA = Typeface("Verdana", "sans", ("DejaVu Sans", "Bitstream Vera Sans"), 1.22)
TIMES = Typeface("Times New Roman", "serif", ("Liberation Serif", "Times"), 1.15)
PALATINO = Typeface("Palatino Linotype", "serif", ("Palatino", "P052", "Book Antiqua"), 1.35)
BOOKMAN = Typeface("Bookman Old Style", "serif", ("URW Bookman", "Bookman"), 1.2)
SCHOOLBOOK = Typeface("Century Schoolbook", "serif", ("C059", "New Century Schoolbook"), 1.2)
GEORGIA = Typeface("Georgia", "serif", ("DejaVu Serif", "Gelasio"), 1.17)
COURIER = Typeface("Courier New", "mono", ("Liberation Mono", "Courier"), 1.15)

TYPEFACES = (ARIAL, NARROW, VERDANA, TIMES, PALATINO, BOOKMAN, SCHOOLBOOK, GEORGIA, COURIER)

# Heading and body. Bodies are plain: they carry long text at small sizes, also in a spreadsheet-like table.
PAIRINGS = (
    (ARIAL, ARIAL),
    (PALATINO, ARIAL),
    (BOOKMAN, ARIAL),
    (NARROW, ARIAL),
    (SCHOOLBOOK, ARIAL),
    (TIMES, ARIAL),
    (COURIER, ARIAL),
    (PALATINO, PALATINO),
)

# Families that models and designers name often, by the one here that comes closest in shape and width.
_RELATIVES = {
    "oswald": NARROW, "bebas neue": NARROW, "barlow condensed": NARROW, "roboto condensed": NARROW,
    "league gothic": NARROW, "archivo narrow": NARROW, "impact": NARROW, "anton": NARROW,
    "playfair": TIMES, "playfair display": TIMES, "dm serif display": TIMES, "bodoni": TIMES, "didot": TIMES,
    "times": TIMES, "tinos": TIMES, "cormorant": TIMES, "instrument serif": TIMES,
    "fraunces": BOOKMAN, "recoleta": BOOKMAN, "cooper": BOOKMAN, "bookman": BOOKMAN, "young serif": BOOKMAN,
    "palatino": PALATINO, "book antiqua": PALATINO, "garamond": PALATINO, "eb garamond": PALATINO,
    "crimson": PALATINO, "spectral": PALATINO, "libre baskerville": PALATINO, "baskerville": PALATINO,
    "lora": SCHOOLBOOK, "merriweather": SCHOOLBOOK, "source serif": SCHOOLBOOK, "noto serif": SCHOOLBOOK,
    "pt serif": SCHOOLBOOK, "century": SCHOOLBOOK, "cambria": SCHOOLBOOK, "charter": SCHOOLBOOK,
    "ibm plex serif": SCHOOLBOOK, "ibm plex mono": COURIER, "jetbrains mono": COURIER, "space mono": COURIER,
    "fira code": COURIER, "roboto mono": COURIER, "courier": COURIER, "consolas": COURIER, "menlo": COURIER,
    "tahoma": VERDANA, "trebuchet": VERDANA, "segoe ui": VERDANA, "dejavu sans": VERDANA, "nunito": VERDANA,
}  # fmt: skip
_SERIF_WORDS = re.compile(r"\b(serif|slab|antiqua|roman|old style)\b", re.IGNORECASE)
_SANS_WORDS = re.compile(r"\b(sans|grotesk|grotesque|gothic)\b", re.IGNORECASE)
_MONO_WORDS = re.compile(r"\b(mono|code|typewriter)\b", re.IGNORECASE)
_BETWEEN = re.compile(r"\s*(?:/|\+|&|,|;|\bwith\b|\band\b|\bund\b|\bmit\b|\bet\b|\by\b)\s*", re.IGNORECASE)
_ROLE_WORDS = re.compile(
    r"\b(headings?|headlines?|titles?|display|body(?: text)?|text|copy|for|bold|regular|light)\b"
    r"|\b(überschriften|fließtext)\b|[():\"'’]",
    re.IGNORECASE,
)


def typeface(name: str) -> Typeface:
    """Return the typeface of that name, or the nearest relative; a sans where the name says nothing."""
    lowered = " ".join(name.lower().split())
    for face in TYPEFACES:
        if lowered == face.name.lower():
            return face
    # The longest name first, so that "ibm plex mono" is not taken for something shorter.
    for relative in sorted(_RELATIVES, key=len, reverse=True):
        if lowered.startswith(relative):
            return _RELATIVES[relative]
    if _MONO_WORDS.search(lowered):
        return COURIER
    if _SANS_WORDS.search(lowered):
        return ARIAL
    return SCHOOLBOOK if _SERIF_WORDS.search(lowered) else ARIAL


def pair(text: str) -> tuple[str, str]:
    """Return the names of heading and body font that a text such as "Georgia headings with Inter body" gives.

    One name serves as both; none gives two empty strings.
    """
    names = [
        name
        for part in _BETWEEN.split(text)
        if (name := " ".join(_ROLE_WORDS.sub(" ", part).split())) and _PLAIN_NAME.fullmatch(name)
    ]
    if not names:
        return "", ""
    return names[0], names[1] if len(names) > 1 else names[0]
