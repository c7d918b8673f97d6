"""`TraceContext`: the trace around the whole of an execution, for `with` and `async with`."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any
from uuid import UUID, uuid4

from studio.tracing import names
from studio.tracing.active import NOTHING, Active, NoSpan, _current
from studio.tracing.collector import TraceCollector, installed
from studio.tracing.rows import Kind, TraceRow
from studio.tracing.spans import Span
from studio.tracing.trace import Trace, moment

log = logging.getLogger(__name__)


class TraceContext:
    """A trace with its root span. It is the current one inside the block, and whatever was current is so again after.

    Inside another one it is a trace of its own, which says where it came from. Where no collector runs, nothing is
    traced and nothing is spent. It never raises into the work, and never holds back what the work raises.

    For work that does not lie in one block there are `begin` and `end`; then nothing is made current.
    """

    def __init__(
        self,
        pipeline_name: str,
        *,
        trace_id: UUID | None = None,
        start_time: datetime | None = None,
        now: datetime | None = None,
        kind: Kind = "manual",
        collector: TraceCollector | None = None,
        attributes: dict[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        """Describe the trace. `start_time` (UTC) may lie in the past; `columns` are further ones of `TraceRow`.

        `now` is the time at `begin`, where it is known that this machine's clock is wrong.
        """
        self.trace_id = trace_id or uuid4()
        self.root: Span | NoSpan = NOTHING
        self._collector = collector
        self._start_time = start_time
        self._now = now
        self._row: dict[str, Any] = {"pipeline_name": pipeline_name, "kind": kind, **columns}
        self._attributes = attributes
        self._active: Active | None = None

    def begin(self) -> Span | NoSpan:
        """Begin the trace and return its root span."""
        collector = self._collector or installed()
        if collector is None or self.root:
            return self.root
        try:
            began_ns = time.perf_counter_ns()
            row = TraceRow(trace_id=self.trace_id, start_time=datetime.now(UTC), **self._row)
            trace = Trace(row, collector, self._now)
            if self._start_time is not None:
                began_ns = min(began_ns, trace.perf_ns(self._start_time))
            row.start_time = moment(trace.epoch_ns(began_ns))
            collector.settle(self.trace_id)
            outer = _current.get()
            if outer is not None:
                row.attributes["within_trace_id"] = outer.trace.row.trace_id.hex
                row.attributes["within_span_id"] = outer.span_id
            self.root = trace.root = Span(
                trace, names.named(names.JOB, row.pipeline_name), None, self._attributes, started_ns=began_ns
            )
        except Exception:
            log.warning("Tracing: the trace of %s could not begin", self._row.get("pipeline_name"), exc_info=True)
            self.root = NOTHING
        return self.root

    def fail(self, exc: BaseException) -> None:
        """Note the error that the whole of it ends with."""
        self.root.fail(exc)

    def fail_with(self, message: str) -> None:
        """Note that the whole of it has failed, where there is no error to point at."""
        self.root.fail_with(message)

    def end(self, outcome: str | None = None) -> None:
        """End the trace; a second time it does nothing. `outcome` is what became of the job."""
        root = self.root
        if isinstance(root, Span) and not root.ended:
            root.trace.row.outcome = outcome
            root.end()

    def __enter__(self) -> TraceContext:
        root = self.begin()
        if isinstance(root, Span):
            self._active = Active(root)
            self._active.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._active is not None:
            self._active.__exit__()
        if exc is not None:
            self.fail(exc)
        self.end()

    async def __aenter__(self) -> TraceContext:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, exc, traceback)
