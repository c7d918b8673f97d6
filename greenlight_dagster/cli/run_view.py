"""A job as its events tell it: steps with their times, streamed text, tool calls, artifacts, cost.

`RunView.apply` takes events in order; `render` draws the whole for a live display, `line` says one event in
one line for logs and pipes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from greenlight_dagster.cli.output import STATUS_STYLE
from greenlight_dagster.cli.packet_view import one_line
from studio.events import Event
from studio.model.spend import usd
from studio.text import printable

StepState = Literal["running", "done", "failed", "skipped"]

# What fits beside the steps on a small terminal.
STREAM_CHARS = 420
STREAMS_SHOWN = 2
NOTES_SHOWN = 6

_ICONS: dict[StepState, str] = {
    "done": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "skipped": "[dim]–[/]",
    "running": "[yellow]…[/]",
}


@dataclass
class StepView:
    """A step of the run. `seconds` is None while it runs."""

    name: str
    started: datetime
    state: StepState = "running"
    seconds: float | None = None
    note: str = ""


@dataclass
class RunView:
    """What the events of one job have said so far; a new attempt begins afresh, keeping the cost."""

    status: str = "queued"
    attempt: int = 0
    run_id: str | None = None
    error: str | None = None
    steps: dict[str, StepView] = field(default_factory=dict)
    streams: dict[str, str] = field(default_factory=dict)
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=NOTES_SHOWN))
    artifacts: list[str] = field(default_factory=list)
    events: int = 0
    cost_micros: int = 0
    tokens: int = 0
    calls: int = 0
    _began: float = field(default_factory=time.monotonic)

    def apply(self, event: Event) -> None:
        """Take the next event of the job."""
        event = _shown(event)
        self.events += 1
        data = event.data
        self.run_id = data.get("dagster_run_id") or self.run_id
        if event.type == "status":
            self._status(event)
        elif event.type == "delta":
            step = str(data.get("step", ""))
            self.streams[step] = (self.streams.get(step, "") + (event.message or ""))[-STREAM_CHARS:]
        elif event.type == "artifact":
            self.artifacts.append(event.message or "")
        elif "step_event" in data:
            self._step(event)
        else:
            self._count(data)
            self.notes.append(_note(event))

    def _status(self, event: Event) -> None:
        self.status = event.message or self.status
        error = event.data.get("error")
        self.error = str(error) if error else None
        if self.status == "running":
            self.attempt = event.attempt
            self.steps.clear()
            self.streams.clear()
        elif self.error:
            self.notes.append(f"[red]{one_line(self.error, 200)}[/]")

    def _step(self, event: Event) -> None:
        name = str(event.data.get("op", ""))
        kind = str(event.data["step_event"])
        if kind == "STEP_START":
            self.steps[name] = StepView(name, event.created_at)
            return
        step = self.steps.setdefault(name, StepView(name, event.created_at))
        step.state = {"STEP_SUCCESS": "done", "STEP_FAILURE": "failed"}.get(kind, "skipped")  # type: ignore[assignment]
        duration_ms = _number(event.data.get("duration_ms"))
        step.seconds = (
            duration_ms / 1000 if duration_ms is not None else (event.created_at - step.started).total_seconds()
        )
        step.note = one_line(str(event.data.get("error", "")), 80)

    def _count(self, data: dict[str, Any]) -> None:
        if "cost_micros" in data:
            self.calls += 1
            self.cost_micros += _number(data["cost_micros"]) or 0
            self.tokens += (_number(data.get("input_tokens")) or 0) + (_number(data.get("output_tokens")) or 0)

    # --- drawing

    def render(self) -> RenderableType:
        """Return the whole view, for a live display."""
        parts: list[RenderableType] = [self._headline(), self._step_table()]
        for step, text in list(self.streams.items())[-STREAMS_SHOWN:]:
            if text.strip():
                parts.append(Panel(Text(text), title=f"[dim]{escape(step)}[/]", border_style="dim", title_align="left"))
        if self.notes:
            parts.append(Padding(Group(*[Text.from_markup(note, overflow="ellipsis") for note in self.notes]), (0, 2)))
        parts += [Text.assemble(("◆ ", "green"), message) for message in self.artifacts]
        return Group(*parts)

    def _headline(self) -> RenderableType:
        style = STATUS_STYLE.get(self.status, "white")
        grid = Table.grid(padding=(0, 2))
        text = Text.assemble(
            (self.status, f"bold {style}"),
            f"  attempt {self.attempt}" if self.attempt else "",
            f"  {time.monotonic() - self._began:.0f} s",
            (f"  ${usd(self.cost_micros)}, {self.tokens:,} tokens in {self.calls} model calls", "dim"),
        )
        if self.status in ("queued", "running"):
            grid.add_row(Spinner("dots", style=style), text)
        else:
            grid.add_row(text)
        return grid

    def _step_table(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for step in self.steps.values():
            seconds = f"{step.seconds:6.2f} s" if step.seconds is not None else ""
            table.add_row("", _ICONS[step.state], escape(step.name), f"[dim]{seconds}[/]", f"[red]{step.note}[/]")
        return table


def line(event: Event) -> str | None:
    """Return one event as one line of markup, or None for one that a line per event would only bury."""
    event = _shown(event)
    clock = f"[dim]{event.created_at:%H:%M:%S}[/]"
    data = event.data
    if event.type == "status":
        style = STATUS_STYLE.get(event.message or "", "white")
        error = f"  {one_line(str(data['error']), 200)}" if data.get("error") else ""
        attempt = f" (attempt {event.attempt})" if event.attempt else ""
        return f"{clock} [bold {style}]{one_line(event.message or '')}[/]{attempt}{error}"
    if event.type == "delta":
        return None
    if event.type == "artifact":
        return f"{clock} [green]◆ {one_line(event.message or '', 160)}[/]"
    if "step_event" in data:
        return f"{clock} {_step_line(data)}"
    return f"{clock}   {_note(event)}"


def _shown(event: Event) -> Event:
    """Return the event without what could steer a terminal; foreign writers choose every text of theirs."""
    return replace(event, message=printable(event.message), data=printable(event.data))


def _step_line(data: dict[str, Any]) -> str:
    name = escape(str(data.get("op", "")))
    kind = data["step_event"]
    if kind == "STEP_START":
        return f"▸ {name}"
    if kind == "STEP_SUCCESS":
        return f"[green]✓[/] {name} [dim]{(_number(data.get('duration_ms')) or 0) / 1000:.2f} s[/]"
    if kind == "STEP_FAILURE":
        return f"[red]✗ {name}  {one_line(str(data.get('error', '')), 200)}[/]"
    return f"[dim]– {name} skipped[/]"


def _note(event: Event) -> str:
    style = {"tool_call": "cyan", "tool_result": "cyan"}.get(event.type, "dim")
    if event.data.get("level") in ("WARNING", "ERROR"):
        style = "red"
    return f"[{style}]{one_line(event.message or '', 140)}[/]"


def _number(value: Any) -> int | None:
    """Return a figure of an event, None where another client wrote something else in its place."""
    return int(value) if isinstance(value, int | float) and math.isfinite(value) else None
