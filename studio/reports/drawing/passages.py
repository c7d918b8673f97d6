"""The layout of statements with the words that carry them: one on a page, or some that disagree side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from studio.brand import Brand
from studio.decks import metrics, setting
from studio.decks.layouts.cards import card
from studio.decks.layouts.flow import longest_title, numbered_title
from studio.decks.layouts.frame import GUTTER, PAGE, framed, note_text, page, run
from studio.decks.model import Notes
from studio.decks.scene import Box, Drawing, Element, Page, Para, Shape, Text, paint

_INSET = 20.0
# A passage alone fills its page; beside others it stands in the size of a text.
_ALONE, _BESIDE = setting.sizes(40, 12), setting.sizes(26, 12)
# Room below the passage for where it stands, and below the cards for a remark.
_SOURCE, _NOTE = 46.0, 62.0
_GAP = 12.0
# Cards of a few words are as high as this.
_LEAST = 210.0
_GOES_ON = "The passage goes on: the studio has all of it."


@dataclass(frozen=True)
class Passage:
    """A statement, the words of the page that carry it (empty: none do), and where they stand.

    `statement` is empty where the slide's title says it. `source` leads to `url`; `detail` stands below it.
    """

    label: str
    statement: str
    quote: str
    source: str
    url: str
    detail: str
    sourced: bool


@dataclass(frozen=True)
class Passages:
    """What such a page shows."""

    title: str
    kicker: str
    passages: tuple[Passage, ...]
    notes: Notes
    note: str = ""


def laid(brand: Brand, shown: Passages, *, whole: bool = False) -> tuple[Page, ...]:
    """Return the page; a passage that is too long is cut, or goes on over further pages where the `whole` is wanted.

    Only a single passage can go on.
    """
    probe = framed(brand, shown.kicker, longest_title(shown.title), wide=True)
    count = len(shown.passages)
    room = (probe.body.w - GUTTER * (count - 1)) / count
    tall = probe.body.h - (_NOTE if shown.note else 0)
    space = tall - 2 * _INSET - _SOURCE
    inner = room - 2 * _INSET
    trials = _ALONE if count == 1 else _BESIDE
    size = next((size for size in trials if _all_fit(brand, shown, size, inner, space)), trials[-1])
    heads = [_cut(brand, passage, size, inner, space) for passage in shown.passages]
    sheets: list[Sequence[tuple[tuple[Para, ...], str]]] = [heads]
    if whole and count == 1:
        sheets = [[one] for one in _whole(brand, shown.passages[0], heads[0], size, inner, space)]
    pages = []
    for index, sheet in enumerate(sheets):
        heading = numbered_title(shown.title, index, len(sheets))
        frame = framed(brand, shown.kicker, heading, wide=True)
        need = max(setting.height(brand, paras, inner) for paras, _ in sheet) + 2 * _INSET + _SOURCE + 8
        high = tall if count == 1 else min(tall, max(need, _LEAST))
        elements: list[Element] = []
        for place, ((paras, _), passage) in enumerate(zip(sheet, shown.passages, strict=True)):
            box = Box(frame.body.x + place * (room + GUTTER), frame.body.y, room, high)
            elements += card(brand, box, paras, passage.label)
            elements += _source(brand, passage, Box(box.x + _INSET, box.bottom - _SOURCE - 8, inner, _SOURCE))
        if shown.note:
            elements.append(note_text(brand, shown.note, frame.body))
        cut = any(rest for _, rest in sheet) and not whole
        if cut and not shown.note:
            elements.append(_remark(brand, frame.body, high))
        pages.append(page(frame, heading, tuple(elements), shown.notes))
    return tuple(pages)


def _remark(brand: Brand, body: Box, high: float) -> Text:
    para = Para((run(_GOES_ON),), 11.0, PAGE.muted)
    tall = setting.para_height(brand, para, body.w - 2 * _INSET) + 1
    # On the card's lower edge, which a cut passage always reaches.
    return Text(Box(body.x + _INSET, body.y + high - tall - 2, body.w - 2 * _INSET, tall), (para,), PAGE.card, name="")


def _head(passage: Passage, size: float) -> tuple[Para, ...]:
    label = Para((run(passage.label, bold=True),), 12.0, PAGE.accent)
    if not passage.statement:
        return (label,)
    said = Para((run(passage.statement, bold=True),), size, PAGE.text, font="heading", before=6)
    return (label, said)


def _words(passage: Passage, size: float) -> Para:
    quote = passage.quote or "No passage of a page that was retrieved carries this."
    return Para((run(quote, italic=not passage.quote),), size, PAGE.text, before=_GAP, spacing=1.08)


def _all_fit(brand: Brand, shown: Passages, size: float, room: float, space: float) -> bool:
    return all(
        setting.height(brand, (*_head(passage, size), _words(passage, size)), room) <= space
        and setting.keeps_words(passage.statement, size, room, brand.heading, bold=True)
        for passage in shown.passages
    )


def _cut(brand: Brand, passage: Passage, size: float, room: float, space: float) -> tuple[tuple[Para, ...], str]:
    """Return the paragraphs of a card, and the part of the passage that does not fit on it."""
    head = _head(passage, size)
    if setting.height(brand, head, room) > space * 0.6:
        # A statement as long as a passage: it leaves room for a few lines of what carries it.
        kept, _ = setting.cut_para(brand, head[-1], room, space * 0.6 - 24)
        head = (head[0], _ended(kept or head[-1])) if len(head) > 1 else head
    words = _words(passage, size)
    left = space - setting.height(brand, head, room) - words.before
    if setting.para_height(brand, words, room) <= left:
        return (*head, words), ""
    part, rest = setting.cut_para(brand, words, room - size, left)
    return (*head, _ended(part)) if part else head, rest.text


def _ended(para: Para) -> Para:
    first = para.runs[0]
    return replace(para, runs=(replace(first, text=para.text.rstrip(" ,;:") + " …"),))


def _whole(
    brand: Brand, passage: Passage, first: tuple[tuple[Para, ...], str], size: float, room: float, space: float
) -> list[tuple[tuple[Para, ...], str]]:
    """Return the cards over which a passage goes on."""
    cards = [first]
    label = Para((run(f"{passage.label}, continued", bold=True),), 12.0, PAGE.accent)
    left = space - setting.height(brand, (label,), room) - _GAP
    while cards[-1][1]:
        words = replace(_words(passage, size), runs=(run(f"… {cards[-1][1]}"),))
        part, rest = setting.cut_para(brand, words, room - size, left)
        if part is None:
            break
        cards.append(((label, _ended(part) if rest.text else part), rest.text))
    return cards


def _source(brand: Brand, passage: Passage, box: Box) -> list[Element]:
    """Return where a passage stands: a filled dot and a link, or an empty dot and why it has no page."""
    ground = PAGE.card if brand.look.cards in ("filled", "edged") else PAGE.fill
    dot = Shape(
        "ellipse", Box(box.x, box.y + 6, 10, 10), fill=paint("accent") if passage.sourced else None,
        line=paint("accent"), weight=1.25,
    )  # fmt: skip
    room = box.w - 20
    high = metrics.line_height(passage.source, 14.0, brand.body)
    size, shown = setting.title_size(brand, passage.source, room, high + 0.5, (14.0, 13.0, 12.0, 11.0), font="body")
    low = metrics.line_height(passage.detail, 11.0, brand.body)
    _, detail = setting.title_size(brand, passage.detail, room, low + 0.5, (11.0,), bold=False, font="body")
    paras = (
        Para((run(shown, bold=True, url=passage.url),), size, PAGE.accent),
        Para((run(detail),), 11.0, PAGE.muted, before=3),
    )
    return [
        Drawing((dot,), "Source mark"),
        Text(Box(box.x + 20, box.y + 2, room, box.h - 2), paras, ground, name="Source"),
    ]
