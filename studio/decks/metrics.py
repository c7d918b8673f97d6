"""How much room a text takes: advance widths of the fonts that decks are set in, and line breaking as renderers do it.

The widths (in thousandths of the type size) are those of the fonts, or of their stand-ins of the same widths, read
once and kept here, so that a deck comes out the same on a machine without them. What no table has is measured by
what it is: a wide character, a letter of a script with joined or stacked forms, a mark without width.
Estimates lean to the wide side: a text that fits here fits in a renderer.
"""

from __future__ import annotations

import functools
import json
import unicodedata
from importlib import resources

from studio.brand.fonts import ARIAL, Typeface

# Renderers differ by rounding, hinting and kerning; no text is set closer to its edge than this.
SLACK = 1.03
# Scripts beyond Latin, Greek and Cyrillic come from fonts with taller lines.
_TALL_LINE = 1.4
# The characters after which a line may end.
_HYPHENS, _SLASHES = "-", "-/?&="
_WIDE, _LETTER, _CAPITAL, _EMOJI = 1000, 660, 780, 1300
# Scripts with broad letters (Tamil to Sinhala, Burmese, Ethiopic), and whole words that are one character.
_BROAD = (
    (0x0B80, 0x0DFF, 900),
    (0x1000, 0x109F, 900),
    (0x1200, 0x139F, 900),
    (0xFDF0, 0xFDFC, 2600),
    (0xFDFD, 0xFDFD, 10_500),
)


@functools.cache
def _table(font: str, bold: bool) -> dict[str, int]:
    grouped = _tables()[font]["bold" if bold else "regular"]
    return {char: int(width) for width, chars in grouped.items() for char in chars}


@functools.cache
def _tables() -> dict[str, dict[str, dict[str, str]]]:
    text = resources.files("studio.decks").joinpath("widths.json").read_text(encoding="utf-8")
    loaded: dict[str, dict[str, dict[str, str]]] = json.loads(text)
    return loaded


@functools.lru_cache(maxsize=65_536)
def _advance(char: str, font: str, bold: bool) -> int:
    table = _table(font, bold)
    if char in table:
        return table[char]
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    if unicodedata.east_asian_width(char) in "WF":
        return _EMOJI if ord(char) > 0x1F000 else _WIDE
    if unicodedata.category(char) == "So":
        return _EMOJI
    for first, last, wide in _BROAD:
        if first <= ord(char) <= last:
            return wide
    base = unicodedata.normalize("NFD", char)[0]
    if base in table:
        return table[base]
    return max(_CAPITAL if char.isupper() else _LETTER, table.get("m", 0) if font.startswith("Courier") else 0)


def width(text: str, size: float, face: Typeface = ARIAL, *, bold: bool = False) -> float:
    """Return the width of one line of text, in the unit of `size`."""
    return _units(text, face.name, bold) * size * SLACK / 1000


# Layouts measure the same words again and again, in size after size.
@functools.lru_cache(maxsize=16_384)
def _units(text: str, font: str, bold: bool) -> int:
    return sum(_advance(char, font, bold) for char in text)


def breaks_anywhere(char: str) -> bool:
    """Whether a line may end before or after the character without a space (scripts written without spaces)."""
    return (unicodedata.east_asian_width(char) in "WF" and unicodedata.category(char)[0] == "L") or (
        "฀" <= char <= "຿" or "က" <= char <= "႟" or "ក" <= char <= "៿"
    )


def line_height(text: str, size: float, face: Typeface) -> float:
    """Return the distance of two lines of `text` at single spacing."""
    tall = any(ord(char) > 0x58F and unicodedata.category(char)[0] in "LMS" for char in text)
    return size * (max(_TALL_LINE, face.line_height) if tall else face.line_height)


def lines(text: str, room: float, size: float, face: Typeface = ARIAL, *, bold: bool = False) -> int:
    """Return how many lines the text takes in `room`; a word that is too long is broken, as renderers do."""
    return sum(_lines_of(part, room, size, face, bold) for part in text.split("\n"))


def _lines_of(text: str, room: float, size: float, face: Typeface, bold: bool) -> int:
    plain = _counted(text, room, size, face, bold, _HYPHENS)
    # Some renderers also break addresses at their slashes, which can take more lines than breaking where they are full.
    return max(plain, _counted(text, room, size, face, bold, _SLASHES)) if "/" in text or "?" in text else plain


def _counted(text: str, room: float, size: float, face: Typeface, bold: bool, after: str) -> int:
    count, used = 1, 0.0
    space = width(" ", size, face, bold=bold)
    for word in text.split(" "):
        for piece, glued in _pieces(word, after):
            wide = width(piece, size, face, bold=bold)
            gap = 0.0 if glued or used == 0 else space
            if used and used + gap + wide > room:
                count, used, gap = count + 1, 0.0, 0.0
            if wide > room:
                more, used = _broken(piece, room, size, face, bold)
                count += more
            else:
                used += gap + wide
    return count


@functools.lru_cache(maxsize=16_384)
def _pieces(word: str, after: str = "-") -> tuple[tuple[str, bool], ...]:
    """Return the parts of a word between which a line may end, and whether each follows without a space."""
    if not any(breaks_anywhere(char) or char in after for char in word):
        return ((word, False),)
    pieces: list[str] = [""]
    for char in word:
        if breaks_anywhere(char):
            pieces.extend((char, ""))
        elif char in after:
            pieces[-1] += char
            pieces.append("")
        else:
            # Closing punctuation may not begin a line: it stays with what it follows.
            closing = not pieces[-1] and len(pieces) > 1 and unicodedata.category(char) in ("Po", "Pe", "Pf")
            pieces[-2 if closing else -1] += char
    return tuple((piece, index > 0) for index, piece in enumerate(p for p in pieces if p))


def unbroken(text: str) -> list[str]:
    """Return the parts of a text inside which no line may end."""
    return [piece for word in text.split() for piece, _ in _pieces(word)]


def _broken(word: str, room: float, size: float, face: Typeface, bold: bool) -> tuple[int, float]:
    more, used = 0, 0.0
    for char in word:
        wide = width(char, size, face, bold=bold)
        if used and used + wide > room:
            more, used = more + 1, 0.0
        used += wide
    return more, used


def wrapped(text: str, room: float, size: float, face: Typeface = ARIAL, *, bold: bool = False) -> list[str]:
    """Return the lines of a text in `room`, for where they are drawn one by one."""
    made = [""]
    for word in text.split(" "):
        for piece, glued in _pieces(word):
            candidate = made[-1] + ("" if glued or not made[-1] else " ") + piece
            if width(candidate, size, face, bold=bold) <= room or not made[-1]:
                made[-1] = candidate
            else:
                made.append(piece)
    return made
