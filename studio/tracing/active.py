"""The span of the work that runs: which it is, how it is made so, and what stands for it where nothing is traced."""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token
from typing import Any

from opentelemetry import context as otel_context

from studio.tracing.spans import Span

log = logging.getLogger(__name__)


class NoSpan:
    """What stands for a span where nothing is traced: it takes everything and keeps nothing."""

    __slots__ = ()
    name = ""
    span_id = ""

    def __bool__(self) -> bool:
        """Say that nothing is traced."""
        return False

    def set_input(self, value: object) -> None:
        """Keep nothing."""

    def set_output(self, value: object) -> None:
        """Keep nothing."""

    def set(self, **attributes: Any) -> None:
        """Keep nothing."""

    def set_attributes(self, attributes: dict[str, Any]) -> None:
        """Keep nothing."""

    def figure(self, **figures: float | str | None) -> None:
        """Keep nothing."""

    def add_figure(self, **figures: float | None) -> None:
        """Keep nothing."""

    def event(self, name: str, **attributes: Any) -> None:
        """Keep nothing."""

    def fail(self, exc: BaseException) -> None:
        """Keep nothing."""

    def fail_with(self, message: str) -> None:
        """Keep nothing."""

    def end(self, ended_ns: int | None = None) -> None:
        """Do nothing."""


NOTHING = NoSpan()
_current: ContextVar[Span | None] = ContextVar("greenlight_span", default=None)


def current() -> Span | NoSpan:
    """Return the span of the work that calls, or one that keeps nothing."""
    return _current.get() or NOTHING


class Active:
    """Makes a span the current one for a while: ours, and OpenTelemetry's for whoever else makes spans."""

    __slots__ = ("_otel", "_ours", "_span")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._ours: Token[Span | None] = _current.set(self._span)
        self._otel = otel_context.attach(self._span.context)
        return self._span

    def __exit__(self, *_: object) -> None:
        try:
            _current.reset(self._ours)
            otel_context.detach(self._otel)
        except ValueError:
            # Left in another context than it was entered in: what was set there is gone with that one.
            log.debug("Tracing: %s was left in another context", self._span.name)


def record(
    name: str,
    began_ns: int,
    ended_ns: int,
    attributes: dict[str, Any] | None = None,
    *,
    parent: Span | NoSpan | None = None,
    failure: BaseException | None = None,
) -> Span | NoSpan:
    """Record a piece of work that is over, between two readings of `perf_counter_ns`; return its span."""
    above = parent or _current.get()
    if not isinstance(above, Span):
        return NOTHING
    try:
        span = Span(above.trace, name, above, attributes, started_ns=began_ns)
    except Exception:
        log.warning("Tracing: %s could not be recorded", name, exc_info=True)
        return NOTHING
    if failure is not None:
        span.fail(failure)
    span.end(ended_ns)
    return span
