"""Typesetting: how high texts are, the largest size that fits, and where a text may be continued.

Sizes are in points. Nothing is ever cut to make it fit but a title; a text that is too long goes on elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from studio.brand import Brand
from studio.brand.fonts import Typeface
from studio.decks import metrics
from studio.decks.scene import FontRole, Para, Text

# No text is set smaller: it is read on a screen across a table.
SMALLEST = 11.0


# Type sizes as a designer steps through them: coarse where large, by the point where small.
_SCALE = (
    96.0, 88.0, 80.0, 72.0, 64.0, 58.0, 52.0, 48.0, 44.0, 40.0, 37.0, 34.0, 32.0, 30.0, 28.0, 26.0, 24.0, 22.0, 20.0,
    19.0, 18.0, 17.0, 16.0, 15.0, 14.0, 13.0, 12.0, 11.0,
)  # fmt: skip


# How much smaller a title may be set to stand on one line.
_ONE_LINE = 0.76


def sizes(largest: float, smallest: float = SMALLEST) -> tuple[float, ...]:
    """Return the sizes of the scale from `largest` down to `smallest`."""
    return tuple(size for size in _SCALE if smallest <= size <= largest)


def face_of(brand: Brand, font: FontRole) -> Typeface:
    """Return the brand's typeface for headings or for text."""
    return brand.heading if font == "heading" else brand.body


def para_height(brand: Brand, para: Para, room: float) -> float:
    """Return the height of a paragraph in a column of `room`, the space before it left out."""
    face = face_of(brand, para.font)
    bold = any(run.bold for run in para.runs)
    tracked = para.tracking * len(para.text) / max(1, len(para.text.split(" ")))
    count = metrics.lines(para.text, room - para.indent - tracked, para.size, face, bold=bold)
    return count * metrics.line_height(para.text, para.size, face) * max(1.0, para.spacing)


def height(brand: Brand, paras: Iterable[Para], room: float) -> float:
    """Return the height of paragraphs one below the other in a column of `room`."""
    total = 0.0
    for index, para in enumerate(paras):
        total += para_height(brand, para, room) + (para.before if index else 0)
    return total


def text_height(brand: Brand, text: Text) -> float:
    """Return the height that a box of text needs."""
    return height(brand, text.paras, text.box.w - 2 * text.inset[0]) + 2 * text.inset[1]


def keeps_words(text: str, size: float, room: float, face: Typeface, *, bold: bool) -> bool:
    """Whether no word has to be broken."""
    return all(metrics.width(word, size, face, bold=bold) <= room for word in metrics.unbroken(text))


def title_size(
    brand: Brand,
    text: str,
    room: float,
    space: float,
    trials: Sequence[float],
    *,
    bold: bool = True,
    font: FontRole = "heading",
) -> tuple[float, str]:
    """Return the largest of `trials` (falling) at which a title fits without broken words, and the title.

    At the smallest size words may be broken, and what is still too long ends in an ellipsis.
    """
    face = face_of(brand, font)

    def needs(candidate: str, size: float) -> float:
        return metrics.lines(candidate, room, size, face, bold=bold) * metrics.line_height(candidate, size, face)

    for size in trials:
        # One line in a size a little smaller beats two with a word left over on the second.
        if (
            size >= trials[0] * _ONE_LINE
            and metrics.lines(text, room, size, face, bold=bold) == 1
            and keeps_words(text, size, room, face, bold=bold)
            and needs(text, size) <= space
        ):
            return size, text
    for size in trials:
        if needs(text, size) <= space and keeps_words(text, size, room, face, bold=bold):
            return size, text
    size = trials[-1]
    if needs(text, size) <= space:
        return size, text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if needs(_ended(text, middle), size) <= space:
            low = middle
        else:
            high = middle - 1
    return size, _ended(text, low)


def _ended(text: str, length: int) -> str:
    return text if length >= len(text) else text[:length].rstrip(" ,;:–-") + "…"


def cut_para(brand: Brand, para: Para, room: float, space: float) -> tuple[Para | None, Para]:
    """Return the part of a paragraph that fits into `space`, None where not a line does, and the rest of it.

    It is cut between words where it has some, and keeps the style of its first run.
    """
    text = para.text
    style = para.runs[0]

    def part(piece: str) -> Para:
        return replace(para, runs=(replace(style, text=piece),))

    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if para_height(brand, part(text[:middle]), room) <= space:
            low = middle
        else:
            high = middle - 1
    if low >= len(text):
        return para, part("")
    at = text.rfind(" ", 0, low + 1)
    if at < low // 2:
        at = low
    if not at:
        return None, para
    return part(text[:at].rstrip()), replace(part(text[at:].lstrip()), marker="")
