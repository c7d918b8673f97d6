"""The HTML twin: the same pages as one self-contained document, without scripts and without anything from outside.

On a wide screen and on paper each page stands as in the presentation; on a narrow one its texts flow in their order.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jinja2
from markupsafe import Markup

from studio.brand import Brand
from studio.decks import metrics
from studio.decks.mirror import leftwards
from studio.decks.model import Outline
from studio.decks.scene import HEIGHT, WIDTH, Box, Chart, Drawing, Grid, Page, Paint, Para, Shape, Text
from studio.decks.words import language

_ANCHORS = {"top": "flex-start", "middle": "center", "bottom": "flex-end"}


@functools.cache
def templates() -> jinja2.Environment:
    """Return the templates of decks and documents; whatever they are given is escaped."""
    made = jinja2.Environment(
        loader=jinja2.PackageLoader("studio.decks"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["color"] = color
    return made


def render(outline: Outline, pages: Sequence[Page], brand: Brand, *, fonts: str = "") -> str:
    """Return the document. `fonts` is a style sheet of its own fonts, as `data:` addresses: for print."""
    return (
        templates()
        .get_template("deck.html.j2")
        .render(
            outline=outline,
            pages=[_page(page, number) for number, page in enumerate(pages, 1)],
            theme=theme(brand),
            scheme="dark" if brand.dark else "light",
            fonts=Markup(fonts),  # noqa: S704 - made by the studio, of numbers and base64
        )
    )


def theme(brand: Brand) -> Markup:
    """Return the brand as custom properties of a style sheet: checked hex colours and plain font names."""
    colors = "".join(f"--{role.replace('_', '-')}:{value};" for role, value in brand.palette.colors().items())
    return Markup(f"{colors}--heading:{brand.heading_stack};--body:{brand.body_stack};")  # noqa: S704


def color(paint: Paint | None) -> str:
    """Return a colour as CSS."""
    if paint is None:
        return "none"
    name = paint.hex or f"var(--{(paint.role or 'text').replace('_', '-')})"
    return name if paint.alpha >= 1 else f"color-mix(in srgb,{name} {paint.alpha * 100:g}%,transparent)"


def _share(value: float, whole: float) -> str:
    return f"{value / whole * 100:.3f}%"


def place(box: Box) -> str:
    """Return where a box stands, as CSS relative to the page."""
    return (
        f"left:{_share(box.x, WIDTH)};top:{_share(box.y, HEIGHT)};"
        f"width:{_share(box.w, WIDTH)};min-height:{_share(box.h, HEIGHT)}"
    )


class _Entry(NamedTuple):
    """A list's entry: its marker, and its paragraphs."""

    marker: str
    ink: str
    paras: list[dict[str, Any]]


def _page(page: Page, number: int) -> dict[str, Any]:
    drawn: list[dict[str, Any]] = []
    for index, element in enumerate(page.elements):
        identity = f"s{number}e{index}"
        match element:
            case Text():
                drawn.append(_text(element, page))
            case Drawing():
                drawn.append({"kind": "drawing", "shapes": [_shape(s) for s in element.shapes], "alt": element.alt})
            case Grid():
                drawn.append(_grid(element))
            case Chart():
                drawn.append(_chart(element, identity))
    return {
        "number": number,
        "kind": page.kind,
        "title": page.title,
        "ground": color(page.ground),
        "ink": color(next((t.paras[0].color for t in page.texts() if t.role == "title"), Paint("text"))),
        "direction": "rtl" if page.leftwards else "ltr",
        "elements": drawn,
        "notes": page.notes,
    }


def _text(text: Text, page: Page) -> dict[str, Any]:
    style = place(text.box)
    if text.fill:
        style += f";background:{color(text.fill)}"
    if text.line:
        style += f";box-shadow:inset 0 0 0 1px {color(text.line)}"
    style += f";justify-content:{_ANCHORS[text.anchor]}"
    style += f";--px:{text.inset[0]:g};--py:{text.inset[1]:g}"
    tag = {"title": "h1" if page.kind == "cover" else "h2"}.get(text.role, "div")
    return {
        "kind": "text",
        "tag": tag,
        "role": text.role,
        "style": style,
        "rounded": text.rounded and bool(text.fill or text.line),
        "boxed": bool(text.fill or text.line),
        "blocks": _blocks(text.paras, page),
    }


def _blocks(paras: Sequence[Para], page: Page) -> list[dict[str, Any]]:
    """Return paragraphs, with those behind markers gathered into lists."""
    blocks: list[dict[str, Any]] = []
    for para in paras:
        shown = _para(para, page)
        if para.marker:
            ordered = para.marker.endswith(".")
            if not blocks or blocks[-1].get("ordered") is not ordered:
                blocks.append({"ordered": ordered, "entries": []})
            blocks[-1]["entries"].append(_Entry(para.marker, color(para.marker_color or para.color), [shown]))
        elif para.indent and blocks and "entries" in blocks[-1]:
            blocks[-1]["entries"][-1].paras.append(shown)
        else:
            blocks.append({"para": shown})
    return blocks


def _para(para: Para, page: Page) -> dict[str, Any]:
    style = f"--s:{para.size:g};--b:{para.before:g};color:{color(para.color)}"
    if para.spacing != 1:
        style += f";line-height:{para.spacing * 1.2:.2f}"
    if para.tracking:
        style += f";letter-spacing:{para.tracking / para.size:.3f}em"
    if para.align == "center":
        style += ";text-align:center"
    elif page.leftwards or leftwards(para.text):
        style += ";text-align:right"
    return {
        "style": style,
        "font": para.font,
        "lang": "" if (lang := language(para.text)) == "en-US" else lang,
        "runs": para.runs,
        "size": f"{para.size:g}",
        "before": f"{para.before:g}",
        "indent": para.indent,
    }


def _shape(shape: Shape) -> dict[str, Any]:
    return {
        "kind": shape.kind,
        "box": shape.box,
        "fill": color(shape.fill),
        "line": color(shape.line),
        "weight": shape.weight,
        "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points),
    }


def _grid(grid: Grid) -> dict[str, Any]:
    total = sum(grid.widths)
    return {
        "kind": "grid",
        "style": place(grid.box) + f";--px:{grid.padding[0]:g};--py:{grid.padding[1]:g}",
        "widths": [_share(wide, total) for wide in grid.widths],
        "header": grid.header,
        "rows": grid.rows,
        "name": grid.name,
        "color": color,
    }


def _chart(chart: Chart, identity: str) -> dict[str, Any]:
    """Return a chart as drawn in its own coordinates, which are the page's."""
    box, size = chart.box, chart.size
    label_room = box.w * chart.label_share
    band = box.h / len(chart.labels)
    thick = band / 1.55
    bars = []
    for index, (label, value, shown) in enumerate(zip(chart.labels, chart.values, chart.shown, strict=True)):
        middle = band * (index + 0.5)
        parts = metrics.wrapped(label, label_room - 14, size)
        top = middle - (len(parts) - 1) * size * 0.6
        bars.append(
            {
                "label": [(part, top + i * size * 1.2 + size * 0.35) for i, part in enumerate(parts)],
                "name": label,
                "shown": shown,
                "y": middle - thick / 2,
                "h": thick,
                "w": (box.w - label_room) * (1 - chart.figure_share) * value / chart.maximum,
                "base": middle + size * 0.35,
            }
        )
    return {
        "kind": "chart",
        "style": place(box),
        "id": identity,
        "box": box,
        "x": label_room,
        "size": size,
        "bars": bars,
        "series": chart.series,
        "alt": chart.alt,
    }
