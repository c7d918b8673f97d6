"""Decks in scripts that are read from right to left: which they are, and their pages mirrored."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from studio.decks.scene import WIDTH, Box, Chart, Drawing, Element, Grid, Page, Shape, Text


def leftwards(text: str) -> bool:
    """Whether a text runs from right to left: its first letter with a direction decides (UAX #9, P2 and P3)."""
    for char in text:
        direction = unicodedata.bidirectional(char)
        if direction in ("R", "AL"):
            return True
        if direction == "L":
            return False
    return False


def reads_leftwards(pages: Iterable[Page]) -> bool:
    """Whether most letters of a deck belong to scripts that are read from right to left."""
    return mostly_leftwards(text for page in pages for text in _texts(page))


def mostly_leftwards(texts: Iterable[str]) -> bool:
    """Whether most letters of these texts belong to scripts that are read from right to left."""
    left = right = 0
    for text in texts:
        for char in text:
            direction = unicodedata.bidirectional(char)
            left += direction in ("R", "AL")
            right += direction == "L"
    return left > right


def _texts(page: Page) -> Iterable[str]:
    for element in page.elements:
        if isinstance(element, Text):
            yield from (para.text for para in element.paras)
        elif isinstance(element, Grid):
            yield from (para.text for row in element.rows for cell in row.cells for para in cell)


def mirrored(page: Page) -> Page:
    """Return the page with left and right exchanged; texts begin on the right."""
    return replace(page, elements=tuple(_mirrored(element) for element in page.elements), leftwards=True)


def _box(box: Box) -> Box:
    return Box(WIDTH - box.x - box.w, box.y, box.w, box.h)


def _mirrored(element: Element) -> Element:
    match element:
        case Text():
            return replace(element, box=_box(element.box))
        case Drawing():
            return replace(element, shapes=tuple(map(_shape, element.shapes)))
        case Grid() | Chart():
            # The columns of a table keep their order: its own direction puts the first one on the right.
            return replace(element, box=_box(element.box))


def _shape(shape: Shape) -> Shape:
    return replace(shape, box=_box(shape.box), points=tuple((WIDTH - x, y) for x, y in shape.points))
