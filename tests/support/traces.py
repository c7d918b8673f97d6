"""Rows of traces and spans for tests of those who read them: stored as the studio stores them.

    trace = make_trace(db, "phase0.generate_packet", project_id, spans=[
        span("job:phase0.generate_packet", 0, 9000),
        span("queue:wait", 0, 1000, under=0),
        span("step:research", 1000, 8000, under=0),
        span("agent:researcher", 1000, 8000, under=2, status="error", error="No."),
    ])

Times are milliseconds after the start of the trace; `under` is the place of the parent in the list.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from studio.database.connection import Database
from studio.operations.trace import Trace
from studio.operations.tree import Node, TraceTree, build
from studio.tracing.rows import Batch, SpanRow, TraceRow
from studio.tracing.sinks.postgres import PostgresSink

_numbers = itertools.count(1)
# Whole seconds, so that offsets come back as they were given.
NOW = datetime.now(UTC).replace(microsecond=0)
UNSET: Any = object()
# How long an open trace of `tree_of` has run.
ELAPSED_MS = 60_000.0


@dataclass
class Planned(SpanRow):
    """A span without a trace: times in milliseconds after the start of one, and the place of the parent."""

    start_ms: float = 0
    end_ms: float | None = None
    under: int | None = None


def span_id(number: int | None = None) -> str:
    """Return the next span id, or the one of a number."""
    return hashlib.md5(f"span {next(_numbers) if number is None else number}".encode()).hexdigest()[:16]


def span(
    name: str,
    start_ms: float,
    end_ms: float | None,
    *,
    under: int | None = None,
    status: str = UNSET,
    input_data: Any = None,
    output_data: Any = None,
    **columns: Any,
) -> Planned:
    """Return a span without a trace: `make_trace` gives it one. `end_ms` None: it is open.

    `under` is the place of its parent in the list; `parent_span_id` among the `columns` stands for itself.
    `input_data` and `output_data` are values, stored as JSON. An `error` makes the status one.
    """
    if status is UNSET:
        status = "running" if end_ms is None else "error" if columns.get("error") else "ok"
    row = Planned(
        span_id=columns.pop("span_id", None) or span_id(),
        trace_id=UUID(int=0),
        span_name=name,
        start_time=NOW,
        status=status,  # type: ignore[arg-type]
        success=None if status == "running" else status == "ok",
        start_ms=start_ms,
        end_ms=end_ms,
        under=under,
    )
    row.attributes = columns.pop("attributes", {})
    if status == "error":
        columns.setdefault("error_type", "ValueError")
        columns.setdefault("error_class", "unknown")
    for column, value in columns.items():
        setattr(row, column, value)
    for side, value in (("input", input_data), ("output", output_data)):
        if value is not None:
            text = json.dumps(value)
            setattr(row, f"{side}_data", text)
            setattr(row, f"{side}_size", len(text.encode()))
            setattr(row, f"{side}_sha256", hashlib.sha256(text.encode()).hexdigest())
    return row


def llm(provider: str, start_ms: float, end_ms: float | None, *, cost: int = 1000, **columns: Any) -> Planned:
    """Return the span of a logical model call with its totals: 1000 tokens in, 200 out, `cost` micro-dollars."""
    return span(
        f"llm:{provider}",
        start_ms,
        end_ms,
        **{"model": "claude-test", "input_tokens": 1000, "output_tokens": 200, "retries": 0}
        | {"cost_micros": cost, **columns},
    )


def rows(
    pipeline: str = "test.work",
    project_id: UUID | None = None,
    *,
    spans: Sequence[Planned] = (),
    start: datetime | None = None,
    ago: timedelta = timedelta(hours=1),
    trace_id: UUID | None = None,
    end_ms: float | None = UNSET,
    status: str = UNSET,
    **columns: Any,
) -> Batch:
    """Return a trace with its spans, not stored. It began at `start`, or `ago` before now, in whole seconds.

    Where `end_ms` is not given, it ends with its first span, and with that one's status. Totals are those of the
    `llm` spans; `queue_ms` and `launch_ms` those of the spans of these names. `columns` override all of it.
    """
    # Not before NOW: in a long session that is long ago, and rows are compared with the clock of the database.
    began = start or datetime.now(UTC).replace(microsecond=0) - ago
    trace = trace_id or uuid4()
    inside: dict[int, list[Planned]] = {}
    for one in spans:
        if one.under is not None:
            inside.setdefault(one.under, []).append(one)
    laid = [_placed(one, spans, inside.get(n, ()), trace, project_id, pipeline, began) for n, one in enumerate(spans)]
    if end_ms is UNSET:
        end_ms = laid[0].duration_ms if laid else 1000.0
    if status is UNSET:
        status = laid[0].status if laid else "running" if end_ms is None else "ok"
    calls = [one for one in laid if one.span_name.startswith("llm:")]
    first_error = next((one for one in laid if one.fingerprint), next((one for one in laid if one.error), None))
    values: dict[str, Any] = {
        "trace_id": trace,
        "pipeline_name": pipeline,
        "project_id": project_id,
        "job_id": uuid4(),
        "claim_no": 1,
        "attempt": 1,
        "lane": "standard",
        "start_time": began,
        "end_time": None if end_ms is None else began + timedelta(milliseconds=end_ms),
        "duration_ms": end_ms,
        "status": status,
        "success": None if status == "running" else status == "ok",
        "outcome": {"ok": "completed", "error": "failed", "cancelled": "canceled"}.get(status),
        "queue_ms": _duration(laid, "queue:wait"),
        "launch_ms": _duration(laid, "launch"),
        "span_count": len(laid),
        "model_calls": sum(one.span_name.startswith("chat ") for one in laid),
        "input_tokens": sum(one.input_tokens or 0 for one in calls),
        "output_tokens": sum(one.output_tokens or 0 for one in calls),
        "cost_micros": sum(one.cost_micros or 0 for one in calls),
    }
    if status not in ("ok", "running") and first_error is not None:
        values |= {name: getattr(first_error, name) for name in ("error", "error_type", "error_class", "fingerprint")}
    return Batch([TraceRow(**values | columns)], laid)


def make_trace(db: Database, pipeline: str = "test.work", project_id: UUID | None = None, **given: Any) -> TraceRow:
    """Store a trace with its spans (see `rows`) and return it."""
    batch = rows(pipeline, project_id, **given)
    store(db, batch)
    return batch.traces[0]


def store(db: Database, *batches: Batch) -> None:
    """Store batches as the studio does."""
    traces = [row for batch in batches for row in batch.traces]
    spans = [row for batch in batches for row in batch.spans]
    sink = PostgresSink(db)
    for at in range(0, len(spans), 5000):
        sink.write(Batch(spans=spans[at : at + 5000]))
    sink.write(Batch(traces=traces))


def tree_of(spans: Sequence[Planned], **columns: Any) -> TraceTree:
    """Return the tree of spans as if they had been stored: parents are looked up as they are for rows."""
    batch = rows(spans=spans, **columns)
    row = batch.traces[0]
    known = {field.name: getattr(row, field.name) for field in fields(Trace) if hasattr(row, field.name)}
    trace = Trace(**known, elapsed_ms=row.duration_ms if row.duration_ms is not None else ELAPSED_MS)
    return build(trace, [_node(one, row.start_time, trace.elapsed_ms) for one in batch.spans])


def _node(one: SpanRow, origin: datetime, elapsed_ms: float) -> Node:
    start_ms = (one.start_time - origin) / timedelta(milliseconds=1)
    return Node(
        span_id=one.span_id,
        parent_span_id=one.parent_span_id,
        name=one.span_name,
        category=one.span_name.partition(":")[0].partition(" ")[0],
        status=one.status,
        start_ms=start_ms,
        duration_ms=one.duration_ms if one.duration_ms is not None else elapsed_ms - start_ms,
        self_ms=one.self_ms,
        is_open=one.end_time is None,
        error=one.error,
        cost_micros=one.cost_micros,
        input_tokens=one.input_tokens,
        output_tokens=one.output_tokens,
        retries=one.retries,
    )


def usual(
    total_ms: float = 10_000, *, research_ms: float | None = None, calls: int = 2, cost: int = 1000
) -> list[Planned]:
    """Return the spans of a run as most are: queue, launch, and a step in which an agent calls a model.

    The agent takes `research_ms` (by default what is left of `total_ms` after a second), in `calls` calls one after the
    other.
    """
    research = research_ms if research_ms is not None else total_ms - 1000
    end = 1000 + research
    found = [
        span("job:test.work", 0, end),
        span("queue:wait", 0, 600, under=0),
        span("launch", 600, 1000, under=0),
        span("step:research", 1000, end, under=0),
        span("agent:research", 1000, end, under=3),
    ]
    for number in range(calls):
        begin, done = 1000 + research * number / calls, 1000 + research * (number + 1) / calls
        found.append(llm("anthropic", begin, done, under=4, cost=cost))
        found.append(span("chat claude-test", begin, done, under=len(found) - 1))
    return found


def baseline(db: Database, project_id: UUID | None, durations: Iterable[float], **given: Any) -> list[TraceRow]:
    """Store a usual run per duration, an hour apart, the last of them two hours ago; return them, oldest first."""
    wanted = list(durations)
    batches = [
        rows("test.work", project_id, spans=usual(ms), ago=timedelta(hours=len(wanted) + 1 - n), **given)
        for n, ms in enumerate(wanted)
    ]
    store(db, *batches)
    return [batch.traces[0] for batch in batches]


def _placed(
    one: Planned,
    spans: Sequence[Planned],
    inside: Sequence[Planned],
    trace: UUID,
    project_id: UUID | None,
    pipeline: str,
    began: datetime,
) -> SpanRow:
    ended = None if one.end_ms is None else began + timedelta(milliseconds=one.end_ms)
    values = {field.name: getattr(one, field.name) for field in fields(SpanRow)} | {
        "trace_id": trace,
        "project_id": project_id,
        "pipeline_name": pipeline,
        "parent_span_id": spans[one.under].span_id if one.under is not None else one.parent_span_id,
        "start_time": began + timedelta(milliseconds=one.start_ms),
        "end_time": ended,
        "duration_ms": None if one.end_ms is None else one.end_ms - one.start_ms,
        "self_ms": one.self_ms if one.self_ms is not None or one.end_ms is None else _self_ms(one, inside),
    }
    return SpanRow(**values)


def _self_ms(one: Planned, inside: Sequence[Planned]) -> float:
    """Return its duration without the time in which any of its children ran."""
    end = one.end_ms or 0.0
    free, at = 0.0, one.start_ms
    for begin, done in sorted((other.start_ms, end if other.end_ms is None else other.end_ms) for other in inside):
        free += max(0.0, min(begin, end) - at)
        at = max(at, min(done, end))
    return free + max(0.0, end - at)


def _duration(spans: Sequence[SpanRow], name: str) -> float | None:
    return next((one.duration_ms for one in spans if one.span_name == name), None)
