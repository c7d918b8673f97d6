"""A trace while it lasts: what its spans have in common, and what they add up to."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from studio.tracing import names
from studio.tracing.rows import SpanRow, TraceRow

if TYPE_CHECKING:
    from studio.tracing.collector import TraceCollector
    from studio.tracing.spans import Span

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Trace:
    """The state that the spans of one trace share in this process. `now` is the time where this machine's is wrong.

    Durations are told by `perf_counter`, moments by the wall clock: it is read once, where the trace begins in this
    process, and every later moment is that plus what the monotonic clock has gone on. A clock that is set meanwhile
    so neither bends a duration nor turns two spans around.
    """

    __slots__ = ("_counted", "_lock", "closed", "collector", "dropped", "root", "row", "wall_ns", "zero_ns")

    def __init__(self, row: TraceRow, collector: TraceCollector, now: datetime | None = None) -> None:
        self.row = row
        self.collector = collector
        self.dropped = 0
        self.root: Span | None = None
        # Whether its end has been handed over. What ends later still counts.
        self.closed = False
        self._counted: set[str] = set()
        self._lock = threading.Lock()
        self.zero_ns = time.perf_counter_ns()
        self.wall_ns = time.time_ns() if now is None else nanoseconds(now)

    def epoch_ns(self, perf_ns: int) -> int:
        """Return the nanoseconds since 1970 at a reading of `perf_counter_ns`."""
        return self.wall_ns + perf_ns - self.zero_ns

    def perf_ns(self, moment: datetime) -> int:
        """Return what `perf_counter_ns` would have read at `moment` (with a time zone)."""
        return nanoseconds(moment) - self.wall_ns + self.zero_ns

    def add(self, span: SpanRow) -> None:
        """Count an ended span, once: at a stop, two threads may have it in their hands."""
        with self._lock:
            if span.span_id not in self._counted:
                self._counted.add(span.span_id)
                self._add(span)

    def _add(self, span: SpanRow) -> None:
        self.row.span_count += 1
        if span.span_name.startswith(names.CHAT):
            self.row.model_calls += 1
        self.row.cost_micros += span.cost_micros or 0
        self.row.input_tokens += span.input_tokens or 0
        self.row.output_tokens += span.output_tokens or 0
        # The two before the work; a trace has at most one of each.
        if span.span_name == names.QUEUE_WAIT:
            self.row.queue_ms = span.duration_ms
        elif span.span_name == names.LAUNCH:
            self.row.launch_ms = span.duration_ms


def nanoseconds(moment: datetime) -> int:
    """Return the nanoseconds since 1970 at `moment` (with a time zone)."""
    return round((moment - _EPOCH) / timedelta(microseconds=1)) * 1000


def moment(epoch_ns: int) -> datetime:
    """Return nanoseconds since 1970 as a UTC time, to the microsecond."""
    return _EPOCH + timedelta(microseconds=epoch_ns // 1000)
