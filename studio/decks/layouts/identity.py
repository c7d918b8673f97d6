"""Identity: colours, typefaces, the head of the landing page, and the plates of the brand brief.

Where a picture would stand and there is none, the brand's own pattern and initial are drawn, and said to be that.
"""

from __future__ import annotations

from dataclasses import replace

from studio.brand import Brand, readable
from studio.decks import metrics, setting
from studio.decks.layouts.flow import Entry, joined, longest_title, numbered_title, spread
from studio.decks.layouts.frame import (
    ACCENT,
    MARGIN,
    PAGE,
    Ground,
    footer,
    framed,
    height_of_title,
    kicker,
    note_text,
    page,
    run,
    title,
)
from studio.decks.layouts.lists import entry
from studio.decks.model import Hero, Item, Plate, Slide, Swatches, Type, clean
from studio.decks.ornament import on_accent, on_page, ornament
from studio.decks.scene import HEIGHT, WIDTH, Box, Drawing, Element, Footer, Page, Paint, Para, Role, Shape, Text, paint

_HEADLINE_SIZES = setting.sizes(52, 20)
_TEXT_SIZES = setting.sizes(22)
_GAP = 12.0
# What shows a typeface without saying anything that stands elsewhere.
_MOST_WORDS = 40
_LETTERS = "Aa Bb Cc Dd Ee Ff Gg Hh Ii Jj Kk Ll Mm Nn Oo Pp Qq Rr Ss Tt Uu Vv Ww Xx Yy Zz 0123456789"


def swatches(brand: Brand, slide: Slide, body: Swatches) -> list[Page]:
    """Return the colours side by side, each with its name on it, the first the widest."""
    frame = framed(brand, slide.kicker, slide.title)
    note_space = 84.0 if body.note else 0.0
    tall = frame.body.h - note_space
    count = len(body.swatches)
    per_row = count if count <= 6 and frame.body.w > 700 else min(count, 4 if frame.body.w > 700 else 3)
    lanes = -(-count // per_row)
    high = tall / lanes
    elements: list[Element] = []
    for index, swatch in enumerate(body.swatches):
        lane, place = divmod(index, per_row)
        here = min(per_row, count - lane * per_row)
        wide = frame.body.w / here
        box = Box(frame.body.x + place * wide, frame.body.y + lane * high, wide, high)
        fill = Paint(hex=swatch.color)
        ink = Paint(hex=readable(swatch.color))
        inset = 12.0
        room = wide - 2 * inset
        label_size, label = setting.title_size(brand, swatch.label, room, 56, setting.sizes(15))
        detail = Para((run(swatch.detail),), 11.0, ink, before=3)
        space = high - 2 * inset - 60
        if swatch.detail and setting.para_height(brand, detail, room) > space:
            kept, _ = setting.cut_para(brand, detail, room, space)
            detail = kept or Para((run(""),), 11.0, ink)
        paras = (
            Para((run(label, bold=True),), label_size, ink, font="heading"),
            *((detail,) if detail.text else ()),
        )
        elements.append(
            Text(box, paras, fill, role="card", anchor="bottom", inset=(inset, inset), fill=fill, line=PAGE.hairline,
                 name=f"Colour {swatch.color}")
        )  # fmt: skip
    if body.note:
        elements.append(note_text(brand, body.note, frame.body))
    return [page(frame, slide.title, tuple(elements), slide.notes)]


def typefaces(brand: Brand, slide: Slide, body: Type) -> list[Page]:
    """Return the two fonts, each shown in itself."""
    frame = framed(brand, slide.kicker, slide.title)
    note_space = 84.0 if body.note else 0.0
    tall = frame.body.h - note_space
    wide = (frame.body.w - 40) / 2
    elements: list[Element] = []
    for place, (name, font, what) in enumerate(((body.heading, "heading", "Headings"), (body.body, "body", "Text"))):
        x = frame.body.x + place * (wide + 40)
        role: Role = "accent" if place == 0 else "accent_secondary"
        face = brand.heading if font == "heading" else brand.body
        big = Para((run("Aa", bold=font == "heading"),), 92.0, PAGE.text, font="heading" if place == 0 else "body")
        big_tall = metrics.line_height("Aa", 92, face)
        label_size, label = setting.title_size(brand, f"{what}: {name}", wide, 20, setting.sizes(14), font="body")
        sample_box = Box(x, frame.body.y + 26 + big_tall + 8, wide, max(40.0, tall - 26 - big_tall - 8))
        words = clean(body.words) if place == 0 and len(body.words) <= _MOST_WORDS else ""
        sample = _sample(brand, words or _LETTERS, sample_box, heading=place == 0)
        elements += [
            Drawing((Shape("rect", Box(x, frame.body.y - 6, wide, 2.5), fill=paint(role)),), "Rule"),
            Text(Box(x, frame.body.y + 4, wide, 22), (Para((run(label, bold=True),), label_size, PAGE.accent),),
                 PAGE.fill, name=what),
            Text(Box(x, frame.body.y + 26, wide, big_tall + 2), (big,), PAGE.fill, name=f"{what} (letters)"),
            sample,
        ]  # fmt: skip
    if body.note:
        elements.append(note_text(brand, body.note, frame.body))
    return [page(frame, slide.title, tuple(elements), slide.notes)]


def _sample(brand: Brand, text: str, box: Box, *, heading: bool) -> Text:
    sizes = setting.sizes(28, 14) if heading else setting.sizes(20)
    for size in sizes:
        para = Para((run(text, bold=heading),), size, PAGE.text, font="heading" if heading else "body")
        if setting.para_height(brand, para, box.w) <= box.h:
            return Text(box, (para,), PAGE.fill, name="Sample")
    kept, _ = setting.cut_para(brand, para, box.w, box.h)
    return Text(box, (kept or para,), PAGE.fill, name="Sample")


def hero(brand: Brand, slide: Slide, body: Hero) -> list[Page]:
    """Return the head of the landing page in words, as the brand would set it."""
    frame = framed(brand, slide.kicker, slide.title, wide=True)
    box = frame.body
    art = Box(box.right - 250, box.y, 250, box.h)
    inset = 32.0
    room = box.w - art.w - 2 * inset
    size, headline = setting.title_size(brand, body.headline, room, box.h * 0.46, _HEADLINE_SIZES)
    head = Para((run(headline, bold=True),), size, PAGE.text, font="heading")
    head_tall = setting.height(brand, (head,), room) + 4
    space = box.h - 2 * inset - head_tall - 74
    sub_text = body.subheadline
    sub = Para((run(sub_text),), 11.0, PAGE.muted)
    for sub_size in _TEXT_SIZES:
        sub = Para((run(sub_text),), sub_size, PAGE.muted)
        if setting.para_height(brand, sub, room) <= space:
            break
    else:
        kept, _ = setting.cut_para(brand, sub, room, space)
        sub = kept or sub
    sub_tall = setting.height(brand, (sub,), room) + 2
    wide = min(room, metrics.width(body.button, 14, brand.body, bold=True) + 44)
    button_size, button = setting.title_size(brand, body.button, wide - 30, 22, setting.sizes(14), font="body")
    block = head_tall + 12 + sub_tall + 22 + 40
    y = box.y + max(inset, (box.h - block) / 2)
    x = box.x + inset
    return [
        page(
            frame,
            slide.title,
            (
                Drawing((Shape("rect", box, fill=PAGE.card),), "Screen"),
                ornament(brand.look.motif, art, brand.look.seed, salt="hero", inks=on_page()),
                Text(Box(x, y, room, head_tall), (head,), PAGE.card, name="Headline"),
                Text(Box(x, y + head_tall + 12, room, sub_tall), (sub,), PAGE.card, name="Subheadline"),
                Text(
                    Box(x, y + head_tall + sub_tall + 34, wide, 40),
                    (Para((run(button, bold=True),), button_size, paint("on_accent_fill"), align="center"),),
                    paint("accent_fill"), anchor="middle", fill=paint("accent_fill"), rounded=brand.look.rounded,
                    name="Button",
                ),
            ),
            slide.notes,
        )
    ]  # fmt: skip


def plate(brand: Brand, slide: Slide, body: Plate) -> list[Page]:
    """Return a page of the brand brief: a drawing, and the texts beside it or on a panel over it."""
    composed = {"left": _beside, "right": _beside, "full": _over, "spotlight": _spotlight}[body.layout]
    return composed(brand, slide, body)


def _texts(brand: Brand, slide: Slide, body: Plate, box: Box, ground: Ground) -> list[list[Element]]:
    """Return the texts of a plate, page by page, in `box`."""
    entries: list[tuple[int, Item, bool]] = []
    if body.subtitle:
        entries.append((0, Item("", heading=body.subtitle), False))
    if body.text:
        entries.append((0, Item(body.text), False))
    entries += [(index, Item(point), True) for index, point in enumerate(body.points)]

    def set_entry(one: tuple[int, Item, bool], at: float) -> list[Para]:
        index, item, listed = one
        if not listed:
            return [Para((run(item.heading or item.text, bold=bool(item.heading)),), at, ground.text)]
        return [_inked(para, ground) for para in entry(brand, item, index, "point", at)]

    def laid(heading: str) -> tuple[float, Box, list[list[Entry]]]:
        size, shown = setting.title_size(brand, heading, box.w, box.h * 0.42, setting.sizes(34, 18))
        tall = height_of_title(brand, shown, box.w, size)
        below = Box(box.x, box.y + 24 + tall + 18, box.w, box.h - 24 - tall - 18)
        _, sheets = spread(brand, entries, set_entry, below.w, below.h, _TEXT_SIZES, _GAP)
        return size, below, sheets

    size, below, sheets = laid(slide.title)
    if len(sheets) > 1:
        size, below, sheets = laid(longest_title(slide.title))
    pages = []
    for index, sheet in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        place = Box(box.x, box.y + 24, box.w, below.y - box.y - 40)
        texts: list[Element] = [
            kicker(brand, slide.kicker, Box(box.x, box.y, box.w, 18), ground),
            title(brand, heading, place, ground, (size,)),
        ]
        if sheet:
            texts.append(Text(below, joined(sheet, _GAP), ground.fill, role="body", name="Text"))
        pages.append(texts)
    return pages


def _inked(para: Para, ground: Ground) -> Para:
    return replace(para, color=ground.text, marker_color=ground.accent if para.marker else None)


def _made(
    slide: Slide, ground: Ground, sheets: list[list[Element]], behind: list[Element], foot: Footer | None
) -> list[Page]:
    pages = []
    for index, sheet in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        pages.append(Page("statement", heading, ground.fill, (*behind, *sheet), slide.notes, foot))
    return pages


def _beside(brand: Brand, slide: Slide, body: Plate) -> list[Page]:
    left = body.layout == "left"
    art = Box(0 if left else WIDTH - 400, 0, 400, HEIGHT)
    text = Box(art.right + 48 if left else MARGIN, 56, WIDTH - 400 - MARGIN - 48, 430)
    foot = Footer(Box(text.x, 506, text.w, 16), PAGE.muted, PAGE.fill)
    return _made(slide, PAGE, _texts(brand, slide, body, text, PAGE), _drawing(brand, slide, body, art), foot)


def _over(brand: Brand, slide: Slide, body: Plate) -> list[Page]:
    panel = Box(MARGIN, 56, 500, 428)
    ground = Ground(PAGE.card, PAGE.text, PAGE.muted, PAGE.accent, PAGE.hairline, PAGE.card)
    behind = _drawing(brand, slide, body, Box(0, 0, WIDTH, HEIGHT))
    behind.append(Drawing((Shape("rect", panel, fill=PAGE.card),), "Panel"))
    return _made(slide, PAGE, _texts(brand, slide, body, panel.inset(28, 26), ground), behind, None)


def _spotlight(brand: Brand, slide: Slide, body: Plate) -> list[Page]:
    text = Box(MARGIN, 96, 620, 380)
    art = Box(WIDTH - 220, 0, 220, HEIGHT)
    pattern = ornament(brand.look.motif, art, brand.look.seed, salt=slide.title, inks=on_accent())
    return _made(slide, ACCENT, _texts(brand, slide, body, text, ACCENT), [pattern], footer(ACCENT))


def _drawing(brand: Brand, slide: Slide, body: Plate, box: Box) -> list[Element]:
    if body.drawing == "pattern":
        panel = Drawing((Shape("rect", box, fill=paint("accent_fill")),), "Panel")
        return [panel, ornament(brand.look.motif, box, brand.look.seed, salt=slide.title, inks=on_accent())]
    return _marks(brand, box)


def _marks(brand: Brand, box: Box) -> list[Element]:
    """Return the brand's initial on its grounds: a working mark, until there is a drawn one."""
    initial = next((char for char in brand.name if char.isalnum()), "•").upper()
    high = box.h / 3
    grounds: tuple[tuple[Role, Role], ...] = (
        ("accent_fill", "on_accent_fill"), ("surface", "text"), ("text", "background"),
    )  # fmt: skip
    elements: list[Element] = []
    for index, (ground, ink) in enumerate(grounds):
        place = Box(box.x, box.y + index * high, box.w, high)
        side = 92.0
        badge = Box(place.x + (place.w - side) / 2, place.y + (place.h - side) / 2, side, side)
        ring = Shape("ellipse" if brand.look.rounded else "rect", badge, line=paint(ink), weight=5.0)
        letter = Para((run(initial, bold=True),), 48.0, paint(ink), font="heading", align="center")
        elements += [
            Drawing((Shape("rect", place, fill=paint(ground)), ring), "Working mark",
                    alt=f"Working mark: the initial {initial} in a {'circle' if brand.look.rounded else 'square'}"),
            Text(badge, (letter,), paint(ground), anchor="middle", name="Initial"),
        ]  # fmt: skip
    caption = Para((run("Working mark, until a logo is drawn"),), 11.0, paint("background"), align="center")
    last = Box(box.x + 20, box.bottom - 30, box.w - 40, 16)
    elements.append(Text(last, (caption,), paint("text"), name="What this is"))
    return elements
