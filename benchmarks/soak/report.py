"""The judgements as a table for people, and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.figures import shown
from benchmarks.soak.verdict import Judgement, Verdict, bad

_STYLES: dict[Verdict, str] = {"flat": "green", "ok": "green", "GROWS": "bold red", "FAILED": "bold red"}
_RIGHT = frozenset({"first", "last", "growth", "%"})
COLUMNS = ("series", "of", "first", "last", "growth", "%", "unit", "bound", "verdict", "note")
# Of dozens of sessions' and workers' processes a person wants those that have grown most.
PROCESSES_SHOWN = 6


def table(judgements: Sequence[Judgement]) -> Table:
    """Return the table: one row per judgement, each kind named once."""
    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        made.add_column(column, justify="right" if column in _RIGHT else "left")
    before = ""
    for one in _worth_showing(judgements):
        style = _STYLES.get(one.verdict, "yellow")
        made.add_row(
            one.kind if one.kind != before else "",
            one.what,
            _shown(one.first),
            _shown(one.last),
            _shown(one.growth),
            _shown(one.percent),
            one.unit,
            one.bound,
            f"[{style}]{one.verdict}[/]" if one.verdict else "",
            one.note,
        )
        before = one.kind
    return made


def show(console: Console, facts: dict[str, Any], judgements: Sequence[Judgement]) -> None:
    """Print the table, what it was measured on, and what a run has failed for."""
    console.print(table(judgements), highlight=False)
    console.print(" · ".join(f"{name} {value}" for name, value in facts.items()), style="dim", highlight=False)
    for line in sentences(judgements):
        console.print(line, style="bold red", highlight=False, markup=False, soft_wrap=True)


def sentences(judgements: Sequence[Judgement]) -> list[str]:
    """Return a sentence about each thing that a run has failed for."""
    return [
        f"Failed: {one.what} is {_shown(one.last)}, has to be {one.bound}."
        if one.verdict == "FAILED"
        else f"Grows: {one.kind} of {one.what}, from {_shown(one.first)} to {_shown(one.last)} {one.unit}"
        f" ({one.bound} allowed)."
        for one in bad(judgements)
    ]


def as_json(facts: dict[str, Any], about: dict[str, Any], judgements: Sequence[Judgement]) -> dict[str, Any]:
    """Return what is written to the file: JSON knows neither NaN nor infinity, so both are null."""
    rows = [{name: _plain(value) for name, value in one._asdict().items()} for one in judgements]
    return {"machine": facts, **about, "judgements": rows, "failed": sentences(judgements)}


def _worth_showing(judgements: Sequence[Judgement]) -> list[Judgement]:
    processes = sorted(
        (one for one in judgements if one.kind == "process"),
        key=lambda one: -math.inf if math.isnan(one.growth) else one.growth,
        reverse=True,
    )
    quiet = {one for one in processes[PROCESSES_SHOWN:] if one not in bad(processes)}
    return [one for one in judgements if one not in quiet]


def _shown(value: float) -> str:
    return "" if math.isnan(value) else "new" if math.isinf(value) else shown(value)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value
