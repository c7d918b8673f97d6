"""Native tables of a presentation: a header on a rule, rows between hairlines, no bands of colour."""

from __future__ import annotations

from typing import Any

from pptx.oxml import parse_xml
from pptx.oxml.ns import nsdecls, qn
from pptx.slide import Slide
from pptx.util import Emu

from studio.brand import Brand
from studio.decks.scene import Box, Grid, Paint, Row, Text, paint
from studio.decks.theme import color_xml, emu
from studio.decks.words import body_xml

# "No Style, No Grid": the cells bring their own lines and colours.
_NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"


def add_grid(slide: Slide, grid: Grid, brand: Brand, *, leftwards: bool) -> None:
    """Add a table to a slide."""
    rows = [grid.header, *grid.rows]
    frame = slide.shapes.add_table(
        len(rows), len(grid.widths), Emu(emu(grid.box.x)), Emu(emu(grid.box.y)), Emu(emu(grid.box.w)),
        Emu(emu(grid.box.h)),
    )  # fmt: skip
    frame.name = "Table"
    frame._element.nvGraphicFramePr.cNvPr.set("descr", f"Table: {grid.name}")
    table = frame.table
    properties: Any = table._tbl.tblPr
    properties.set("bandRow", "0")
    properties.set("firstRow", "1")
    if leftwards:
        properties.set("rtl", "1")
    style = properties.find(qn("a:tableStyleId"))
    style.text = _NO_STYLE
    for index, wide in enumerate(grid.widths):
        table.columns[index].width = Emu(emu(wide))
    for index, row in enumerate(rows):
        table.rows[index].height = Emu(emu(row.height))
        last = index == len(rows) - 1
        rule = (paint("accent"), 1.5) if index == 0 else (paint("text", 0.22), 0.75)
        for place in range(len(grid.widths)):
            _cell(table.cell(index, place)._tc, row, place, grid, brand, slide, None if last else rule, leftwards)


def _cell(
    cell: Any, row: Row, place: int, grid: Grid, brand: Brand, slide: Slide, rule: tuple[Paint, float] | None,
    leftwards: bool,
) -> None:  # fmt: skip
    for child in list(cell):
        cell.remove(child)
    text = Text(Box(0, 0, 0, 0), row.cells[place], grid.ground)
    body = parse_xml(
        body_xml(text, brand, slide, leftwards=leftwards, tag="a:txBody")
        .replace("<a:txBody>", f"<a:txBody {nsdecls('a', 'r')}>", 1)
        .replace("<a:noAutofit/>", "", 1)
    )
    none = "".join(f'<a:{side} w="0"><a:noFill/></a:{side}>' for side in ("lnL", "lnR", "lnT"))
    below = (
        '<a:lnB w="0"><a:noFill/></a:lnB>'
        if rule is None
        else f'<a:lnB w="{emu(rule[1])}" cap="flat" cmpd="sng"><a:solidFill>{color_xml(rule[0], brand)}</a:solidFill>'
        '<a:prstDash val="solid"/></a:lnB>'
    )
    x, y = emu(grid.padding[0]), emu(grid.padding[1])
    properties = parse_xml(
        f'<a:tcPr {nsdecls("a")} marL="{x}" marR="{x}" marT="{y}" marB="{y}" anchor="t">'
        f"{none}{below}<a:noFill/></a:tcPr>"
    )
    cell.append(body)
    cell.append(properties)
