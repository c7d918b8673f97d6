"""Cards, panels and steps: entries that stand side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from studio.brand import Brand
from studio.decks import setting
from studio.decks.layouts.flow import joined, longest_title, numbered_title, spread
from studio.decks.layouts.frame import GUTTER, PAGE, framed, note_text, page, run
from studio.decks.layouts.ledger import MOST, ledger
from studio.decks.layouts.lists import rows
from studio.decks.model import Item, Listing, Panels, Slide, Steps
from studio.decks.scene import Box, Drawing, Element, Page, Paint, Para, Shape, Text, paint

_SIZES = setting.sizes(24)
_INSET = 18.0
_TALLEST = 240.0
# Fewer steps make no line; they stand in large type instead.
_FEWEST_STEPS = 3


def cards(brand: Brand, slide: Slide, body: Listing) -> list[Page]:
    """Return entries on cards of one height, two to three in a row; many or long ones go on."""
    if len(body.items) <= MOST:
        return ledger(brand, slide, body)
    frame = framed(brand, slide.kicker, longest_title(slide.title))
    items = list(enumerate(body.items))
    size, per_row, per_page = _fitting(brand, body, items, frame.body)
    sheets = [items[i : i + per_page] for i in range(0, len(items), per_page)]
    if len(sheets) > 1 and len(sheets[-1]) < per_page // 2:
        even = -(-len(items) // len(sheets))
        sheets = [items[i : i + even] for i in range(0, len(items), even)]
    pages = []
    for index, sheet in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        box = framed(brand, slide.kicker, heading).body
        elements = _sheet(brand, body, sheet, box, size, per_row)
        if elements is None:
            # A single entry is longer than a card may be: rows can be continued, cards cannot.
            return rows(brand, slide, body)
        pages.append(page(framed(brand, slide.kicker, heading), heading, tuple(elements), slide.notes))
    return pages


def _fitting(brand: Brand, body: Listing, items: Sequence[tuple[int, Item]], box: Box) -> tuple[float, int, int]:
    """Return size, cards in a row, and cards on a page."""
    widest = 3 if box.w > 700 else 2
    choices = [n for n in (3, 2) if n <= widest]
    if len(items) in (1, 2, 4):
        choices = [2]
    for lanes in (1, 2, 3):
        for per_row in choices:
            if per_row * lanes < len(items):
                continue
            for size in _SIZES[:-1]:
                if _need(brand, body, items, box, size, per_row) <= (box.h - GUTTER * (lanes - 1)) / lanes:
                    return size, per_row, per_row * lanes
    for lanes in (2, 1):
        for size in _SIZES:
            if _need(brand, body, items, box, size, choices[0]) <= (box.h - GUTTER * (lanes - 1)) / lanes:
                return size, choices[0], choices[0] * lanes
    return _SIZES[-1], choices[-1], choices[-1]


def _room(box: Box, per_row: int) -> float:
    return (box.w - GUTTER * (per_row - 1)) / per_row


def _need(brand: Brand, body: Listing, items: Sequence[tuple[int, Item]], box: Box, size: float, per_row: int) -> float:
    room = _room(box, per_row) - 2 * _INSET
    return max(setting.height(brand, _paras(brand, body, i, item, size, room), room) for i, item in items) + 2 * _INSET


def _paras(brand: Brand, body: Listing, index: int, item: Item, size: float, room: float) -> tuple[Para, ...]:
    paras: list[Para] = []
    if body.mark == "number":
        paras.append(Para((run(f"{index + 1:02d}", bold=True),), size, PAGE.accent, font="heading"))
    if item.heading:
        face = brand.heading
        fits = setting.keeps_words(item.heading, size + 1, room, face, bold=True)
        head = Para(
            (run(item.heading, bold=True),), size + 1 if fits else max(11.0, size - 1), PAGE.text,
            font="heading", before=4,
        )  # fmt: skip
        paras.append(head)
    if item.text:
        paras.append(Para((run(item.text),), size, PAGE.text, before=6 if paras else 0))
    if item.tag:
        paras.append(Para((run(item.tag),), 11.0, PAGE.muted, before=8))
    return tuple(paras)


def _sheet(
    brand: Brand, body: Listing, items: Sequence[tuple[int, Item]], box: Box, size: float, per_row: int
) -> list[Element] | None:
    lanes = -(-len(items) // per_row)
    room = _room(box, per_row)
    need = _need(brand, body, items, box, size, per_row)
    tall = (box.h - GUTTER * (lanes - 1)) / lanes
    if need > tall + 0.01:
        return None
    tall = min(tall, max(need + 14, _TALLEST))
    elements: list[Element] = []
    for place, (index, item) in enumerate(items):
        at = Box(box.x + (place % per_row) * (room + GUTTER), box.y + (place // per_row) * (tall + GUTTER), room, tall)
        elements += card(brand, at, _paras(brand, body, index, item, size, room - 2 * _INSET), f"Card {index + 1}")
    return elements


def card(brand: Brand, box: Box, paras: tuple[Para, ...], name: str) -> list[Element]:
    """Return a card as the brand's look draws it."""
    kind = brand.look.cards
    rounded = brand.look.rounded and kind in ("filled", "outlined")
    filled = kind in ("filled", "edged")
    ground = PAGE.card if filled else PAGE.fill
    trimming: list[Element] = []
    if kind == "edged":
        trimming = [Drawing((Shape("rect", Box(box.x, box.y, 4, box.h), fill=paint("accent_fill")),), "Edge")]
    elif kind == "ruled":
        trimming = [Drawing((Shape("rect", Box(box.x, box.y, box.w, 2.5), fill=paint("accent_fill")),), "Rule")]
    text = Text(
        box,
        paras,
        ground,
        role="card",
        inset=(_INSET, _INSET),
        fill=PAGE.card if filled else None,
        line=PAGE.hairline if kind == "outlined" else None,
        rounded=rounded,
        name=name,
    )
    return [text, *trimming]


def panels(brand: Brand, slide: Slide, body: Panels) -> list[Page]:
    """Return labelled texts side by side, each with its mark; texts that are too long go on."""
    probe = framed(brand, slide.kicker, longest_title(slide.title), wide=True)
    count = len(body.panels)
    note_space = 90.0 if body.note else 0.0
    room = (probe.body.w - GUTTER * (count - 1)) / count
    inner = room - 2 * _INSET
    head = 60.0
    space = probe.body.h - note_space - 2 * _INSET - head - 34

    def prose(text: str, size: float) -> list[Para]:
        return [Para((run(text),), size, PAGE.text)]

    laid = [spread(brand, [panel.text], prose, inner, space, _SIZES, 0) for panel in body.panels]
    size = min(one[0] for one in laid)
    laid = [spread(brand, [panel.text], prose, inner, space, (size,), 0) for panel in body.panels]
    total = max(len(one[1]) for one in laid)
    made = []
    for index in range(total):
        heading = numbered_title(slide.title, index, total)
        frame = framed(brand, slide.kicker, heading, wide=True)
        tall = frame.body.h - note_space
        elements: list[Element] = []
        for place, (panel, (_, pages)) in enumerate(zip(body.panels, laid, strict=True)):
            if index >= len(pages):
                continue
            box = Box(frame.body.x + place * (room + GUTTER), frame.body.y, room, tall)
            label_size, label = setting.title_size(brand, panel.label, inner, head - 16, setting.sizes(20, 12))
            paras = (
                Para((run(label, bold=True),), label_size, PAGE.accent, font="heading"),
                *(replace(p, before=10) for p in joined(pages[index], 0)),
            )
            elements += card(brand, box, paras, label or "Panel")
            elements += _tag(brand, panel.tag, panel.sourced, Box(box.x + _INSET, box.bottom - 34, inner, 20))
        if body.note:
            elements.append(note_text(brand, body.note, frame.body))
        made.append(page(frame, heading, tuple(elements), slide.notes))
    return made


def _tag(brand: Brand, text: str, sourced: bool, box: Box) -> list[Element]:
    """Return the mark of a source: a filled dot where there is one, an empty one where there is none."""
    ground: Paint = PAGE.card if brand.look.cards in ("filled", "edged") else PAGE.fill
    dot = Shape(
        "ellipse", Box(box.x, box.y + 4, 9, 9), fill=paint("accent") if sourced else None,
        line=paint("accent"), weight=1.25,
    )  # fmt: skip
    size, shown = setting.title_size(brand, text, box.w - 16, 16, (11.0,), bold=False, font="body")
    label = Para((run(shown),), size, PAGE.muted)
    return [
        Drawing((dot,), "Source mark"),
        Text(Box(box.x + 16, box.y, box.w - 16, 18), (label,), ground, name="Source"),
    ]


def steps(brand: Brand, slide: Slide, body: Steps) -> list[Page]:
    """Return steps on a line, up to five on a page; a step that is too long becomes an entry of a list."""
    if len(body.steps) < _FEWEST_STEPS:
        return ledger(brand, slide, Listing(body.steps, mark="number", cards=True))
    probe = framed(brand, slide.kicker, longest_title(slide.title), wide=True)
    most = 5 if all(len(step.text) < 150 for step in body.steps) else 4
    count = -(-len(body.steps) // most)
    per_page = -(-len(body.steps) // count)
    gap = 24.0
    room = (probe.body.w - gap * (per_page - 1)) / per_page
    space = probe.body.h - 68
    size = next(
        (
            s for s in _SIZES
            if all(setting.height(brand, _step(brand, step, s, room), room) <= space for step in body.steps)
        ),
        None,
    )  # fmt: skip
    if size is None:
        return rows(brand, slide, Listing(body.steps, mark="number"))
    pages = []
    for index in range(count):
        heading = numbered_title(slide.title, index, count)
        frame = framed(brand, slide.kicker, heading, wide=True)
        here = body.steps[index * per_page : (index + 1) * per_page]
        block = 68 + max(setting.height(brand, _step(brand, step, size, room), room) for step in here)
        # Short steps stand a little lower than the top, where a line with nothing below it would hang.
        y = frame.body.y + 24 + max(0.0, frame.body.h - block) * 0.22
        line = Shape("rect", Box(frame.body.x, y - 1, frame.body.w, 2), fill=PAGE.hairline)
        dots = [
            Shape("ellipse", Box(frame.body.x + i * (room + gap), y - 22, 44, 44), fill=paint("accent_fill"))
            for i in range(len(here))
        ]
        elements: list[Element] = [Drawing((line, *dots), "Line of steps")]
        for place, step in enumerate(here):
            x = frame.body.x + place * (room + gap)
            number = Para(
                (run(str(index * per_page + place + 1), bold=True),), 18.0, paint("on_accent_fill"), font="heading",
                align="center",
            )  # fmt: skip
            elements.append(
                Text(
                    Box(x, y - 22, 44, 44), (number,), paint("accent_fill"), anchor="middle", name=f"Number {place + 1}"
                )
            )
            paras = _step(brand, step, size, room)
            elements.append(
                Text(Box(x, y + 40, room, frame.body.bottom - y - 40), paras, PAGE.fill, role="body", name="Step")
            )
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages


def _step(brand: Brand, step: Item, size: float, room: float) -> tuple[Para, ...]:
    paras: list[Para] = []
    if step.heading:
        fits = setting.keeps_words(step.heading, size + 1, room, brand.heading, bold=True)
        head_size = size + 1 if fits else max(11.0, size - 2)
        paras.append(Para((run(step.heading, bold=True),), head_size, PAGE.text, font="heading"))
    if step.tag:
        paras.append(Para((run(step.tag),), max(11.0, size - 2), PAGE.accent, before=3))
    if step.text:
        paras.append(Para((run(step.text),), size, PAGE.text, before=5 if paras else 0))
    return tuple(paras)
