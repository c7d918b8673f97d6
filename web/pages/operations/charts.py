"""Lines and bars over time as SVG: places in percent, so that they fit into any width without a script."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

# A line that bridges a longer time without any run would say that there were some.
LONGEST_GAP = 1.6
STEPS = 4
_SECOND, _MINUTE, _HOUR = 1000.0, 60_000.0, 3_600_000.0
_ROUND_MS = (
    *(n * _SECOND for n in (0.8, 2, 4, 8, 20, 40)),
    *(n * _MINUTE for n in (1, 2, 4, 8, 20, 40)),
    *(n * _HOUR for n in (1, 2, 4, 8, 20, 40)),
)
# An axis of time is cut into so many parts; a week into its days.
PARTS, WEEK = 6, 7


@dataclass(frozen=True)
class Mark:
    """A label of an axis and its place in percent: from the left, or from the top."""

    place: float
    label: str


@dataclass(frozen=True)
class Dot:
    """A point of a line, in percent from the left and the top. `label` says it in words."""

    x: float
    y: float
    href: str
    label: str


@dataclass(frozen=True)
class Line:
    """A series: pieces of a line as SVG writes them in a picture of 1000 × 1000, and its points."""

    key: str
    label: str
    pieces: list[str]
    dots: list[Dot]


@dataclass(frozen=True)
class Piece:
    """A part of a column, in percent from the top."""

    key: str
    y: float
    height: float
    label: str


@dataclass(frozen=True)
class Column:
    """A stretch of time, in percent from the left, and its parts from the bottom up."""

    x: float
    width: float
    label: str
    pieces: list[Piece] = field(default_factory=list)


def top_of(values: Sequence[float]) -> float:
    """Return a round number no less than any of these, of which a quarter is round, too: 1, 2, 4 or 8 with zeros."""
    most = max(values, default=0.0)
    if most <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(most))
    return next(step * power for step in (1, 2, 4, 8, 10) if step * power >= most)


def longest_of(values: Sequence[float]) -> float:
    """Return the same of milliseconds, of which a quarter is a round time."""
    most = max(values, default=0.0)
    return next((top for top in _ROUND_MS if top >= most), top_of(values)) if most > _ROUND_MS[0] else top_of(values)


def rising(top: float, write: Callable[[float], str]) -> list[Mark]:
    """Return the marks of an axis from 0 to `top`."""
    return [Mark(100 - 100 * n / STEPS, write(top * n / STEPS)) for n in range(STEPS + 1)]


def dates(begin: datetime, end: datetime) -> list[Mark]:
    """Return the marks of an axis of time: days, or for less than two of them the time of day, in UTC."""
    whole = end - begin
    style = "%H:%M" if whole <= timedelta(days=2) else "%-d %b"
    parts = WEEK if timedelta(days=6) < whole < timedelta(days=8) else PARTS
    return [Mark(100 * n / parts, (begin + whole * (n / parts)).strftime(style)) for n in range(parts + 1)]


@dataclass(frozen=True)
class Value:
    """A value of a series: when, how much, what stands behind it, and that in words."""

    at: datetime
    value: float | None
    href: str
    label: str


def line(
    key: str, label: str, values: Sequence[Value], *, begin: datetime, end: datetime, bucket: timedelta, top: float
) -> Line:
    """Return a series between two moments; it is broken where there is nothing for longer than a `bucket`."""
    whole = max((end - begin).total_seconds(), 1.0)
    dots: list[Dot] = []
    pieces: list[list[str]] = []
    before: datetime | None = None
    for one in values:
        if one.value is None:
            continue
        # A value is of the stretch that begins at `at`; it is drawn in its middle.
        x = (one.at + bucket / 2 - begin).total_seconds() / whole
        x, y = min(max(x, 0.0), 1.0), 1 - min(one.value / top, 1.0)
        if before is None or (one.at - before) > bucket * LONGEST_GAP:
            pieces.append([])
        pieces[-1].append(f"{x * 1000:.1f},{y * 1000:.1f}")
        dots.append(Dot(round(x * 100, 2), round(y * 100, 2), one.href, one.label))
        before = one.at
    return Line(key, label, [" ".join(piece) for piece in pieces if len(piece) > 1], dots)


def columns(
    stretches: Sequence[tuple[str, Sequence[tuple[str, float, str]]]], *, top: float, gap: float = 0.18
) -> list[Column]:
    """Return a column for each stretch (its label, and key, value and label of each part, from the bottom up)."""
    made = []
    each = 100 / max(len(stretches), 1)
    for n, (label, parts) in enumerate(stretches):
        column = Column(round(n * each + each * gap / 2, 3), round(each * (1 - gap), 3), label)
        at = 0.0
        for key, value, words in parts:
            share = value / top if top else 0.0
            if share > 0:
                column.pieces.append(Piece(key, round(100 * (1 - at - share), 3), round(100 * share, 3), words))
            at += share
        made.append(column)
    return made
