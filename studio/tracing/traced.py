"""`traced_span`: a span for each call of a function.

Outside of a trace it costs one look at a context variable; of an async generator, also a hand on for each item.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, TypeVar, cast

from studio.tracing.active import _current
from studio.tracing.blocks import span
from studio.tracing.fault import returned_failure
from studio.tracing.payload import call_arguments
from studio.tracing.spans import Span

log = logging.getLogger(__name__)

F = TypeVar("F", bound=Callable[..., Any])

_ANY = inspect.Signature(
    [
        inspect.Parameter("args", inspect.Parameter.VAR_POSITIONAL),
        inspect.Parameter("kwargs", inspect.Parameter.VAR_KEYWORD),
    ]
)


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
                    with items or contextlib.nullcontext():
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
