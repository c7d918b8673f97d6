"""Lists: rows, columns, and prose beside a list."""

from __future__ import annotations

from dataclasses import replace

from studio.brand import Brand
from studio.decks import setting
from studio.decks.layouts.flow import Entry, joined, longest_title, numbered_title, spread
from studio.decks.layouts.frame import GUTTER, PAGE, Framed, framed, note_para, note_text, page, run
from studio.decks.layouts.openings import facts
from studio.decks.model import Column, Columns, Item, Listing, Mark, Slide, Split
from studio.decks.scene import Box, Drawing, Element, Page, Para, Shape, Text, paint

_SIZES = setting.sizes(26, 12)
# Room of a column's heading.
_HEAD = 50.0
_NARROW_SIZES = setting.sizes(22, 12)
_BULLETS = {"squares": "■", "dashes": "–", "discs": "•"}
# A list of no more entries than this is set in one column.
_ONE_COLUMN = 4


def marker(brand: Brand, mark: Mark, index: int) -> str:
    """Return what stands before the entry: a number with a full stop, the look's bullet, a box to tick, nothing."""
    if mark == "none":
        return ""
    if mark == "check":
        return "□"
    if mark == "number" or brand.look.marks == "numbers":
        return f"{index + 1}."
    return _BULLETS[brand.look.marks]


def entry(brand: Brand, item: Item, index: int, mark: Mark, size: float) -> list[Para]:
    """Return a list's entry: its heading, or its text, behind the marker."""
    sign = marker(brand, mark, index)
    indent = (size * (1.15 if len(sign) < 2 else 1.7 if len(sign) < 3 else 2.2)) if sign else 0.0
    paras = []
    tag = (run(f"  {item.tag}", color=PAGE.muted),) if item.tag else ()
    if item.heading:
        head = (run(item.heading, bold=True), *tag)
        paras.append(Para(head, size, PAGE.text, marker=sign, marker_color=PAGE.accent, indent=indent))
        if item.text:
            paras.append(Para((run(item.text),), max(size - 1, 11), PAGE.text, indent=indent, before=2))
    else:
        paras.append(
            Para((run(item.text), *tag), size, PAGE.text, marker=sign, marker_color=PAGE.accent, indent=indent)
        )
    return paras


def rows(brand: Brand, slide: Slide, body: Listing) -> list[Page]:
    """Return a list's pages, in one column or two."""
    probe = framed(brand, slide.kicker, longest_title(slide.title))
    many = len(body.items) > _ONE_COLUMN and probe.body.w > 700
    room = (probe.body.w - 2 * GUTTER) / 2 if many else min(probe.body.w, 720.0)
    gap = 14.0
    note_room = _note_height(brand, body.note, probe.body.w)
    space = probe.body.h - note_room
    indexed = list(enumerate(body.items))

    def set_entry(pair: tuple[int, Item], size: float) -> list[Para]:
        return entry(brand, pair[1], pair[0], body.mark, size)

    size, columns = spread(brand, indexed, set_entry, room, space, _SIZES, gap)
    if many and len(columns) == 1:
        half = _halved(brand, columns[0], room, gap)
        columns = [columns[0][:half], columns[0][half:]]
    step = 2 if many else 1
    sheets = [columns[i : i + step] for i in range(0, len(columns), step)]
    pages = []
    for index, sheet in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        frame = framed(brand, slide.kicker, heading)
        elements: list[Element] = []
        for place, entries in enumerate(sheet):
            box = Box(frame.body.x + place * (room + 2 * GUTTER), frame.body.y, room, space)
            elements.append(column_text(brand, entries, box, gap, size))
        elements += _note(brand, body.note, frame)
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages


def _halved(brand: Brand, entries: list[Entry], room: float, gap: float) -> int:
    heights = [setting.height(brand, one, room) + gap for one in entries]
    return min(range(1, len(entries)), key=lambda at: (max(sum(heights[:at]), sum(heights[at:])), at))


def column_text(brand: Brand, entries: list[Entry], box: Box, gap: float, size: float) -> Text:
    """Return entries in one column."""
    paras = joined(entries, gap)
    free = box.h - setting.height(brand, paras, box.w)
    # Few entries are set apart further, up to a line and a half, so that they do not huddle under the title.
    wider = min(gap + size * 1.5, gap + max(0.0, free - 4) / max(1, len(entries)))
    paras = tuple(replace(para, before=wider) if para.before == gap else para for para in paras)
    return Text(box, paras, PAGE.fill, role="body", name="List")


def _note_height(brand: Brand, note: str, room: float) -> float:
    if not note:
        return 0.0
    return min(90.0, setting.para_height(brand, note_para(note), room) + 16)


def _note(brand: Brand, note: str, frame: Framed) -> list[Element]:
    return [] if not note else [note_text(brand, note, frame.body)]


def columns(brand: Brand, slide: Slide, body: Columns) -> list[Page]:
    """Return pages with columns side by side; longer columns go on, on as many pages as the longest needs."""
    probe = framed(brand, slide.kicker, longest_title(slide.title))
    count = len(body.columns)
    gap = 28.0
    room = (probe.body.w - gap * (count - 1)) / count
    note_room = _note_height(brand, body.note, probe.body.w)
    head = _HEAD
    space = probe.body.h - head - note_room
    laid = [_laid(brand, column, room, space) for column in body.columns]
    size = min(one[0] for one in laid)
    laid = [_laid(brand, column, room, space, (size,)) for column in body.columns]
    total = max(len(pages) for _, pages in laid)
    made = []
    for index in range(total):
        heading = numbered_title(slide.title, index, total)
        frame = framed(brand, slide.kicker, heading)
        elements: list[Element] = []
        for place, (column, (_, pages)) in enumerate(zip(body.columns, laid, strict=True)):
            box = Box(frame.body.x + place * (room + gap), frame.body.y, room, space + head)
            if index < len(pages):
                elements += _headed(brand, column.heading, box, place)
                text = Box(box.x, box.y + head, room, space)
                elements.append(column_text(brand, pages[index], text, 11.0, size))
        elements += _note(brand, body.note, frame)
        made.append(page(frame, heading, tuple(elements), slide.notes))
    return made


def _laid(
    brand: Brand, column: Column, room: float, space: float, sizes: tuple[float, ...] = _NARROW_SIZES
) -> tuple[float, list[list[Entry]]]:
    items = [Item(text) for text in column.items]

    def set_entry(pair: tuple[int, Item], size: float) -> list[Para]:
        return entry(brand, pair[1], pair[0], column.mark, size)

    if not items:
        return sizes[0], [[(Para((run(column.empty, italic=True),), sizes[-1], PAGE.muted),)]]
    return spread(brand, list(enumerate(items)), set_entry, room, space, sizes, 11.0)


def _headed(brand: Brand, text: str, box: Box, place: int) -> list[Element]:
    size, shown = setting.title_size(brand, text, box.w, 24, setting.sizes(18, 12))
    para = Para((run(shown, bold=True),), size, PAGE.text, font="heading")
    rule = Shape("rect", Box(box.x, box.y, box.w, 2.5), fill=paint("accent" if place == 0 else "accent_secondary"))
    return [
        Drawing((rule,), "Rule"),
        Text(Box(box.x, box.y + 9, box.w, 25), (para,), PAGE.fill, name=shown or "Column"),
    ]


def split(brand: Brand, slide: Slide, body: Split) -> list[Page]:
    """Return prose on a card beside a list; what of either is too long goes on."""
    probe = framed(brand, slide.kicker, longest_title(slide.title))
    left = probe.body.w * 0.42
    gap = 32.0
    right = probe.body.w - left - gap
    inset = 22.0
    fact_room = 52.0 if body.facts else 0.0
    head_size, head = setting.title_size(brand, body.heading, left - 2 * inset, 64, setting.sizes(26, 13))

    def prose(text: str, size: float) -> list[Para]:
        return [Para((run(text),), size, PAGE.text)]

    head_para = Para((run(head, bold=True),), head_size, PAGE.text, font="heading")
    head_tall = setting.height(brand, (head_para,), left - 2 * inset) + 12
    prose_space = probe.body.h - 2 * inset - head_tall - fact_room
    _, proses = spread(brand, [body.text], prose, left - 2 * inset, prose_space, _NARROW_SIZES, 0)
    size, lists = _laid(brand, body.column, right, probe.body.h - _HEAD)
    total = max(len(proses), len(lists))
    pages = []
    for index in range(total):
        heading = numbered_title(slide.title, index, total)
        frame = framed(brand, slide.kicker, heading)
        elements: list[Element] = []
        if index < len(proses):
            paras = (head_para, *(replace(p, before=12) for p in joined(proses[index], 0)))
            box = Box(frame.body.x, frame.body.y, left, frame.body.h)
            elements.append(
                Text(
                    box, paras, PAGE.card, role="card", inset=(inset, inset), fill=PAGE.card,
                    rounded=brand.look.rounded, name=head or "Card",
                )
            )  # fmt: skip
            if body.facts:
                place = Box(box.x + inset, box.bottom - fact_room, left - 2 * inset, 40)
                elements += [replace(one, ground=PAGE.card) for one in facts(brand, body.facts, place, PAGE)
                             if isinstance(one, Text)]  # fmt: skip
        if index < len(lists):
            box = Box(frame.body.x + left + gap, frame.body.y, right, frame.body.h)
            elements += _headed(brand, body.column.heading, box, 1)
            text = Box(box.x, box.y + _HEAD, right, probe.body.h - _HEAD)
            elements.append(column_text(brand, lists[index], text, 11.0, size))
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages
