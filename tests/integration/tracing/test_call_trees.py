"""Whatever tree of calls runs, side by side or one after the other, in tasks and in threads: what is stored is exactly
that tree, each span under the one that called it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.database.connection import Database
from studio.tracing import span, traced_span
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.sinks.postgres import PostgresSink
from tests.support.size import FULL

# A call: how it runs what it calls, and what that is.
WAYS = ["gather", "tasks", "one by one", "thread", "generator", "block"]
calls = st.recursive(
    st.just({"way": "gather", "calls": []}),
    lambda inner: st.fixed_dictionaries({"way": st.sampled_from(WAYS), "calls": st.lists(inner, max_size=4)}),
    max_leaves=12,
)


class Caller:
    """Carries out a tree of calls, and notes who called whom."""

    def __init__(self) -> None:
        self.parents: dict[str, str] = {}

    def name(self, parent: str) -> str:
        name = f"tool:{len(self.parents)}"
        self.parents[name] = parent
        return name

    async def call(self, tree: dict[str, Any], parent: str) -> None:
        name = self.name(parent)
        way = tree["way"]
        if way == "block":
            with span(name):
                await self.all(tree, name)
        elif way == "generator":
            async for _ in self.generate(tree, name):
                await asyncio.sleep(0)
        else:
            await traced_span(name)(self.all)(tree, name)

    async def generate(self, tree: dict[str, Any], name: str) -> Any:
        async def items(of: dict[str, Any]) -> Any:
            for inner in of["calls"]:
                await self.call(inner, name)
                yield inner

        async for item in traced_span(name)(items)(tree):
            yield item

    async def all(self, tree: dict[str, Any], name: str) -> None:
        inner = [self.call(call, name) for call in tree["calls"]]
        await asyncio.sleep(0)
        if tree["way"] == "gather":
            await asyncio.gather(*inner)
        elif tree["way"] == "tasks":
            async with asyncio.TaskGroup() as group:
                for call in inner:
                    group.create_task(call)
        elif tree["way"] == "thread":
            await asyncio.gather(*(asyncio.to_thread(asyncio.run, call) for call in inner))
        else:
            for call in inner:
                await call


@pytest.mark.chaos
@settings(max_examples=400 if FULL else 15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(trees=st.lists(calls, min_size=1, max_size=3))
def test_spans_are_stored_with_exactly_their_parents(trees: list[dict[str, Any]], database: Database) -> None:
    called: list[tuple[TraceContext, Caller]] = []

    async def one(tree: dict[str, Any]) -> None:
        caller = Caller()
        async with TraceContext("tree") as context:
            called.append((context, caller))
            await caller.call(tree, "job:tree")

    async def run() -> None:
        # Traces side by side, too: none gets a span of another.
        await asyncio.gather(*(one(tree) for tree in trees))

    with TraceCollector([PostgresSink(database)], flush_seconds=0.01):
        asyncio.run(run())

    for context, caller in called:
        rows = database.fetch_all(
            "select s.span_name, p.span_name as parent, s.status from public.pipeline_spans s"
            " left join public.pipeline_spans p on p.span_id = s.parent_span_id and p.trace_id = s.trace_id"
            " where s.trace_id = %s",
            [context.trace_id],
        )
        assert {row["span_name"]: row["parent"] for row in rows} == {"job:tree": None, **caller.parents}
        assert len(rows) == len(caller.parents) + 1
        assert {row["status"] for row in rows} == {"ok"}
        trace = database.fetch_one("select * from public.pipeline_traces where trace_id = %s", [context.trace_id])
        assert trace is not None
        assert (trace["span_count"], trace["dropped_spans"]) == (len(rows), 0)
