"""Covers, statements and closings: the pages that are composed freely. A look has one of five covers."""

from __future__ import annotations

from studio.brand import Brand
from studio.decks import setting
from studio.decks.layouts.flow import numbered_title
from studio.decks.layouts.frame import ACCENT, CONTENT, GROUNDS, MARGIN, PAGE, Ground, footer, kicker, run, title
from studio.decks.metrics import line_height, lines
from studio.decks.model import Closing, Cover, Fact, Slide, Statement
from studio.decks.ornament import on_accent, on_page, ornament
from studio.decks.scene import HEIGHT, WIDTH, Box, Drawing, Element, Page, Para, Shape, Text, paint

_COVER_SIZES = setting.sizes(88, 22)
_FACT_SIZES = setting.sizes(18)
_SUBTITLE_SIZES = setting.sizes(26)


def cover(brand: Brand, slide: Slide, body: Cover) -> list[Page]:
    """Return the cover."""
    composed = {
        "split": _split,
        "full": _full,
        "poster": _poster,
        "frame": _framed,
        "band": _band,
    }[brand.look.cover](brand, slide, body)
    ground, elements = composed
    return [Page("cover", slide.title, ground.fill, tuple(elements), slide.notes)]


def _lockup(brand: Brand, slide: Slide, body: Cover, box: Box, ground: Ground, *, low: bool = False) -> list[Element]:
    """Return kicker, title and subtitle as one block in `box`, from its top, or standing on its bottom."""
    size, name = setting.title_size(brand, slide.title, box.w, box.h * 0.56, _COVER_SIZES)
    tall = lines(name, box.w, size, brand.heading, bold=True) * line_height(name, size, brand.heading) + 4
    room = box.h - 26 - tall - 14
    wide = min(box.w, 560.0)
    sub = _fitted(brand, body.subtitle, wide, room, ground)
    sub_tall = setting.height(brand, (sub,), wide) + 2
    y = box.bottom - (26 + tall + 14 + sub_tall) if low else box.y
    return [
        kicker(brand, slide.kicker, Box(box.x, y, box.w, 18), ground),
        Text(
            Box(box.x, y + 26, box.w, tall),
            (Para((run(name, bold=True),), size, ground.text, font="heading"),),
            ground.fill,
            role="title",
            name="Title",
        ),
        Text(Box(box.x, y + 26 + tall + 14, wide, sub_tall), (sub,), ground.fill, role="subtitle", name="Subtitle"),
    ]


def _fitted(brand: Brand, text: str, room: float, space: float, ground: Ground) -> Para:
    """Return a subtitle as large as fits; cut at the smallest size, for the notes have it in full."""
    for size in _SUBTITLE_SIZES:
        para = Para((run(text),), size, ground.text)
        if setting.para_height(brand, para, room) <= space:
            return para
    kept, _ = setting.cut_para(brand, para, room, space)
    shown = kept.text if kept else ""
    while shown and setting.para_height(brand, ended := _with_text(para, shown + "…"), room) > space:
        shown = shown[:-1].rstrip()
    return ended if shown else _with_text(para, "")


def _with_text(para: Para, text: str) -> Para:
    return Para((run(text),), para.size, para.color, font=para.font)


def facts(brand: Brand, listed: tuple[Fact, ...], box: Box, ground: Ground) -> list[Element]:
    """Return facts side by side: a label above its value."""
    if not listed:
        return []
    wide = box.w / len(listed)
    room = wide - 16
    shown: list[Element] = []

    def fitted(text: str, trials: tuple[float, ...]) -> tuple[float, str]:
        return setting.title_size(brand, text, room, line_height(text, trials[0], brand.heading) + 1, trials)

    # One size for all, so that they stand as a row.
    common = min(fitted(fact.value, _FACT_SIZES)[0] for fact in listed)
    for index, fact in enumerate(listed):
        size, value = fitted(fact.value, setting.sizes(common))
        paras = (
            Para((run(fact.label),), 12.0, ground.muted),
            Para((run(value, bold=True),), size, ground.text, font="heading", before=2),
        )
        place = Box(box.x + index * wide, box.y, room, setting.height(brand, paras, room) + 2)
        shown.append(Text(place, paras, ground.fill, name=fact.label))
    return shown


def _banner(brand: Brand, body: Cover, box: Box, ground: Ground) -> list[Element]:
    if not body.banner:
        return []
    para = Para((run(body.banner),), 11.0, ground.muted)
    tall = setting.height(brand, (para,), box.w) + 2
    return [Text(Box(box.x, box.bottom - tall, box.w, tall), (para,), ground.fill, name="How this was made")]


def _pattern(brand: Brand, box: Box, salt: str, *, accent: bool = False) -> Drawing:
    inks = on_accent() if accent else on_page()
    return ornament(brand.look.motif, box, brand.look.seed, salt=salt, inks=inks)


def _split(brand: Brand, slide: Slide, body: Cover) -> tuple[Ground, list[Element]]:
    panel = Box(576, 0, WIDTH - 576, HEIGHT)
    text = Box(MARGIN, 64, 576 - MARGIN - 40, 330)
    return PAGE, [
        Drawing((Shape("rect", panel, fill=paint("accent_fill")),), "Panel"),
        _pattern(brand, panel.inset(36, 36), "cover", accent=True),
        *_lockup(brand, slide, body, text, PAGE),
        *facts(brand, body.facts, Box(MARGIN, 420, text.w, 40), PAGE),
        *_banner(brand, body, Box(MARGIN, 470, text.w, 40), PAGE),
    ]


def _full(brand: Brand, slide: Slide, body: Cover) -> tuple[Ground, list[Element]]:
    text = Box(MARGIN, 60, 540, 330)
    return ACCENT, [
        _pattern(brand, Box(640, 0, 320, HEIGHT), "cover", accent=True),
        *_lockup(brand, slide, body, text, ACCENT),
        *facts(brand, body.facts, Box(MARGIN, 424, 560, 40), ACCENT),
        *_banner(brand, body, Box(MARGIN, 470, 560, 40), ACCENT),
    ]


def _poster(brand: Brand, slide: Slide, body: Cover) -> tuple[Ground, list[Element]]:
    text = Box(MARGIN, 190, CONTENT - 40, 226)
    return PAGE, [
        _pattern(brand, Box(0, 0, WIDTH, 160), "cover"),
        *_lockup(brand, slide, body, text, PAGE, low=True),
        Drawing((Shape("rect", Box(MARGIN, 434, CONTENT, 1), fill=PAGE.hairline),), "Rule"),
        *facts(brand, body.facts, Box(MARGIN, 446, CONTENT * 0.72, 40), PAGE),
        *_banner(brand, body, Box(MARGIN, 488, CONTENT, 32), PAGE),
    ]


def _framed(brand: Brand, slide: Slide, body: Cover) -> tuple[Ground, list[Element]]:
    border = Shape("rect", Box(24, 24, WIDTH - 48, HEIGHT - 48), line=PAGE.hairline, weight=1.0)
    text = Box(64, 64, 560, 320)
    return PAGE, [
        Drawing((border,), "Frame"),
        _pattern(brand, Box(690, 24, WIDTH - 24 - 690, HEIGHT - 48), "cover"),
        *_lockup(brand, slide, body, text, PAGE),
        *facts(brand, body.facts, Box(64, 418, 590, 40), PAGE),
        *_banner(brand, body, Box(64, 462, 590, 40), PAGE),
    ]


def _band(brand: Brand, slide: Slide, body: Cover) -> tuple[Ground, list[Element]]:
    band = Box(0, 330, WIDTH, 130)
    text = Box(MARGIN, 48, CONTENT - 60, 262)
    return PAGE, [
        Drawing((Shape("rect", band, fill=paint("accent_fill")),), "Band"),
        _pattern(brand, Box(WIDTH / 2, band.y, WIDTH / 2, band.h), "cover", accent=True),
        *_lockup(brand, slide, body, text, PAGE),
        *facts(brand, body.facts, Box(MARGIN, 376, WIDTH / 2 - MARGIN - 30, 40), ACCENT),
        *_banner(brand, body, Box(MARGIN, 476, CONTENT, 40), PAGE),
    ]


def statement(brand: Brand, slide: Slide, body: Statement) -> list[Page]:
    """Return pages with one text each, as large as it fits; a very long one goes on."""
    ground = GROUNDS[slide.ground]
    box = Box(MARGIN, 132, 700, 320)
    rest: Para | None = None
    paras: list[Para] = []
    for size in setting.sizes(42, 16):
        rest = Para((run(body.text),), size, ground.text, font="heading" if size >= 22 else "body", spacing=1.08)
        if setting.para_height(brand, rest, box.w) <= box.h:
            break
    while rest is not None and rest.text:
        part, remaining = setting.cut_para(brand, rest, box.w, box.h)
        if part is None:
            break
        paras.append(part)
        rest = remaining
    strip = Box(WIDTH - 120, 0, 120, HEIGHT)
    inks = on_page() if slide.ground == "page" else on_accent()
    pages = []
    for index, para in enumerate(paras):
        heading = numbered_title(slide.title, index, len(paras))
        bar = Shape("rect", Box(MARGIN, 112, 64, 4), fill=ground.accent)
        elements: list[Element] = [
            Drawing((bar,), "Bar"),
            kicker(brand, slide.kicker, Box(MARGIN, 44, 700, 18), ground),
            title(brand, heading, Box(MARGIN, 64, 700, 36), ground, setting.sizes(22, 16)),
            Text(box, (para,), ground.fill, role="body", name="Statement"),
        ]
        if slide.ground == "ink":
            elements.append(Drawing((Shape("rect", Box(0, 0, 14, HEIGHT), fill=paint("accent_fill")),), "Edge"))
        else:
            elements.append(ornament(brand.look.motif, strip, brand.look.seed, salt=slide.title, inks=inks))
        if body.source:
            note = Para((run(body.source),), 12.0, ground.muted)
            elements.append(Text(Box(MARGIN, 466, 700, 30), (note,), ground.fill, name="Source"))
        pages.append(Page("statement", heading, ground.fill, tuple(elements), slide.notes, footer(ground)))
    return pages


def closing(brand: Brand, slide: Slide, body: Closing) -> list[Page]:
    """Return the last page: a sentence and facts on the brand's colour, above its pattern."""
    ground = ACCENT
    text = Box(MARGIN, 64, CONTENT - 120, 200)
    cover_like = Cover(body.subtitle)
    elements = [
        _pattern(brand, Box(0, 396, WIDTH, HEIGHT - 396), "closing", accent=True),
        *_lockup(brand, slide, cover_like, text, ground),
        *facts(brand, body.facts, Box(MARGIN, 322, CONTENT, 40), ground),
    ]
    return [Page("closing", slide.title, ground.fill, tuple(elements), slide.notes)]
