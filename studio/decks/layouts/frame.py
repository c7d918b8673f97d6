"""The frame of a content page: where kicker, title and body stand. A look has one of three.

`top` sets the title above the body, `rail` in a column beside it, `ruled` on a line that spans the page.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.brand import Brand
from studio.decks import setting
from studio.decks.metrics import line_height, lines
from studio.decks.model import Notes
from studio.decks.scene import Anchor, Box, Drawing, Element, Footer, Page, Paint, Para, Run, Shape, Text, paint

MARGIN = 56.0
GUTTER = 20.0
CONTENT = 960.0 - 2 * MARGIN
BODY_BOTTOM = 486.0
_RAIL = 224.0
# Small bold lines are spaced a little.
_TRACKING = 0.8
_TITLE_SIZES = setting.sizes(34, 20)
_FOOTER = Box(MARGIN, 506, 500, 16)


@dataclass(frozen=True)
class Ground:
    """A ground with the colours of what stands on it."""

    fill: Paint
    text: Paint
    muted: Paint
    accent: Paint
    hairline: Paint
    # The ground of cards on it.
    card: Paint


PAGE = Ground(
    fill=paint("background"),
    text=paint("text"),
    muted=paint("muted_text"),
    accent=paint("accent_text"),
    hairline=paint("text", 0.22),
    card=paint("surface"),
)
ACCENT = Ground(
    fill=paint("accent_fill"),
    text=paint("on_accent_fill"),
    muted=paint("on_accent_fill"),
    accent=paint("on_accent_fill"),
    hairline=paint("on_accent_fill", 0.4),
    card=paint("accent_fill"),
)
INK = Ground(
    fill=paint("text"),
    text=paint("background"),
    muted=paint("background"),
    accent=paint("background"),
    hairline=paint("background", 0.4),
    card=paint("text"),
)
GROUNDS = {"page": PAGE, "accent": ACCENT, "ink": INK}


def footer(ground: Ground) -> Footer:
    """Return the footer of a page that has this ground on its left."""
    return Footer(_FOOTER, ground.muted, ground.fill)


@dataclass(frozen=True)
class Framed:
    """The parts of a page that its frame draws, and the room that is left for the body."""

    before: tuple[Element, ...]
    body: Box
    footer: Footer


def run(text: str, *, bold: bool = False, italic: bool = False, color: Paint | None = None, url: str = "") -> Run:
    """Return a piece of text."""
    return Run(text, bold=bold, italic=italic, color=color, url=url)


def kicker(brand: Brand, text: str, box: Box, ground: Ground, *, anchor: Anchor = "top") -> Text:
    """Return the small line above a title, as large as fits on one line, cut where even that is too long."""
    size, shown = setting.title_size(
        brand,
        text,
        box.w - _TRACKING * len(text),
        line_height(text, 13, brand.body) + 1,
        setting.sizes(13),
        font="body",
    )
    para = Para((run(shown, bold=True),), size, ground.accent, tracking=_TRACKING)
    return Text(box, (para,), ground.fill, role="label", anchor=anchor, name="Kicker")


def title(brand: Brand, text: str, box: Box, ground: Ground, sizes: tuple[float, ...], anchor: Anchor = "top") -> Text:
    """Return the title, as large as fits."""
    size, shown = setting.title_size(brand, text, box.w, box.h, sizes)
    para = Para((run(shown, bold=True),), size, ground.text, font="heading")
    return Text(box, (para,), ground.fill, role="title", anchor=anchor, name="Title")


def framed(brand: Brand, kicker_text: str, title_text: str, *, wide: bool = False) -> Framed:
    """Return a content page's frame. `wide` is for bodies that need the whole width, whatever the look."""
    kind = brand.look.frame
    if kind == "rail":
        return (_head if wide else _rail)(brand, kicker_text, title_text)
    if kind == "ruled":
        return _ruled(brand, kicker_text, title_text)
    return _top(brand, kicker_text, title_text)


def height_of_title(brand: Brand, text: str, room: float, size: float) -> float:
    """Return the height of a title in a size."""
    return lines(text, room, size, brand.heading, bold=True) * line_height(text, size, brand.heading)


def _title_height(brand: Brand, text: str, room: float, sizes: tuple[float, ...], most: float) -> float:
    size, shown = setting.title_size(brand, text, room, most, sizes)
    return height_of_title(brand, shown, room, size)


def _top(brand: Brand, kicker_text: str, title_text: str) -> Framed:
    height = _title_height(brand, title_text, CONTENT, _TITLE_SIZES, 84)
    bar = Shape("rect", Box(MARGIN, 0, 64, 7), fill=paint("accent_fill"))
    elements: list[Element] = [
        kicker(brand, kicker_text, Box(MARGIN, 36, CONTENT, 18), PAGE),
        title(brand, title_text, Box(MARGIN, 56, CONTENT, height + 2), PAGE, _TITLE_SIZES),
        Drawing((bar,), "Bar"),
    ]
    top = 56 + height + 24
    return Framed(tuple(elements), Box(MARGIN, top, CONTENT, BODY_BOTTOM - top), footer(PAGE))


def _head(brand: Brand, kicker_text: str, title_text: str) -> Framed:
    """The rail laid on its side, for bodies that need the whole width."""
    height = _title_height(brand, title_text, CONTENT, _TITLE_SIZES, 84)
    low = 54 + height + 18
    panel = Shape("rect", Box(0, 0, 960, low), fill=paint("surface"))
    edge = Shape("rect", Box(0, 0, 10, low), fill=paint("accent_fill"))
    on_surface = Ground(paint("surface"), PAGE.text, PAGE.muted, PAGE.accent, PAGE.hairline, PAGE.card)
    elements: tuple[Element, ...] = (
        Drawing((panel, edge), "Head"),
        kicker(brand, kicker_text, Box(MARGIN, 32, CONTENT, 18), on_surface),
        title(brand, title_text, Box(MARGIN, 54, CONTENT, height + 2), on_surface, _TITLE_SIZES),
    )
    return Framed(elements, Box(MARGIN, low + 24, CONTENT, BODY_BOTTOM - low - 24), footer(PAGE))


def _rail(brand: Brand, kicker_text: str, title_text: str) -> Framed:
    sizes = setting.sizes(28, 16)
    panel = Shape("rect", Box(0, 0, MARGIN + _RAIL - 8, 540), fill=paint("surface"))
    edge = Shape("rect", Box(0, 0, 10, 540), fill=paint("accent_fill"))
    on_surface = Ground(paint("surface"), PAGE.text, PAGE.muted, PAGE.accent, PAGE.hairline, PAGE.card)
    room = _RAIL - 40
    elements: tuple[Element, ...] = (
        Drawing((panel, edge), "Rail"),
        kicker(brand, kicker_text, Box(MARGIN - 10, 44, room + 10, 18), on_surface),
        title(brand, title_text, Box(MARGIN - 10, 68, room + 10, 320), on_surface, sizes),
    )
    x = MARGIN + _RAIL + 28
    foot = Footer(Box(MARGIN - 10, 506, room + 10, 16), PAGE.muted, on_surface.fill)
    return Framed(elements, Box(x, 46, 960 - MARGIN - x, BODY_BOTTOM - 46), foot)


def _ruled(brand: Brand, kicker_text: str, title_text: str) -> Framed:
    height = _title_height(brand, title_text, CONTENT * 0.86, _TITLE_SIZES, 84)
    rule = Shape("rect", Box(MARGIN, 54, CONTENT, 1), fill=PAGE.hairline)
    tab = Shape("rect", Box(MARGIN, 52, 40, 4), fill=paint("accent_fill"))
    elements: tuple[Element, ...] = (
        kicker(brand, kicker_text, Box(MARGIN, 30, CONTENT, 18), PAGE),
        title(brand, title_text, Box(MARGIN, 68, CONTENT * 0.86, height + 2), PAGE, _TITLE_SIZES),
        Drawing((rule, tab), "Rule"),
    )
    top = 68 + height + 22
    return Framed(elements, Box(MARGIN, top, CONTENT, BODY_BOTTOM - top), footer(PAGE))


def note_para(note: str, size: float = 13.0) -> Para:
    """Return a remark below a body."""
    return Para((run(note),), size, PAGE.muted)


def note_text(brand: Brand, note: str, body: Box) -> Text:
    """Return a remark that stands on the lower edge of the body; what does not fit there is in the notes."""
    para = note_para(note)
    if setting.para_height(brand, para, body.w) > 74:
        kept, _ = setting.cut_para(brand, note_para(note, 11.0), body.w, 74 - 12)
        para = replace(kept, runs=(run(kept.text + " …"),)) if kept else note_para("")
    tall = setting.para_height(brand, para, body.w) + 2
    return Text(Box(body.x, body.bottom - tall, body.w, tall), (para,), PAGE.fill, name="Remark")


def page(framed_page: Framed, title_text: str, body: tuple[Element, ...], notes: Notes) -> Page:
    """Return a content page of its frame and its body."""
    return Page("content", title_text, PAGE.fill, (*framed_page.before, *body), notes, framed_page.footer)
