"""The figures as a table for people, and as JSON for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, missed, shown

_STYLES = {"aim": "green", "ok": "yellow", "MISSED": "bold red", "": ""}
COLUMNS = ("benchmark", "figure", "stock", "ours", "unit", "at least", "aim", "verdict", "note")
# What stands beside ours, by the name of its column.
STOCK = "stock"


def table(figures: Sequence[Figure], beside: str = STOCK) -> Table:
    """Return the table: one row per figure, its benchmark named once. `beside` is what ours is compared with."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        made.add_column(beside if column == STOCK else column, justify="right" if column in (STOCK, "ours") else "left")
    before = ""
    for figure in figures:
        goal, verdict = figure.goal, figure.verdict
        made.add_row(
            figure.benchmark if figure.benchmark != before else "",
            figure.what,
            shown(figure.stock),
            shown(figure.ours),
            figure.unit,
            goal.said(goal.least) if goal else "",
            goal.said(goal.aim) if goal else "",
            f"[{_STYLES[verdict]}]{verdict}[/]" if verdict else "",
            figure.note,
        )
        before = figure.benchmark
    return made


def show(console: Console, facts: dict[str, Any], figures: Sequence[Figure], beside: str = STOCK) -> None:
    """Print the table, what it was measured on, and what is missed."""
    console.print(table(figures, beside), highlight=False)
    console.print(" · ".join(f"{name} {value}" for name, value in facts.items()), style="dim", highlight=False)
    for line in missed(figures):
        console.print(f"Missed: {line}", style="bold red", highlight=False, markup=False, soft_wrap=True)


def as_json(facts: dict[str, Any], figures: Sequence[Figure], *, quick: bool) -> dict[str, Any]:
    """Return what is written to the file: JSON knows no NaN, so what was not measured is null."""
    return {
        "machine": facts,
        "quick": quick,
        "figures": [
            {
                "benchmark": figure.benchmark,
                "what": figure.what,
                "unit": figure.unit,
                "ours": _number(figure.ours),
                "stock": _number(figure.stock),
                "at_least": figure.goal.least if figure.goal else None,
                "aim": figure.goal.aim if figure.goal else None,
                "higher_is_better": figure.goal.higher if figure.goal else None,
                "verdict": figure.verdict or None,
                "note": figure.note,
            }
            for figure in figures
        ],
        "missed": missed(figures),
    }


def write(path: Path, content: dict[str, Any]) -> None:
    """Write the JSON file, with its folder where that is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _number(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value
