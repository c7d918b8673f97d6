"""Ornament: the pattern of a brand, drawn from simple shapes to fill a box.

The same idea always gets the same pattern; `salt` varies it from page to page without leaving its family.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from studio.brand.look import Lot, Motif
from studio.decks.scene import Box, Drawing, Paint, Shape, paint

Points = tuple[tuple[float, float], ...]

# Corners of a curve: enough to look round on a projector, few enough to stay editable.
_CURVE = 20


def ornament(motif: Motif, box: Box, seed: str, *, salt: str = "", inks: tuple[Paint, ...]) -> Drawing:
    """Return the pattern in `box`. `inks` are its colours, the main one first, at least two."""
    lot = Lot(f"{seed}\n{salt}")
    shapes = _MOTIFS[motif](box, lot, inks)
    return Drawing(tuple(shapes), f"Pattern ({motif})")


def on_page() -> tuple[Paint, ...]:
    """Return the pattern's colours on the page's ground."""
    return (
        paint("accent_fill"),
        paint("secondary_fill"),
        paint("text"),
        paint("accent_fill", 0.35),
        paint("secondary_fill", 0.4),
    )


def on_accent() -> tuple[Paint, ...]:
    """Return the pattern's colours on the accent."""
    return (
        paint("on_accent_fill", 0.92),
        paint("secondary_fill"),
        paint("on_accent_fill", 0.28),
        paint("on_accent_fill", 0.14),
        paint("secondary_fill", 0.55),
    )


def _rect(box: Box, ink: Paint) -> Shape:
    return Shape("rect", box, fill=ink)


def _polygon(points: Points, ink: Paint) -> Shape:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    box = Box(min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys))
    return Shape("polygon", box, fill=ink, points=points)


def _cells(box: Box, about: float) -> list[Box]:
    """Return square-ish cells that fill the box exactly, row by row."""
    columns, rows = max(1, round(box.w / about)), max(1, round(box.h / about))
    w, h = box.w / columns, box.h / rows
    return [Box(box.x + c * w, box.y + r * h, w, h) for r in range(rows) for c in range(columns)]


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, sweep: float) -> list[tuple[float, float]]:
    return [
        (cx + rx * math.cos(math.radians(start + sweep * i / _CURVE)),
         cy + ry * math.sin(math.radians(start + sweep * i / _CURVE)))
        for i in range(_CURVE + 1)
    ]  # fmt: skip


def _corner(cell: Box, turn: int) -> tuple[float, float, float]:
    """Return a corner of the cell, and the angle at which a quarter circle around it begins."""
    return [
        (cell.x, cell.y, 0.0),
        (cell.right, cell.y, 90.0),
        (cell.right, cell.bottom, 180.0),
        (cell.x, cell.bottom, 270.0),
    ][turn % 4]


def _quarters(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    shapes: list[Shape] = []
    for index, cell in enumerate(_cells(box, 76)):
        pick = lot.number(f"kind{index}")
        ink = lot.choice(f"ink{index}", inks)
        if pick < 0.14:
            continue
        if pick < 0.28:
            shapes.append(_rect(cell, ink))
            continue
        if pick < 0.42:
            shapes.append(Shape("ellipse", cell.inset(cell.w * 0.14, cell.h * 0.14), fill=ink))
            continue
        if pick < 0.6:
            shapes.append(_rect(cell, lot.choice(f"under{index}", inks[-2:])))
        cx, cy, start = _corner(cell, int(lot.number(f"turn{index}") * 4))
        shapes.append(_polygon(((cx, cy), *_arc(cx, cy, cell.w, cell.h, start, 90)), ink))
    return shapes


def _arcs(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    """Quarter rings around a corner of the box, cut at its edges by being no larger than it."""
    turn = int(lot.number("turn") * 4)
    cell = Box(box.x, box.y, box.w, box.h)
    cx, cy, start = _corner(cell, turn)
    shapes, count = [], 7
    for index in range(count):
        outer, inner = 1 - index / count, 1 - (index + 0.62) / count
        ring = _arc(cx, cy, box.w * outer, box.h * outer, start, 90)
        back = _arc(cx, cy, box.w * inner, box.h * inner, start + 90, -90)
        shapes.append(_polygon((*ring, *back), inks[index % min(3, len(inks))]))
    return shapes


def _bars(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    count = max(5, round(box.w / 30))
    step = box.w / count
    shapes = []
    phase = lot.number("phase") * math.tau
    for index in range(count):
        wave = 0.5 + 0.33 * math.sin(phase + index * (0.45 + 0.4 * lot.number("pace")))
        tall = box.h * min(1.0, max(0.1, wave + 0.22 * (lot.number(f"tall{index}") - 0.5)))
        ink = inks[0] if lot.number(f"ink{index}") < 0.6 else lot.choice(f"other{index}", inks[1:])
        shapes.append(_rect(Box(box.x + index * step, box.bottom - tall, step * 0.62, tall), ink))
    return shapes


def _dots(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    cells = _cells(box, 42 if box.w * box.h > 60_000 else 30)
    fx, fy = lot.number("x"), lot.number("y")
    shapes = []
    for index, cell in enumerate(cells):
        dx = (cell.x + cell.w / 2 - box.x) / box.w - fx
        dy = (cell.y + cell.h / 2 - box.y) / box.h - fy
        share = max(0.12, 0.92 - 0.85 * math.hypot(dx, dy))
        ink = inks[1] if lot.number(f"ink{index}") < 0.12 else inks[0]
        side = min(cell.w, cell.h) * share
        middle = Box(cell.x + (cell.w - side) / 2, cell.y + (cell.h - side) / 2, side, side)
        shapes.append(Shape("ellipse", middle, fill=ink))
    return shapes


def _steps(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    count = max(4, round(box.w / 70))
    w = box.w / count
    falling = lot.number("falling") < 0.5
    shapes = []
    for index in range(count):
        place = count - 1 - index if falling else index
        tall = box.h * (place + 1) / count
        shapes.append(_rect(Box(box.x + index * w, box.bottom - tall, w, tall), inks[3 if index % 2 else 0]))
        cap = min(tall, box.h / count)
        if lot.number(f"cap{index}") < 0.55:
            shapes.append(_rect(Box(box.x + index * w, box.bottom - tall, w, cap), inks[1]))
    return shapes


def _waves(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    shapes, count = [], 5
    for index in range(count):
        level = box.y + box.h * (0.12 + 0.18 * index)
        swing, turns = box.h * 0.09, 0.8 + 0.9 * lot.number(f"turns{index}")
        phase = math.tau * lot.number(f"phase{index}")
        top = [
            (box.x + box.w * i / 36, max(box.y, level + swing * math.sin(phase + math.tau * turns * i / 36)))
            for i in range(37)
        ]
        ink = (inks[3], inks[1], inks[4], inks[0], inks[2])[index] if len(inks) > 4 else inks[index % len(inks)]
        shapes.append(_polygon((*top, (box.right, box.bottom), (box.x, box.bottom)), ink))
    return shapes


def _triangles(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    shapes = []
    for index, cell in enumerate(_cells(box, 80)):
        corners = [(cell.x, cell.y), (cell.right, cell.y), (cell.right, cell.bottom), (cell.x, cell.bottom)]
        turn = int(lot.number(f"turn{index}") * 4)
        if lot.number(f"kind{index}") < 0.14:
            continue
        if lot.number(f"two{index}") < 0.45:
            far = tuple(corners[(turn + i) % 4] for i in (0, 2, 3))
            shapes.append(_polygon(far, lot.choice(f"far{index}", inks[-2:])))
        near = tuple(corners[(turn + i) % 4] for i in (0, 1, 2))
        shapes.append(_polygon(near, lot.choice(f"ink{index}", inks[:3])))
    return shapes


def _rings(box: Box, lot: Lot, inks: tuple[Paint, ...]) -> list[Shape]:
    shapes = []
    short = min(box.w, box.h)
    count = max(3, round(max(box.w, box.h) / short * 2) + 1)
    along = box.w >= box.h
    for index in range(count):
        side = short * (0.42 + 0.5 * lot.number(f"side{index}"))
        place = index / (count - 1)
        across = (short - side) * lot.number(f"across{index}")
        x = box.x + ((box.w - side) * place if along else across)
        y = box.y + (across if along else (box.h - side) * place)
        ink = inks[index % min(3, len(inks))]
        weight = max(3.0, side * 0.075)
        ring = Box(x, y, side, side).inset(weight / 2)
        shapes.append(Shape("ellipse", ring, line=ink, weight=weight))
        if lot.number(f"core{index}") < 0.5:
            shapes.append(Shape("ellipse", ring.inset(side * 0.28), fill=inks[(index + 1) % len(inks)]))
    return shapes


_MOTIFS: dict[Motif, Callable[[Box, Lot, tuple[Paint, ...]], list[Shape]]] = {
    "quarters": _quarters,
    "arcs": _arcs,
    "bars": _bars,
    "dots": _dots,
    "steps": _steps,
    "waves": _waves,
    "triangles": _triangles,
    "rings": _rings,
}
