"""The presentation: pages as editable slides, with placeholders, native charts and tables, and speaker notes.

The same pages give the same bytes: times are the packet's, and the archive is written in one order.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pptx
from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls
from pptx.presentation import Presentation
from pptx.slide import Slide

from studio.brand import Brand
from studio.decks import archive, notes, theme
from studio.decks.charts import add_chart
from studio.decks.grids import add_grid
from studio.decks.model import Outline
from studio.decks.scene import Chart, Drawing, Grid, Page, Paint, Shape, Text
from studio.decks.theme import color_xml, emu
from studio.decks.words import body_xml

_AUTHOR = "Greenlight"
_DECORATIVE = (
    '<a:extLst><a:ext uri="{C183D7F6-B498-43B3-948B-1728B52AA6E4}"><adec:decorative'
    ' xmlns:adec="http://schemas.microsoft.com/office/drawing/2017/decorative" val="1"/></a:ext></a:extLst>'
)
# Corners of cards, in points.
_RADIUS = 10.0


def render(outline: Outline, pages: Sequence[Page], brand: Brand, made_at: datetime) -> bytes:
    """Return the presentation as a file. `made_at` is what it says about when it was made."""
    presentation = pptx.Presentation()
    theme.apply(presentation, brand)
    properties = presentation.core_properties
    properties.title, properties.subject, properties.author = outline.name, outline.subject, _AUTHOR
    properties.last_modified_by, properties.keywords = _AUTHOR, ", ".join(outline.keywords)
    properties.created = properties.modified = made_at.replace(tzinfo=None, microsecond=0)
    properties.revision = 1
    properties.language = outline.language
    for page in pages:
        _add(presentation, page, brand)
    buffer = io.BytesIO()
    presentation.save(buffer)
    return archive.settled(buffer.getvalue(), made_at)


def _add(presentation: Presentation, page: Page, brand: Brand) -> None:
    bodies = [text for text in page.texts() if text.role == "body"]
    if page.kind in ("cover", "closing"):
        number = theme.COVER
    else:
        number = (theme.TITLE_ONLY, theme.TITLE_AND_TEXT, theme.TWO_COLUMNS)[min(len(bodies), 2)]
    slide = presentation.slides.add_slide(presentation.slide_layouts[number])
    for placeholder in list(slide.placeholders):
        placeholder._element.getparent().remove(placeholder._element)
    _ground(slide, page.ground, brand)
    placed = _Placed(slide, brand, page)
    for element in page.elements:
        match element:
            case Text():
                placed.text(element)
            case Drawing():
                placed.drawing(element)
            case Grid():
                add_grid(slide, element, brand, leftwards=page.leftwards)
            case Chart():
                add_chart(slide, element, brand)
    slide.notes_slide.notes_text_frame.text = notes.text(page.notes)


def _ground(slide: Slide, paint: Paint, brand: Brand) -> None:
    background = parse_xml(
        f"<p:bg {nsdecls('p', 'a')}><p:bgPr><a:solidFill>{color_xml(paint, brand)}</a:solidFill>"
        "<a:effectLst/></p:bgPr></p:bg>"
    )
    slide._element.cSld.insert(0, background)


class _Placed:
    """The elements that are placed on one slide, in reading order."""

    def __init__(self, slide: Slide, brand: Brand, page: Page) -> None:
        self._slide, self._brand, self._page = slide, brand, page
        self._tree: Any = slide.shapes._spTree
        self._bodies = 0

    def _next(self) -> int:
        return int(max((int(i) for i in self._tree.xpath("//@id") if str(i).isdigit()), default=1)) + 1

    def text(self, text: Text) -> None:
        """Add a box of text: a placeholder where the layout has one for it, else a shape."""
        holder = self._holder(text)
        lock = '<a:spLocks noGrp="1"/>' if holder else ""
        geometry = "rect"
        adjust = ""
        if text.rounded and (text.fill or text.line):
            geometry = "roundRect"
            share = min(0.5, _RADIUS / max(1.0, min(text.box.w, text.box.h)))
            adjust = f'<a:gd name="adj" fmla="val {round(share * 100_000)}"/>'
        box = ' txBox="1"' if not holder and not text.fill and not text.line else ""
        element = parse_xml(
            f'<p:sp {nsdecls("p", "a", "r")}><p:nvSpPr><p:cNvPr id="{self._next()}" name=""/>'
            f"<p:cNvSpPr{box}>{lock}</p:cNvSpPr><p:nvPr>{holder}</p:nvPr></p:nvSpPr><p:spPr>{self._frame(text.box)}"
            f'<a:prstGeom prst="{geometry}"><a:avLst>{adjust}</a:avLst></a:prstGeom>'
            f"{self._fill(text.fill)}{self._line(text.line, 0.75)}</p:spPr>"
            f"{body_xml(text, self._brand, self._slide, leftwards=self._page.leftwards)}</p:sp>"
        )
        # Names are set by attribute, where nothing has to be escaped.
        element.nvSpPr.cNvPr.set("name", text.name or text.role.capitalize())
        self._tree.append(element)

    def _holder(self, text: Text) -> str:
        opening = self._page.kind in ("cover", "closing")
        if text.role == "title":
            return '<p:ph type="ctrTitle"/>' if opening else '<p:ph type="title"/>'
        if text.role == "subtitle" and opening:
            return '<p:ph type="subTitle" idx="1"/>'
        if text.role == "body":
            self._bodies += 1
            several = sum(other.role == "body" for other in self._page.texts()) > 1
            if self._bodies <= 2:
                half = ' sz="half"' if several else ""
                return f'<p:ph type="body"{half} idx="{self._bodies}"/>'
        if text.role == "number":
            return '<p:ph type="sldNum" sz="quarter" idx="12"/>'
        if text.role == "footer":
            return '<p:ph type="ftr" sz="quarter" idx="11"/>'
        return ""

    def _frame(self, box: Any) -> str:
        return (
            f'<a:xfrm><a:off x="{emu(box.x)}" y="{emu(box.y)}"/>'
            f'<a:ext cx="{max(0, emu(box.w))}" cy="{max(0, emu(box.h))}"/></a:xfrm>'
        )

    def _fill(self, paint: Paint | None) -> str:
        return "<a:noFill/>" if paint is None else f"<a:solidFill>{color_xml(paint, self._brand)}</a:solidFill>"

    def _line(self, paint: Paint | None, weight: float) -> str:
        if paint is None:
            return "<a:ln><a:noFill/></a:ln>"
        return f'<a:ln w="{emu(weight)}"><a:solidFill>{color_xml(paint, self._brand)}</a:solidFill></a:ln>'

    def drawing(self, drawing: Drawing) -> None:
        """Add shapes as one group: with an alternative text, or marked as ornament."""
        first = self._next()
        x, y = min(s.box.x for s in drawing.shapes), min(s.box.y for s in drawing.shapes)
        right, bottom = max(s.box.right for s in drawing.shapes), max(s.box.bottom for s in drawing.shapes)
        place = f'x="{emu(x)}" y="{emu(y)}"'
        extent = f'cx="{emu(right - x)}" cy="{emu(bottom - y)}"'
        shapes = "".join(self._shape(shape, first + 1 + i) for i, shape in enumerate(drawing.shapes))
        element = parse_xml(
            f'<p:grpSp {nsdecls("p", "a")}><p:nvGrpSpPr><p:cNvPr id="{first}" name="">'
            f"{'' if drawing.alt else _DECORATIVE}</p:cNvPr><p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr><a:xfrm>"
            f"<a:off {place}/><a:ext {extent}/><a:chOff {place}/><a:chExt {extent}/></a:xfrm></p:grpSpPr>"
            f"{shapes}</p:grpSp>"
        )
        properties = element.nvGrpSpPr.cNvPr
        properties.set("name", drawing.name)
        properties.set("descr", drawing.alt)
        self._tree.append(element)

    def _shape(self, shape: Shape, number: int) -> str:
        return (
            f'<p:sp><p:nvSpPr><p:cNvPr id="{number}" name="Shape {number}"/><p:cNvSpPr/><p:nvPr/></p:nvSpPr>'
            f"<p:spPr>{self._frame(shape.box)}{_geometry(shape)}{self._fill(shape.fill)}"
            f"{self._line(shape.line, shape.weight)}</p:spPr></p:sp>"
        )


def _geometry(shape: Shape) -> str:
    if shape.kind != "polygon":
        preset = {"rect": "rect", "round": "roundRect", "ellipse": "ellipse"}[shape.kind]
        return f'<a:prstGeom prst="{preset}"><a:avLst/></a:prstGeom>'
    w, h = emu(shape.box.w), emu(shape.box.h)
    points = [(emu(x - shape.box.x), emu(y - shape.box.y)) for x, y in shape.points]
    start, *rest = (f'<a:pt x="{x}" y="{y}"/>' for x, y in points)
    lines = "".join(f"<a:lnTo>{point}</a:lnTo>" for point in rest)
    return (
        '<a:custGeom><a:avLst/><a:gdLst/><a:ahLst/><a:cxnLst/><a:rect l="0" t="0" r="r" b="b"/><a:pathLst>'
        f'<a:path w="{w}" h="{h}"><a:moveTo>{start}</a:moveTo>{lines}<a:close/></a:path></a:pathLst></a:custGeom>'
    )
