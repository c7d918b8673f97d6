"""What became of the rows that were to be delivered, and whose spans are missing.

A trace's row tells how many of its spans were lost, here or before: each that leaves for the sink or the disk is given
what was dropped until then. Where some are dropped after the last, that one is sent once more; whoever stores it takes
the greater number, so that a row may come again, and too early.
"""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from studio.tracing.encoding import Row
from studio.tracing.rows import Batch, SpanRow, TraceRow
from studio.tracing.writer import Written

log = logging.getLogger(__name__)

TRACES_WITH_DROPS = 10_000
# Whose last row is remembered. A process has few traces at a time.
TRACES_REMEMBERED = 1_000
TRACES_NAMED = 100


@dataclass
class Counters:
    """Rows by what became of them; `pending` are those of which nobody knows yet.

    `retried` and `split` count attempts, `stripped` spans that were kept without their input and output.
    """

    written: int = 0
    retried: int = 0
    split: int = 0
    stripped: int = 0
    spilled: int = 0
    dropped_by_reason: dict[str, int] = field(default_factory=dict)
    pending: int = 0

    @property
    def dropped(self) -> int:
        """All that were dropped."""
        return sum(self.dropped_by_reason.values())


class Tally:
    """Keeps the counters of one sink. Its owner sees to the locking."""

    def __init__(self, sink: str) -> None:
        self._sink = sink
        self.counters = Counters()
        self._dropped: OrderedDict[UUID, int] = OrderedDict()
        self._last: OrderedDict[UUID, TraceRow] = OrderedDict()
        # Traces that have lost spans since a row of theirs was last sent to tell it.
        self._untold: set[UUID] = set()

    def came(self, batch: Batch) -> None:
        """Remember the rows of traces that are to be delivered."""
        for trace in batch.traces:
            self._last[trace.trace_id] = trace
            self._last.move_to_end(trace.trace_id)
        while len(self._last) > TRACES_REMEMBERED:
            self._last.popitem(last=False)

    def wrote(self, written: Written) -> None:
        """Count what came of a write."""
        self.counters.written += written.rows
        self.counters.split += written.split
        self.counters.stripped += written.stripped

    def drop(self, rows: Sequence[Row], reason: str) -> None:
        """Count rows that are gone; the first of each reason is logged. What traces have lost is still to be told."""
        if not rows:
            return
        by_reason = self.counters.dropped_by_reason
        if reason not in by_reason:
            log.error("Traces for %s are dropped: %s", self._sink, reason)
        by_reason[reason] = by_reason.get(reason, 0) + len(rows)
        # A span's beginning that is lost is made good by its end.
        ended = Counter(row.trace_id for row in rows if isinstance(row, SpanRow) and row.end_time is not None)
        for trace_id, count in ended.items():
            self._dropped[trace_id] = self._dropped.get(trace_id, 0) + count
            self._dropped.move_to_end(trace_id)
            self._untold.add(trace_id)
        while len(self._dropped) > TRACES_WITH_DROPS:
            self._dropped.popitem(last=False)

    def not_told(self, rows: Sequence[Row], *, ever: bool = False) -> None:
        """Note that rows of traces did not arrive; `ever`: and never will."""
        for row in rows:
            if isinstance(row, TraceRow):
                if row.trace_id in self._dropped:
                    self._untold.add(row.trace_id)
                if ever:
                    self._last.pop(row.trace_id, None)

    def telling(self, batch: Batch) -> Batch:
        """Return the batch as it leaves: its traces tell what they have lost. The rows given stay as they are."""
        if not self._dropped or not any(trace.trace_id in self._dropped for trace in batch.traces):
            return batch
        traces = [
            dataclasses.replace(trace, dropped_spans=trace.dropped_spans + self._dropped.get(trace.trace_id, 0))
            for trace in batch.traces
        ]
        return Batch(traces, batch.spans)

    def take_untold(self) -> list[TraceRow]:
        """Return the last rows of traces that have lost spans since, to be sent once more; those without one stay."""
        known = [trace_id for trace_id in self._untold if trace_id in self._last]
        self._untold.difference_update(known)
        return [self._last[trace_id] for trace_id in known]

    def tell_untold(self) -> None:
        """Log what no row tells: here nothing else is left to do about it."""
        lost = {trace_id.hex: self._dropped[trace_id] for trace_id in self._untold if trace_id in self._dropped}
        self._untold.clear()
        if lost:
            named = ", ".join(f"{trace_id}: {count}" for trace_id, count in list(lost.items())[:TRACES_NAMED])
            more = f" and {len(lost) - TRACES_NAMED} more" if len(lost) > TRACES_NAMED else ""
            log.error("Traces do not say at %s how many of their spans are lost: %s%s", self._sink, named, more)

    def snapshot(self, pending: int) -> Counters:
        """Return a copy of the counters as they are now."""
        dropped = dict(self.counters.dropped_by_reason)
        return dataclasses.replace(self.counters, dropped_by_reason=dropped, pending=pending)

    def dropped_spans(self) -> dict[UUID, int]:
        """Return how many ended spans each of the last traces to lose any has lost."""
        return dict(self._dropped)
