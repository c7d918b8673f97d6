"""Places for traces that a test has in its hands, and rows to put there."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from studio.tracing.errors import SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch, SpanRow, TraceRow

TRACE = UUID("11111111-2222-3333-4444-555555555555")
BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
_numbers = itertools.count(1)


def span(number: int | None = None, **columns: Any) -> SpanRow:
    """Return a span that has ended; its id is made of `number`, and its own where none is given."""
    number = next(_numbers) + 0x10000 if number is None else number
    ended = {"end_time": BEGIN + timedelta(seconds=1), "duration_ms": 1000.0, "status": "ok", "success": True}
    return SpanRow(**{"span_id": f"{number:016x}", "trace_id": TRACE, "span_name": "tool:search",
                      "start_time": BEGIN, **ended, **columns})  # fmt: skip


def open_span(number: int | None = None, **columns: Any) -> SpanRow:
    """Return a span that has begun."""
    return span(number, **{"end_time": None, "duration_ms": None, "status": "running", "success": None, **columns})


def trace(trace_id: UUID = TRACE, **columns: Any) -> TraceRow:
    """Return a trace that has ended."""
    ended = {"end_time": BEGIN + timedelta(seconds=2), "duration_ms": 2000.0, "status": "ok", "success": True}
    return TraceRow(**{"trace_id": trace_id, "pipeline_name": "scan", "start_time": BEGIN, **ended, **columns})


def spans(count: int, **columns: Any) -> Batch:
    """Return a batch of so many ended spans."""
    return Batch(spans=[span(**columns) for _ in range(count)])


class KeptSink:
    """Keeps what it is given; `obstacle` is asked before each write, and raises what stands in its way."""

    def __init__(self, *, takes_open_rows: bool = True, name: str = "kept") -> None:
        self.name = name
        self.takes_open_rows = takes_open_rows
        self.obstacle: Callable[[Batch], None] = lambda _: None
        self.batches: list[Batch] = []
        self.attempts = 0
        self.closed = False

    def write(self, batch: Batch) -> None:
        self.attempts += 1
        self.obstacle(batch)
        self.batches.append(batch)

    def close(self) -> None:
        self.closed = True

    @property
    def spans(self) -> list[SpanRow]:
        return [row for batch in self.batches for row in batch.spans]

    @property
    def traces(self) -> list[TraceRow]:
        return [row for batch in self.batches for row in batch.traces]

    @property
    def ids(self) -> list[str]:
        return sorted(row.span_id for row in self.spans)


def unavailable(times: int | None = None) -> Callable[[Batch], None]:
    """Return an obstacle for the next writes, for all where no number is given."""
    left = itertools.count() if times is None else iter(range(times))

    def obstacle(batch: Batch) -> None:
        if next(left, None) is not None:
            raise SinkUnavailable("It is away.")

    return obstacle


def refusing(bad: Callable[[SpanRow], bool]) -> Callable[[Batch], None]:
    """Return an obstacle for batches with a span that is `bad`."""

    def obstacle(batch: Batch) -> None:
        if any(map(bad, batch.spans)):
            raise SinkRefused("A value is not taken.")

    return obstacle


class Hanging:
    """An obstacle that does not come back before it is `released`; `reached` tells that somebody waits there."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.released = threading.Event()

    def __call__(self, batch: Batch) -> None:
        self.reached.set()
        self.released.wait(30)
