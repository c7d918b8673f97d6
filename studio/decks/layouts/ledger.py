"""A ledger: few entries in large type on lines that span the page."""

from __future__ import annotations

from studio.brand import Brand
from studio.decks import setting
from studio.decks.layouts.frame import PAGE, framed, page, run
from studio.decks.layouts.lists import rows
from studio.decks.model import Item, Listing, Slide
from studio.decks.scene import Box, Drawing, Element, Page, Para, Shape, Text

# Entries up to which large type fills a page and does not crowd it.
MOST = 3
_SIZES = setting.sizes(28, 14)
_ABOVE = 16.0
_TALLEST = 132.0


def ledger(brand: Brand, slide: Slide, body: Listing) -> list[Page]:
    """Return entries on lines of equal height, numbered where the list is; as plain rows where they are too long."""
    frame = framed(brand, slide.kicker, slide.title)
    count = len(body.items)
    high = min(_TALLEST if count > 1 else 260.0, frame.body.h / count)
    numbered = body.mark == "number"
    shift = 76.0 if numbered else 0.0
    room = min(frame.body.w - shift, 700.0)
    size = next(
        (
            size
            for size in _SIZES
            if all(setting.height(brand, _entry(item, size), room) <= high - _ABOVE - 6 for item in body.items)
        ),
        None,
    )
    if size is None:
        return rows(brand, slide, body)
    elements: list[Element] = []
    lines = [
        Shape("rect", Box(frame.body.x, frame.body.y + i * high, frame.body.w, 1), fill=PAGE.hairline)
        for i in range(count)
    ]
    elements.append(Drawing(tuple(lines), "Lines"))
    for index, item in enumerate(body.items):
        y = frame.body.y + index * high + _ABOVE
        paras = _entry(item, size)
        if numbered:
            number = Para((run(str(index + 1), bold=True),), size * 1.2, PAGE.accent, font="heading")
            tall = setting.height(brand, (number,), shift)
            # The figure stands on the first line of its text.
            up = (tall - setting.para_height(brand, paras[0], 10_000)) * 0.62
            elements.append(
                Text(Box(frame.body.x, y - up, shift - 8, tall), (number,), PAGE.fill, name=f"Number {index + 1}")
            )
        place = Box(frame.body.x + shift, y, room, high - _ABOVE)
        elements.append(Text(place, paras, PAGE.fill, role="body", name=f"Entry {index + 1}"))
    return [page(frame, slide.title, tuple(elements), slide.notes)]


def _entry(item: Item, size: float) -> tuple[Para, ...]:
    paras: list[Para] = []
    if item.heading:
        paras.append(Para((run(item.heading, bold=True),), size, PAGE.text, font="heading"))
    if item.text:
        small = max(14.0, size * 0.72) if item.heading else size
        paras.append(Para((run(item.text),), small, PAGE.text, before=5 if paras else 0))
    if item.tag:
        paras.append(Para((run(item.tag),), 12.0, PAGE.muted, before=6))
    return tuple(paras)
