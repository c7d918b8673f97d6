"""Tables: native rows that are measured, continued over pages, and never run off one."""

from __future__ import annotations

from dataclasses import replace

from studio.brand import Brand
from studio.decks import setting
from studio.decks.layouts.flow import longest_title, numbered_title
from studio.decks.layouts.frame import PAGE, framed, note_text, page, run
from studio.decks.model import Cell, Evidence, Slide, Table
from studio.decks.scene import Box, Element, Grid, Page, Para, Row

_SIZES = setting.sizes(18)
_PAD = (9.0, 8.0)
_NOTE_SPACE = 84.0
# Air that a row may get beyond its padding.
_MOST_ROOM = 16.0
_CONTINUED = "(continued)"

Cells = tuple[tuple[Para, ...], ...]


def table(brand: Brand, slide: Slide, body: Table) -> list[Page]:
    """Return a table's pages, the header on each."""
    probe = framed(brand, slide.kicker, longest_title(slide.title), wide=True)
    total = sum(body.weights)
    widths = tuple(probe.body.w * weight / total for weight in body.weights)
    space = probe.body.h - (_NOTE_SPACE if body.note else 0)
    best: tuple[float, list[list[Row]]] | None = None
    for size in _SIZES:
        sheets = _sheets(brand, body, widths, space, size)
        if best is None or len(sheets) < len(best[1]):
            best = (size, sheets)
    assert best is not None  # noqa: S101 - there is a size
    size, sheets = best
    pages = []
    for index, rows in enumerate(sheets):
        heading = numbered_title(slide.title, index, len(sheets))
        frame = framed(brand, slide.kicker, heading, wide=True)
        elements: list[Element] = [
            _grid(brand, body, widths, rows, Box(frame.body.x, frame.body.y, frame.body.w, space))
        ]
        if body.note:
            elements.append(note_text(brand, body.note, frame.body))
        pages.append(page(frame, heading, tuple(elements), slide.notes))
    return pages


def stands(brand: Brand, slide: Slide, body: Table, size: float) -> bool:
    """Whether a table stands on one page in a size, whatever number its title gets."""
    probe = framed(brand, slide.kicker, longest_title(slide.title), wide=True)
    total = sum(body.weights)
    widths = tuple(probe.body.w * weight / total for weight in body.weights)
    space = probe.body.h - (_NOTE_SPACE if body.note else 0) - _header(brand, body, widths).height
    for row in body.rows:
        space -= _height(brand, tuple(_cell(cell, size) for cell in row), widths)
        if space < 0:
            return False
    return True


def _grid(brand: Brand, body: Table, widths: tuple[float, ...], rows: list[Row], room: Box) -> Grid:
    """Return a page's table; room that is left is shared among its rows, up to a bound."""
    header = _header(brand, body, widths)
    free = room.h - header.height - sum(row.height for row in rows)
    more = max(0.0, min(_MOST_ROOM, free / (len(rows) + 1)))
    header = replace(header, height=header.height + more)
    wider = tuple(replace(row, height=row.height + more) for row in rows)
    box = Box(room.x, room.y, room.w, header.height + sum(row.height for row in wider))
    return Grid(box, widths, header, wider, PAGE.fill, ", ".join(body.header), (_PAD[0], _PAD[1] + more / 2))


def evidence(brand: Brand, slide: Slide, body: Evidence) -> list[Page]:
    """Return claims beside the passages that carry them."""
    rows = tuple(
        (
            Cell(proof.claim, strong=True),
            Cell(f"“{proof.quote}”" if proof.quote else "No source carries this claim."),
            Cell(proof.source, url=proof.url),
        )
        for proof in body.proofs
    )
    return table(brand, slide, Table(("Claim", "Passage", "Source"), (3.2, 4.4, 2.4), rows))


def _header(brand: Brand, body: Table, widths: tuple[float, ...]) -> Row:
    cells: list[tuple[Para, ...]] = []
    for text, wide in zip(body.header, widths, strict=True):
        size, shown = setting.title_size(brand, text, wide - 2 * _PAD[0], 17, (12.0, 11.0), font="body")
        cells.append((Para((run(shown, bold=True),), size, PAGE.accent),))
    return Row(tuple(cells), _height(brand, tuple(cells), widths))


def _cell(cell: Cell, size: float) -> tuple[Para, ...]:
    paras = [Para((run(cell.text, bold=cell.strong, url=cell.url),), size, PAGE.text)] if cell.text else []
    if cell.tag:
        paras.append(Para((run(cell.tag, url=cell.tag_url),), max(11.0, size - 4), PAGE.muted, before=2))
    return tuple(paras) or (Para((run(""),), size, PAGE.text),)


def _height(brand: Brand, cells: Cells, widths: tuple[float, ...]) -> float:
    return (
        max(setting.height(brand, paras, wide - 2 * _PAD[0]) for paras, wide in zip(cells, widths, strict=True))
        + 2 * _PAD[1]
    )


def _sheets(brand: Brand, body: Table, widths: tuple[float, ...], space: float, size: float) -> list[list[Row]]:
    room = space - _header(brand, body, widths).height
    sheets: list[list[Row]] = [[]]
    used = 0.0
    waiting: list[Cells] = [tuple(_cell(cell, size) for cell in row) for row in body.rows]
    while waiting:
        cells = waiting.pop(0)
        tall = _height(brand, cells, widths)
        if used + tall <= room:
            sheets[-1].append(Row(cells, tall))
            used += tall
        elif sheets[-1]:
            sheets.append([])
            used = 0.0
            waiting.insert(0, cells)
        else:
            head, rest = _cut(brand, cells, widths, room)
            sheets[-1].append(Row(head, min(room, _height(brand, head, widths))))
            used = room
            if rest is not None:
                waiting.insert(0, rest)
    return [sheet for sheet in sheets if sheet] or [[]]


def _cut(brand: Brand, cells: Cells, widths: tuple[float, ...], room: float) -> tuple[Cells, Cells | None]:
    """Return what of a row that is higher than a page fits on one, and the rest of it."""
    heads, tails = [], []
    for paras, wide in zip(cells, widths, strict=True):
        left = room - 2 * _PAD[1]
        head: list[Para] = []
        tail: list[Para] = []
        for para in paras:
            if tail:
                tail.append(para)
                continue
            part, rest = setting.cut_para(brand, para, wide - 2 * _PAD[0], left - (para.before if head else 0))
            if part is not None:
                left -= setting.para_height(brand, part, wide - 2 * _PAD[0]) + (para.before if head else 0)
                head.append(part)
            if rest.text:
                tail.append(rest)
        heads.append(tuple(head) or (_blank(paras[0]),))
        tails.append(tuple(tail))
    if not any(tails):
        return tuple(heads), None
    rest_cells = tuple(tail or (_blank(paras[0]),) for tail, paras in zip(tails, cells, strict=True))
    if not tails[0]:
        note = Para((run(_CONTINUED, italic=True),), cells[0][0].size, PAGE.muted)
        rest_cells = ((note,), *rest_cells[1:])
    return tuple(heads), rest_cells


def _blank(para: Para) -> Para:
    return Para((run(""),), para.size, para.color)
