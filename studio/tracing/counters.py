"""What became of the rows that were to be delivered, and whose spans are missing."""

from __future__ import annotations

import dataclasses
import logging
from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from studio.tracing.encoding import Row
from studio.tracing.rows import SpanRow
from studio.tracing.writer import Written

log = logging.getLogger(__name__)

TRACES_WITH_DROPS = 10_000


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

    def wrote(self, written: Written) -> None:
        """Count what came of a write."""
        self.counters.written += written.rows
        self.counters.split += written.split
        self.counters.stripped += written.stripped

    def drop(self, rows: Sequence[Row], reason: str) -> None:
        """Count rows that are gone; the first of each reason is logged."""
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
        while len(self._dropped) > TRACES_WITH_DROPS:
            self._dropped.popitem(last=False)

    def snapshot(self, pending: int) -> Counters:
        """Return a copy of the counters as they are now."""
        dropped = dict(self.counters.dropped_by_reason)
        return dataclasses.replace(self.counters, dropped_by_reason=dropped, pending=pending)

    def dropped_spans(self) -> dict[UUID, int]:
        """Return how many ended spans each of the last traces to lose any has lost."""
        return dict(self._dropped)
