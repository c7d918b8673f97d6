"""A decorated function does what it did before, and its call is a span: with its arguments, its result, its end, and
the span that it was called in as its parent, whatever kind of function it is and whoever runs it.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest

from studio.errors import ModelUnavailable
from studio.parallel import side_by_side
from studio.tracing import carried, current, record, span, traced_span
from studio.tracing.active import NOTHING
from studio.tracing.blocks import begin
from studio.tracing.collector import installed
from studio.tracing.context import TraceContext
from studio.tracing.spans import Span
from tests.support.collected import collected

MS = 1_000_000


@traced_span("agent:adder")
def add(first: int, second: int, *rest: int, scale: int = 1, **more: object) -> int:
    return (first + second + sum(rest)) * scale


@traced_span("agent:slow")
async def slow(name: str) -> str:
    with span(f"tool:{name}"):
        await asyncio.sleep(0.001)
    return name


@traced_span("agent:stream")
def stream(count: int) -> Iterator[int]:
    for number in range(count):
        with span(f"tool:item{number}"):
            pass
        yield number


@traced_span("agent:astream")
async def astream(count: int) -> AsyncIterator[int]:
    for number in range(count):
        with span(f"tool:item{number}"):
            await asyncio.sleep(0)
        yield number


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @functools.wraps(test)
    def run() -> None:
        asyncio.run(test())

    return run


class Agent:
    @traced_span("agent:method")
    def run(self, step: str, facts: dict[str, Any]) -> dict[str, Any]:
        return {"step": step, **facts}


def test_outside_of_a_trace_nothing_happens() -> None:
    assert add(1, 2) == 3
    assert list(stream(2)) == [0, 1]
    assert asyncio.run(slow("x")) == "x"
    with span("tool:x") as nothing:
        nothing.set_input(object())
        nothing.fail(ValueError("x"))
    assert nothing is NOTHING
    assert not current()
    assert record("tool:y", 0, 1) is NOTHING
    with TraceContext("p") as context:
        assert not context.root
        assert add(1, 1) == 2


@pytest.mark.parametrize("function", [add, slow, stream, astream, Agent.run], ids=lambda f: f.__name__)
def test_what_a_function_is_stays(function: Any) -> None:
    assert function.__module__ == __name__
    assert inspect.signature(function).parameters
    assert inspect.iscoroutinefunction(function) == (function is slow)
    assert inspect.isgeneratorfunction(function) == (function is stream)
    assert inspect.isasyncgenfunction(function) == (function is astream)


def test_positional_arguments_are_kept_by_name() -> None:
    with collected() as kept, TraceContext("p"):
        assert add(1, 2, 3, scale=2, other="x") == 12
        Agent().run("s", {"a": [1]})
    assert kept.named("agent:adder").input_data == ('{"first":1,"second":2,"rest":[3],"scale":2,"other":"x"}')
    assert kept.named("agent:adder").output_data == "12"
    assert kept.named("agent:method").input_data == '{"step":"s","facts":{"a":[1]}}'
    assert kept.named("agent:method").success


@pytest.mark.parametrize(
    "value",
    ["text", datetime(2026, 3, 1, tzinfo=UTC), {1, 2}, b"\x00\xff", object(), float("nan"), {"a": {3: "\x00"}}],
    ids=["str", "datetime", "set", "bytes", "object", "nan", "nul"],
)
def test_any_value_goes_in_and_out_and_nothing_is_raised(value: object) -> None:
    @traced_span("tool:same")
    def same(given: object) -> object:
        return given

    with collected() as kept, TraceContext("p"):
        assert same(value) is value
    assert kept.named("tool:same").input_data
    assert kept.named("tool:same").output_data
    assert kept.named("tool:same").status == "ok"


def test_what_is_changed_later_is_kept_as_it_was() -> None:
    @traced_span("tool:grow")
    def grow(items: list[int]) -> list[int]:
        items.append(2)
        return items

    with collected() as kept, TraceContext("p"):
        grow([1]).append(3)
    assert kept.named("tool:grow").input_data == '{"items":[1]}'
    assert kept.named("tool:grow").output_data == "[1,2]"


@in_a_loop
async def test_gather_keeps_parents_apart() -> None:
    with collected() as kept:
        async with TraceContext("p"):
            await asyncio.gather(*(named(f"n{number}") for number in range(5)))
            await asyncio.to_thread(add, 1, 2)
    for number in range(5):
        assert kept.parent_of(f"tool:n{number}") == f"agent:n{number}"
        assert kept.parent_of(f"agent:n{number}") == "job:p"
    assert kept.parent_of("agent:adder") == "job:p"


async def named(name: str) -> None:
    with span(f"agent:{name}"):
        # The last to begin is the first to end.
        await asyncio.sleep(0.001 * (5 - int(name[1:])))
        with span(f"tool:{name}"):
            await asyncio.sleep(0)


def test_threads_that_carry_the_context_keep_the_parent() -> None:
    with collected() as kept, TraceContext("p"), span("step:s"):
        with ThreadPoolExecutor(2) as pool:
            pool.submit(carried(add), 1, 2).result()
        side_by_side(lambda: Agent().run("a", {}), lambda: record("tool:beside", 1, 2))
        thread = threading.Thread(target=contextvars.copy_context().run, args=(list, (1,)))
        thread.start()
        thread.join()
    for name in ("agent:adder", "agent:method", "tool:beside"):
        assert kept.parent_of(name) == "step:s"


def test_a_generators_span_is_not_its_readers() -> None:
    with collected() as kept, TraceContext("p"):
        for _ in stream(2):
            with span("tool:reader"):
                pass
    assert {
        kept.spans[s.parent_span_id or ""].span_name for s in kept.spans.values() if s.span_name == "tool:reader"
    } == {"job:p"}
    assert kept.parent_of("tool:item0") == "agent:stream"
    assert kept.named("agent:stream").attributes == {"greenlight.items": 2}


def test_an_abandoned_generator_ends_well() -> None:
    with collected() as kept, TraceContext("p"):
        reading = stream(5)
        assert next(reading) == 0
        reading.close()
    assert kept.named("agent:stream").status == "ok"
    assert kept.named("agent:stream").attributes["greenlight.abandoned"]


def test_what_is_sent_and_thrown_in_reaches_the_generator() -> None:
    @traced_span("tool:echo")
    def echo() -> Iterator[Any]:
        said = yield "ready"
        try:
            yield said
        except ValueError as exc:
            yield str(exc)

    with collected() as kept, TraceContext("p"):
        talk: Any = echo()
        assert next(talk) == "ready"
        assert talk.send("hello") == "hello"
        assert talk.throw(ValueError("no")) == "no"
        with pytest.raises(StopIteration):
            next(talk)
    assert kept.named("tool:echo").status == "ok"


@in_a_loop
async def test_async_generators_too() -> None:
    @traced_span("tool:echo")
    async def echo() -> AsyncIterator[Any]:
        try:
            said = yield "ready"
            yield said
        except ValueError as exc:
            yield str(exc)

    @traced_span("tool:tidy")
    async def tidied() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            with span("tool:cleanup"):
                await asyncio.sleep(0)

    assert [item async for item in astream(2)] == [0, 1]
    with collected() as kept:
        async with TraceContext("p"):
            async for number in astream(2):
                with span(f"tool:reader{number}"):
                    pass
            talk: Any = echo()
            assert await anext(talk) == "ready"
            assert await talk.asend("hello") == "hello"
            assert await talk.athrow(ValueError("no")) == "no"
            await talk.aclose()
            tidy: Any = tidied()
            await anext(tidy)
            await tidy.aclose()
    assert kept.parent_of("tool:item1") == "agent:astream"
    assert kept.parent_of("tool:reader1") == "job:p"
    assert kept.named("tool:echo").attributes["greenlight.abandoned"]
    assert kept.parent_of("tool:cleanup") == "tool:tidy"


def test_an_error_is_one_error_however_many_spans_it_passes() -> None:
    @traced_span("llm:anthropic")
    def inner() -> None:
        raise ZeroDivisionError("no 42")

    @traced_span("agent:outer")
    def outer() -> None:
        try:
            inner()
        except ZeroDivisionError as exc:
            raise ModelUnavailable("It broke.") from exc

    with collected() as kept, pytest.raises(ModelUnavailable), TraceContext("p"):
        outer()
    broken = [kept.named(name) for name in ("llm:anthropic", "agent:outer", "job:p")]
    assert [s.status for s in broken] == ["error"] * 3
    assert [bool(s.fingerprint) for s in broken] == [True, False, False]
    assert kept.trace.fingerprint == broken[0].fingerprint
    assert kept.trace.error_type == "ZeroDivisionError"
    assert kept.trace.success is False


def test_a_second_way_that_fails_is_the_cause_and_not_the_first_one() -> None:
    def fetch() -> None:
        try:
            with span("http:get"):
                raise ConnectionError("away")
        except ConnectionError:
            look_up()

    def look_up() -> None:
        with span("db:query"):
            raise LookupError("no such column")

    with collected() as kept, pytest.raises(LookupError), TraceContext("p"):
        fetch()
    assert kept.named("http:get").fingerprint
    assert kept.named("db:query").fingerprint == kept.trace.fingerprint != kept.named("http:get").fingerprint
    assert kept.trace.error_type == "LookupError"


def test_a_failure_that_is_returned_is_one() -> None:
    @traced_span("agent:polite")
    def polite() -> dict[str, Any]:
        return {"success": False, "error": "There was nothing to find."}

    with collected() as kept, TraceContext("p"):
        assert polite()["success"] is False
    row = kept.named("agent:polite")
    assert (row.status, row.success, row.error) == ("error", False, "There was nothing to find.")
    assert row.fingerprint
    assert kept.trace.status == "ok"


@in_a_loop
async def test_a_cancelled_span_is_recorded_as_such() -> None:
    @traced_span("agent:endless")
    async def endless() -> None:
        with span("tool:wait"):
            await asyncio.sleep(60)

    with collected() as kept:
        with TraceContext("p"):
            task = asyncio.create_task(endless())
            await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
    assert kept.named("agent:endless").status == "cancelled"
    assert kept.named("tool:wait").error_class == "cancelled"


def test_an_interrupt_goes_through_and_is_recorded() -> None:
    with collected() as kept, pytest.raises(KeyboardInterrupt), TraceContext("p"), span("step:s"):
        raise KeyboardInterrupt
    assert kept.named("step:s").status == "cancelled"
    assert kept.trace.status == "cancelled"


def test_leaving_a_nested_context_gives_the_outer_one_back() -> None:
    with collected() as kept:
        with TraceContext("outer"):
            with span("step:s"):
                with TraceContext("inner") as inner:
                    add(1, 1)
                with span("tool:after"):
                    pass
        assert not current()
    assert kept.parent_of("tool:after") == "step:s"
    assert kept.parent_of("agent:adder") == "job:inner"
    assert kept.traces[inner.trace_id].attributes["within_span_id"] == kept.named("step:s").span_id
    assert {row.pipeline_name for row in kept.traces.values()} == {"outer", "inner"}


def test_self_time_is_what_no_child_ran_in() -> None:
    with collected() as kept, TraceContext("p"), span("step:s") as step:
        zero = step.started_ns  # type: ignore[union-attr]
        ms = MS
        record("tool:a", zero, zero + 40 * ms)
        record("tool:b", zero + 20 * ms, zero + 60 * ms)
        record("tool:c", zero + 80 * ms, zero + 90 * ms)
        step.end(zero + 100 * ms)
    assert kept.named("step:s").self_ms == 30
    assert kept.named("tool:b").self_ms == 40


def test_a_child_that_outlives_its_parent_covers_it_to_its_end() -> None:
    with collected() as kept, TraceContext("p"), span("step:s") as step:
        assert isinstance(step, Span)
        child = Span(step.trace, "tool:late", step, None, started_ns=step.started_ns + 30 * MS)
        step.end(step.started_ns + 100 * MS)
        child.end(step.started_ns + 200 * MS)
    assert kept.named("step:s").self_ms == 30


def test_what_ends_after_its_trace_still_counts_in_it() -> None:
    with collected() as kept:
        with TraceContext("p"):
            late = begin("llm:anthropic")
        collector = installed()
        assert collector is not None
        collector.flush()
        assert kept.trace.status == "ok"
        late.figure(cost_micros=500)
        late.end()
    assert kept.named("llm:anthropic").cost_micros == 500
    assert [row.cost_micros for row in kept.stored if row.end_time] == [0, 500]


def test_secrets_and_length_of_what_is_kept() -> None:
    with collected("hunter2-hunter2") as kept, TraceContext("p"):
        with span("tool:x", {"greenlight.note": "with hunter2-hunter2"}) as traced:
            traced.set_input({"q": "hunter2-hunter2", "long": "ä" * 100_000})
            traced.event("said", text="hunter2-hunter2")
            traced.fail(ValueError("bad hunter2-hunter2"))
    row = kept.named("tool:x")
    assert "hunter2" not in repr(row)
    assert row.input_size is not None
    assert row.input_size > 200_000
    assert len((row.input_data or "").encode()) <= 50_000
    assert len(row.input_sha256 or "") == 64


def test_a_start_row_is_written_before_the_end() -> None:
    with collected() as kept:
        with TraceContext("p"), span("step:s") as step:
            step.set_input({"a": 1})
            collector = installed()
            assert collector is not None
            assert collector.flush()
            assert kept.named("step:s").status == "running"
            assert kept.named("step:s").input_data == '{"a":1}'
            assert kept.trace.end_time is None
    assert kept.opened == {"job:p", "step:s"}
    assert kept.named("step:s").status == "ok"
    assert kept.trace.span_count == 2


def test_tracing_that_breaks_breaks_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    class Nasty:
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("no comparison")

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("no attribute")

        def __repr__(self) -> str:
            raise RuntimeError("no words")

        __hash__ = None  # type: ignore[assignment]

    @traced_span("tool:nasty", failure=lambda result: str(1 / 0))
    def nasty(given: Nasty) -> Nasty:
        current().set_attributes({"x": given})
        return given

    with collected() as kept, TraceContext("p"):
        nasty(Nasty())
    assert "could not be judged" in caplog.text
    # Only what could not be kept is missing.
    assert kept.trace.status == "ok"
    assert kept.trace.dropped_spans + len(kept.spans) == 2
