"""Figures: the chart, and the verdict."""

from __future__ import annotations

from studio.brand import Brand
from studio.decks import metrics, setting
from studio.decks.layouts.flow import joined, longest_title, numbered_title, spread
from studio.decks.layouts.frame import PAGE, framed, page, run
from studio.decks.layouts.lists import column_text, entry
from studio.decks.model import Bar, Bars, Fact, Item, Slide, Verdict
from studio.decks.scene import Box, Chart, Drawing, Element, Page, Para, Shape, Text, paint

_SIDE_SIZES = setting.sizes(22)
_BIG_SIZES = setting.sizes(96, 16)
# A chart of one bar is drawn no higher than this.
_BAR_HEIGHT = 96.0
_FEW_BARS_HEIGHT = 130.0
_MOST_BARS = 8
_LABEL_SIZE = 15.0


def bars(brand: Brand, slide: Slide, body: Bars) -> list[Page]:
    """Return a chart's page, with its figure and remarks beside it; remarks that are too long go on."""
    probe = framed(brand, slide.kicker, longest_title(slide.title))
    side = 236.0 if probe.body.w > 700 else 176.0
    beside = bool(body.fact or body.remarks)
    gap = 36.0
    wide = probe.body.w - (side + gap if beside else 0)
    fact_room = 150.0 if body.fact else 0.0
    remarks = list(enumerate(body.remarks))

    def set_entry(pair: tuple[int, str], size: float) -> list[Para]:
        return entry(brand, Item(pair[1]), pair[0], "none", size)

    _, sheets = spread(brand, remarks, set_entry, side, probe.body.h - fact_room, _SIDE_SIZES, 10.0)
    charts = [body.bars[i : i + _MOST_BARS] for i in range(0, len(body.bars), _MOST_BARS)]
    total = max(len(sheets), len(charts))
    pages = []
    for index in range(total):
        heading = numbered_title(slide.title, index, total)
        frame = framed(brand, slide.kicker, heading)
        elements: list[Element] = []
        if index < len(charts):
            each = _FEW_BARS_HEIGHT if len(body.bars) < 3 else _BAR_HEIGHT
            tall = min(probe.body.h, len(charts[index]) * each + 16)
            elements.append(chart(brand, body, charts[index], Box(frame.body.x, frame.body.y, wide, tall)))
        x = frame.body.x + wide + gap
        if body.fact and index == 0:
            elements += _fact(brand, body.fact, Box(x, frame.body.y, side, fact_room))
        if remarks and index < len(sheets):
            paras = joined(sheets[index], 10.0)
            place = Box(x, frame.body.y + fact_room, side, probe.body.h - fact_room)
            elements.append(Text(place, paras, PAGE.fill, role="body", name="Remarks"))
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages


def chart(brand: Brand, body: Bars, listed: tuple[Bar, ...], box: Box) -> Chart:
    """Return a bar chart in `box`; its labels take as much of the width as they need, up to half."""
    widest = max(metrics.width(bar.label, _LABEL_SIZE, brand.body) for bar in listed)
    figures = max(metrics.width(bar.shown, _LABEL_SIZE, brand.body, bold=True) for bar in listed)
    label_share = min(0.5, (widest + 14) / box.w)
    values = [bar.value for bar in body.bars]
    return Chart(
        box=box,
        series=body.series,
        labels=tuple(bar.label for bar in listed),
        values=tuple(bar.value for bar in listed),
        shown=tuple(bar.shown for bar in listed),
        number_format=body.number_format,
        maximum=body.maximum or max(values) or 1.0,
        size=_LABEL_SIZE,
        ground=PAGE.fill,
        alt=f"Bar chart, {body.series}: " + "; ".join(f"{bar.label} {bar.shown}" for bar in listed) + ".",
        label_share=label_share,
        figure_share=min(0.5, (figures + 16) / (box.w * (1 - label_share))),
    )


def _fact(brand: Brand, fact: Fact, box: Box) -> list[Element]:
    size, shown = setting.title_size(brand, fact.value, box.w, 104, _BIG_SIZES)
    value = Para((run(shown, bold=True),), size, PAGE.accent, font="heading")
    tall = setting.height(brand, (value,), box.w)
    label_size, text = setting.title_size(brand, fact.label, box.w, 34, setting.sizes(13), bold=False, font="body")
    label = Para((run(text),), label_size, PAGE.muted)
    return [
        Text(Box(box.x, box.y, box.w, tall), (value,), PAGE.fill, name=fact.label),
        Text(Box(box.x, box.y + tall + 2, box.w, 34), (label,), PAGE.fill, name=f"{fact.label} (label)"),
    ]


def verdict(brand: Brand, slide: Slide, body: Verdict) -> list[Page]:
    """Return the verdict in one word beside the reasons for it."""
    probe = framed(brand, slide.kicker, longest_title(slide.title), wide=True)
    left, gap = 260.0, 44.0
    right = probe.body.w - left - gap
    inset = 22.0
    reasons = list(enumerate(body.reasons))

    def set_entry(pair: tuple[int, str], size: float) -> list[Para]:
        return entry(brand, Item(pair[1]), pair[0], "number", size)

    size, sheets = spread(brand, reasons, set_entry, right, probe.body.h, setting.sizes(26), 14.0)
    pages = []
    for index, entries in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        frame = framed(brand, slide.kicker, heading, wide=True)
        card = Box(frame.body.x, frame.body.y, left, frame.body.h)
        inner = left - 2 * inset
        word_size, word = setting.title_size(brand, body.word, inner, 80, setting.sizes(48, 20))
        fill = paint("accent_fill")
        on = paint("on_accent_fill")
        gauge = Box(card.x + inset, card.bottom - 64, inner, 8)
        done = Box(gauge.x, gauge.y, max(1.0, gauge.w * body.confidence / 100), gauge.h)
        label = Para((run("Verdict"),), 13.0, on)
        value = Para((run(word, bold=True),), word_size, on, font="heading", before=4)
        below = Para((run(f"Confidence {body.confidence} of 100", bold=True),), 15.0, on)
        elements: list[Element] = [
            Text(
                card, (label, value), fill, role="card", inset=(inset, inset), fill=fill,
                rounded=brand.look.rounded, name="Verdict",
            ),
            Drawing(
                (Shape("rect", gauge, fill=paint("on_accent_fill", 0.28)), Shape("rect", done, fill=on)),
                "Confidence",
                alt=f"Confidence {body.confidence} of 100",
            ),
            Text(Box(gauge.x, gauge.bottom + 10, inner, 20), (below,), fill, name="Confidence (label)"),
            column_text(brand, entries, Box(card.right + gap, frame.body.y, right, probe.body.h), 14.0, size),
       ]  # fmt: skip
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages
