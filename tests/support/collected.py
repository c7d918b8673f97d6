"""A collector for tests, and a sink that keeps rows where a test can look at them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from studio.tracing.collector import TraceCollector
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch, SpanRow, TraceRow


class Kept:
    """A sink in memory, with the rule of the real ones: an end replaces an open row, and stays."""

    name = "kept"
    takes_open_rows = True

    def __init__(self) -> None:
        self.spans: dict[str, SpanRow] = {}
        self.traces: dict[object, TraceRow] = {}
        self.opened: set[str] = set()
        # Every row of a trace, as it came.
        self.stored: list[TraceRow] = []

    def write(self, batch: Batch) -> None:
        for span in batch.spans:
            if span.end_time is None:
                self.opened.add(span.span_name)
            if (known := self.spans.get(span.span_id)) is None or known.end_time is None:
                self.spans[span.span_id] = span
        self.stored += batch.traces
        for trace in batch.traces:
            if (old := self.traces.get(trace.trace_id)) is None or old.end_time is None:
                self.traces[trace.trace_id] = trace

    def close(self) -> None:
        pass

    def named(self, name: str) -> SpanRow:
        """Return the one span of this name."""
        (found,) = [span for span in self.spans.values() if span.span_name == name]
        return found

    def parent_of(self, name: str) -> str | None:
        """Return the name of its parent."""
        parent = self.named(name).parent_span_id
        return None if parent is None else self.spans[parent].span_name

    @property
    def trace(self) -> TraceRow:
        """The one trace."""
        (found,) = self.traces.values()
        return found


@contextlib.contextmanager
def collected(*secrets: str, flush_seconds: float = 30.0) -> Iterator[Kept]:
    """Run a collector; what it has collected stands in the sink when the block is left."""
    kept = Kept()
    with TraceCollector([kept], flush_seconds=flush_seconds, redactor=Redactor(secrets)):
        yield kept
