"""`span`: a span around a block of work. Outside a trace it costs one look at a context variable."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from studio.tracing.active import NOTHING, Active, NoSpan, _current
from studio.tracing.spans import Span

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class span:  # noqa: N801 - used as a word, like `open`
    """A span around a block: `with span("tool:search", {"query": q}) as s: …`. Errors end it, and go on.

    Not around a `yield`: there it would be the current one of whoever reads. For generators there is `traced_span`.
    """

    __slots__ = ("_active", "_attributes", "_name", "_parent", "_span")

    def __init__(
        self, name: str, attributes: dict[str, Any] | None = None, *, parent: Span | NoSpan | None = None
    ) -> None:
        """Describe it. `parent` is the current span where none is given."""
        self._name = name
        self._attributes = attributes
        self._parent = parent
        self._span: Span | NoSpan = NOTHING
        self._active: Active | None = None

    def __enter__(self) -> Span | NoSpan:
        parent = self._parent if self._parent is not None else _current.get()
        if not isinstance(parent, Span):
            return NOTHING
        try:
            self._span = begun = Span(parent.trace, self._name, parent, self._attributes)
            self._active = Active(begun)
            self._active.__enter__()
        except Exception:
            log.warning("Tracing: %s could not begin", self._name, exc_info=True)
        return self._span

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._active is not None:
            self._active.__exit__()
            if exc is not None and not isinstance(exc, GeneratorExit):
                self._span.fail(exc)
            self._span.end()


def begin(name: str, attributes: dict[str, Any] | None = None) -> Span | NoSpan:
    """Begin a span below the current one without making it current; whoever began it ends it."""
    parent = _current.get()
    if parent is None:
        return NOTHING
    try:
        return Span(parent.trace, name, parent, attributes)
    except Exception:
        log.warning("Tracing: %s could not begin", name, exc_info=True)
        return NOTHING


def carried(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function with the caller's context, for what loses it (`loop.run_in_executor`, a bare thread).

    `asyncio.to_thread`, tasks and `gather` carry it by themselves. What is returned runs once at a time.
    """
    return functools.partial(copy_context().run, function)
