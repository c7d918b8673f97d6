"""A figure, the goal that it is held to, and the verdict."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

Verdict = Literal["aim", "ok", "MISSED", ""]


class Goal(NamedTuple):
    """What a figure has to reach: `least` or the command fails, `aim` to be content. `higher` is better or lower."""

    least: float
    aim: float
    higher: bool

    def verdict(self, value: float) -> Verdict:
        """Judge a value; what could not be measured has missed its goal."""
        if math.isnan(value):
            return "MISSED"
        if self._reaches(value, self.aim):
            return "aim"
        return "ok" if self._reaches(value, self.least) else "MISSED"

    def _reaches(self, value: float, bound: float) -> bool:
        return value >= bound if self.higher else value <= bound

    def said(self, bound: float) -> str:
        """Return a bound as people write it."""
        return f"{'≥' if self.higher else '≤'} {bound:,g}"


def at_most(least: float, aim: float) -> Goal:
    """Return the goal of a figure that is better the lower it is."""
    return Goal(least, aim, higher=False)


def at_least(least: float, aim: float) -> Goal:
    """Return the goal of a figure that is better the higher it is."""
    return Goal(least, aim, higher=True)


class Figure(NamedTuple):
    """One line of the report. `ours` is judged; `stock` is what Dagster's own way gave, None where it was not asked."""

    benchmark: str
    what: str
    unit: str
    ours: float
    stock: float | None = None
    goal: Goal | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """How the figure stands to its goal; empty where it has none."""
        return self.goal.verdict(self.ours) if self.goal else ""


def missed(figures: Iterable[Figure]) -> list[str]:
    """Return a sentence about each figure that is short of what it has to reach."""
    return [
        f"{figure.benchmark}: {figure.what} is {shown(figure.ours)} {figure.unit},"
        f" has to be {figure.goal.said(figure.goal.least)}."
        for figure in figures
        if figure.goal is not None and figure.verdict == "MISSED"
    ]


def shown(value: float | None) -> str:
    """Return a number with as many digits as it deserves."""
    if value is None:
        return ""
    if math.isnan(value):
        return "–"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"
