"""`span` and `traced_span`: how work gets its spans, as a block or by a decorator.

Outside a trace both cost next to nothing: one look at a context variable.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from contextvars import copy_context
from types import TracebackType
from typing import Any, ParamSpec, TypeVar, cast

from studio.tracing.fault import returned_failure
from studio.tracing.payload import call_arguments
from studio.tracing.spans import NOTHING, Active, NoSpan, Span, _current

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

_ANY = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


class span:  # noqa: N801 - used as a word, like `open`
    """A span around a block: `with span("tool:search", {"query": q}) as s: …`. Errors end it, and go on."""

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


def traced_span(
    name: str,
    attributes: dict[str, Any] | None = None,
    *,
    failure: Callable[[Any], str | None] = returned_failure,
) -> Callable[[F], F]:
    """Give each call of a function a span with its arguments and its result.

    For functions, coroutines, generators and async generators. A generator's span lasts from its first item to its end,
    and is the current one only while the generator itself runs, not while its reader does. `failure` tells of a result
    whether it is a returned failure, and which.
    """

    def decorate(function: F) -> F:
        try:
            signature = inspect.signature(function)
        except (TypeError, ValueError):
            # Of a builtin nobody knows the names.
            signature = _ANY
        call = _Call(name, attributes, signature, failure)
        if inspect.isasyncgenfunction(function):
            wrapped: Any = _async_generator(call, function)
        elif inspect.iscoroutinefunction(function):
            wrapped = _coroutine(call, function)
        elif inspect.isgeneratorfunction(function):
            wrapped = _generator(call, function)
        else:
            wrapped = _function(call, function)
        return cast("F", functools.wraps(function)(wrapped))

    return decorate


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


class _Call:
    """What all calls of a decorated function have in common."""

    __slots__ = ("_attributes", "_failure", "_name", "_signature")

    def __init__(
        self,
        name: str,
        attributes: dict[str, Any] | None,
        signature: inspect.Signature,
        failure: Callable[[Any], str | None],
    ) -> None:
        self._name = name
        self._attributes = attributes
        self._signature = signature
        self._failure = failure

    def begin(self, parent: Span, args: tuple[Any, ...], kwargs: dict[str, Any]) -> span:
        block = span(self._name, dict(self._attributes) if self._attributes else None, parent=parent)
        begun = block.__enter__()
        try:
            given = call_arguments(self._signature, args, kwargs)
        except Exception:
            log.warning("Tracing: the arguments of %s could not be kept", self._name, exc_info=True)
        else:
            if given:
                begun.set_input(given)
        return block

    def returned(self, block: span, result: object) -> None:
        begun = block._span
        if result is not None:
            begun.set_output(result)
        try:
            problem = self._failure(result)
        except Exception:
            log.warning("Tracing: the result of %s could not be judged", self._name, exc_info=True)
            return
        if problem is not None:
            begun.fail_with(problem)


def _function(call: _Call, function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        parent = _current.get()
        if parent is None:
            return function(*args, **kwargs)
        block = call.begin(parent, args, kwargs)
        try:
            result = function(*args, **kwargs)
            call.returned(block, result)
        except BaseException as exc:
            block.__exit__(type(exc), exc, exc.__traceback__)
            raise
        block.__exit__(None, None, None)
        return result

    return wrapped


def _coroutine(call: _Call, function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        parent = _current.get()
        if parent is None:
            return await function(*args, **kwargs)
        block = call.begin(parent, args, kwargs)
        try:
            result = await function(*args, **kwargs)
            call.returned(block, result)
        except BaseException as exc:
            block.__exit__(type(exc), exc, exc.__traceback__)
            raise
        block.__exit__(None, None, None)
        return result

    return wrapped


def _generator(call: _Call, function: Callable[..., Generator[Any, Any, Any]]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        parent = _current.get()
        if parent is None:
            return (yield from function(*args, **kwargs))
        items = _Items(call, parent, args, kwargs)
        try:
            generator = function(*args, **kwargs)
            step: Callable[[], Any] = functools.partial(next, generator)
            while True:
                try:
                    with items:
                        item = step()
                except StopIteration as stop:
                    items.done(stop.value)
                    return stop.value
                items.count += 1
                try:
                    sent = yield item
                except GeneratorExit:
                    with items:
                        generator.close()
                    raise
                except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the generator's
                    step = functools.partial(generator.throw, exc)
                else:
                    step = functools.partial(generator.send, sent)
        except BaseException as exc:
            items.broke(exc)
            raise

    return wrapped


def _async_generator(call: _Call, function: Callable[..., AsyncGenerator[Any, Any]]) -> Callable[..., Any]:
    async def wrapped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        parent = _current.get()
        # Outside of a trace, too, what is sent or thrown in has to be handed on by hand: there is no `yield from` here.
        items = None if parent is None else _Items(call, parent, args, kwargs)
        generator = function(*args, **kwargs)
        try:
            step: Callable[[], Any] = generator.__anext__
            while True:
                try:
                    if items is None:
                        item = await step()
                    else:
                        with items:
                            item = await step()
                        items.count += 1
                except StopAsyncIteration:
                    if items is not None:
                        items.done(None)
                    return
                try:
                    sent = yield item
                except GeneratorExit:
                    await generator.aclose()
                    raise
                except BaseException as exc:  # noqa: BLE001 - whatever it is, it is the generator's
                    step = functools.partial(generator.athrow, exc)
                else:
                    step = functools.partial(generator.asend, sent)
        except BaseException as exc:
            if items is not None:
                items.broke(exc)
            raise

    return wrapped


class _Items:
    """The span of a generator: the current one only while the generator's own code runs."""

    def __init__(self, call: _Call, parent: Span, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._call = call
        self._block = call.begin(parent, args, kwargs)
        self._leave()
        self.count = 0

    def _leave(self) -> None:
        if self._block._active is not None:
            self._block._active.__exit__()

    def __enter__(self) -> None:
        if self._block._active is not None:
            self._block._active.__enter__()

    def __exit__(self, *_: object) -> None:
        self._leave()

    def done(self, result: object) -> None:
        """End it: the generator has come to its end."""
        begun = self._block._span
        begun.set_attributes({"greenlight.items": self.count})
        self._call.returned(self._block, result)
        begun.end()

    def broke(self, exc: BaseException) -> None:
        """End it with the error, or as abandoned where its reader has closed it."""
        begun = self._block._span
        begun.set_attributes({"greenlight.items": self.count})
        if isinstance(exc, GeneratorExit):
            begun.set_attributes({"greenlight.abandoned": True})
        else:
            begun.fail(exc)
        begun.end()
