"""A span: one piece of work of a trace, how long it took, what went in and out, and how it ended.

Nothing here raises into the work that is traced, waits for anything, or costs more than microseconds: what takes
longer (redaction, cutting, writing) is done by the collector's thread. The one exception is turning an input or an
output into text, because it may be changed as soon as the work goes on.
"""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, cast

from opentelemetry import context as otel_context
from opentelemetry import trace as otel
from opentelemetry.trace import SpanKind, StatusCode

from studio.tracing import names
from studio.tracing.fault import Fault, fault_of, fault_of_return
from studio.tracing.marks import mark, marked
from studio.tracing.payload import Payload, serialised
from studio.tracing.rows import Status

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from studio.tracing.trace import Trace

log = logging.getLogger(__name__)
P = ParamSpec("P")

EVENT_LIMIT = 128
# What waits for another service, as OpenTelemetry's conventions tell the kinds of spans apart.
_CLIENT = (f"{names.CHAT} ", f"{names.HTTP}:", "db:")


def _unfailing(method: Callable[P, None]) -> Callable[P, None]:
    """Let a method of tracing fail for itself alone."""

    @functools.wraps(method)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            method(*args, **kwargs)
        except Exception:
            log.warning("Tracing: %s failed", method.__qualname__, exc_info=True)

    return wrapped


class Span:
    """A piece of work that has begun. It is its trace's, and is ended once."""

    __slots__ = (
        "attributes",
        "children",
        "context",
        "ended",
        "ended_ns",
        "events",
        "fault",
        "figures",
        "input",
        "kept_input",
        "name",
        "origin",
        "otel",
        "output",
        "parent",
        "span_id",
        "started_ns",
        "status",
        "trace",
        "under_way",
    )

    def __init__(
        self,
        trace: Trace,
        name: str,
        parent: Span | None,
        attributes: dict[str, Any] | None,
        started_ns: int | None = None,
    ) -> None:
        """Begin. `started_ns` is a reading of `perf_counter_ns` in the past, for what is recorded afterwards."""
        self.trace = trace
        self.name = name
        self.parent = parent
        self.attributes = attributes if attributes is not None else {}
        self.events: list[dict[str, Any]] = []
        self.children: list[tuple[int, int]] = []
        self.under_way: set[Span] = set()
        self.figures: dict[str, int | float | str] = {}
        self.input: str | None = None
        self.output: str | None = None
        # The input as it is stored, beside the text that it was made of: a start row and the end need it, cut once.
        self.kept_input: tuple[str, Payload] | None = None
        self.fault: Fault | None = None
        self.origin = False
        self.status: Status = "running"
        self.ended = False
        self.ended_ns = 0
        self.started_ns = time.perf_counter_ns() if started_ns is None else started_ns
        self.otel = trace.collector.tracer.start_span(
            name,
            context=parent.context if parent is not None else otel_context.Context(),
            kind=SpanKind.CLIENT if name.startswith(_CLIENT) else SpanKind.INTERNAL,
            start_time=trace.epoch_ns(self.started_ns),
            record_exception=False,
            set_status_on_exception=False,
        )
        self.context: Context = otel.set_span_in_context(self.otel)
        if parent is not None:
            parent.under_way.add(self)
        self.span_id = format(self.otel.get_span_context().span_id, "016x")
        trace.collector.begun(self)

    def __bool__(self) -> bool:
        """Say that something is traced."""
        return True

    # --- what is known of it

    @_unfailing
    def set_input(self, value: object) -> None:
        """Keep what goes in, as it is now."""
        self.input = serialised(value)

    @_unfailing
    def set_output(self, value: object) -> None:
        """Keep what comes out, as it is now."""
        self.output = serialised(value)

    def set(self, **attributes: Any) -> None:
        """Set attributes by names without dots; see `set_attributes`."""
        self.attributes.update(attributes)

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """Set attributes: text, numbers, truth values, or lists of one kind of them."""
        self.attributes.update(attributes)

    def figure(self, **figures: float | str | None) -> None:
        """Set figures that have a column of their own (`model`, `cost_micros`, `retries`…); None sets nothing."""
        self.figures.update({name: value for name, value in figures.items() if value is not None})

    def add_figure(self, **figures: float | None) -> None:
        """Add to such figures: what a call of several requests adds up to."""
        for name, value in figures.items():
            if value is not None:
                self.figures[name] = cast("float", self.figures.get(name, 0)) + value

    @_unfailing
    def event(self, name: str, **attributes: Any) -> None:
        """Note that something happened, now."""
        if len(self.events) < EVENT_LIMIT:
            at_ms = (time.perf_counter_ns() - self.started_ns) / 1e6
            self.events.append({"name": name, "at_ms": round(at_ms, 3), **attributes})

    def let_go(self) -> None:
        """Let go of what went in and out, where it is more than can wait to be written; say so, and how much it was."""
        self.attributes["greenlight.payload_let_go"] = len(self.input or "") + len(self.output or "")
        self.input = self.output = None

    # --- its end

    @_unfailing
    def fail(self, exc: BaseException) -> None:
        """Note the error that the work ends with. One that came up further in keeps its place and fingerprint."""
        # Whatever becomes of the rest.
        self.status = "error"
        found = marked(exc, self.trace.row.trace_id)
        if found is None:
            found = fault_of(exc, self.trace.collector.redactor)
            self.origin = True
            mark(exc, self.trace.row.trace_id, found)
        self.fault = found
        self.status = "cancelled" if found.error_class == "cancelled" else "error"

    @_unfailing
    def fail_with(self, message: str) -> None:
        """Note that the work has returned a failure instead of raising it."""
        if self.fault is None:
            self.fault = fault_of_return(message, self.name, self.trace.collector.redactor)
            self.origin = True
            self.status = "error"

    @_unfailing
    def end(self, ended_ns: int | None = None) -> None:
        """End; a second time it does nothing. `ended_ns` is a reading of `perf_counter_ns`."""
        if self.ended:
            return
        self.ended_ns = max(time.perf_counter_ns() if ended_ns is None else ended_ns, self.started_ns)
        if self.status == "running":
            self.status = "ok"
        if self.parent is not None:
            self.parent.under_way.discard(self)
            self.parent.children.append((self.started_ns, self.ended_ns))
        # What outlives it runs to its end at least, whenever the row is made.
        self.children += [(child.started_ns, self.ended_ns) for child in self.under_way.copy()]
        self.ended = True
        self.trace.collector.ended(self)
        if self.trace.collector.exports:
            self._tell_otel()
        self.otel.end(end_time=self.trace.epoch_ns(self.ended_ns))

    @_unfailing
    def _tell_otel(self) -> None:
        from studio.tracing.exported import attributes_of, event_of

        self.otel.set_attributes(attributes_of(self))
        for event in self.events:
            at = self.trace.epoch_ns(self.started_ns + round(event["at_ms"] * 1e6))
            self.otel.add_event(event["name"], attributes=event_of(self, event), timestamp=at)
        if self.fault is not None and self.status == "error":
            self.otel.set_status(StatusCode.ERROR, self.fault.message)

    @property
    def duration_ms(self) -> float:
        """How long it took, or has taken so far."""
        return ((self.ended_ns if self.ended else time.perf_counter_ns()) - self.started_ns) / 1e6

    def self_ms(self) -> float:
        """How much of it passed while none of its children ran. Children may overlap, and outlive their parent."""
        covered, reached = 0, self.started_ns
        for began, ended in sorted(self.children):
            began, ended = max(began, reached), min(ended, self.ended_ns)
            if ended > began:
                covered += ended - began
                reached = ended
        return (self.ended_ns - self.started_ns - covered) / 1e6

    @property
    def started_at_ns(self) -> int:
        """When it began, in nanoseconds since 1970."""
        return self.trace.epoch_ns(self.started_ns)
