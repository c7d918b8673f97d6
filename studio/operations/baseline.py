"""One run beside the runs before it: what took longer, happened more often or cost more than it usually does."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.operations import comparison, traces, window
from studio.operations.comparison import MIN_RUNS, Comparison, Measured
from studio.operations.trace import Trace

BASELINE = timedelta(days=14)
# The newest of them: what is usual changes, and no comparison shall read a million spans.
MAX_RUNS = 200

_BASELINE: LiteralString = """
select t.trace_id from public.pipeline_traces t
where t.pipeline_name = %(pipeline)s and t.kind = %(kind)s and t.status = 'ok' and t.trace_id <> %(trace_id)s
  and t.start_time < %(start)s and t.start_time >= %(start)s - %(days)s::interval"""
_NEWEST: LiteralString = " order by t.start_time desc, t.trace_id limit %(limit)s"
# The trace's own row tells of these.
_PER_NAME: LiteralString = """
select s.trace_id, s.span_name as name, min(s.category) as category, count(*)::int as count,
  sum(coalesce(s.duration_ms, extract(epoch from least(now(), t.end_time) - s.start_time)::float8 * 1000)) as ms,
  coalesce(sum(s.self_ms), 0)::float8 as self_ms,
  (coalesce(sum(s.retries) filter (where s.category = 'llm'), 0))::int as retries
from public.pipeline_spans s join public.pipeline_traces t using (trace_id)
where s.trace_id = any(%(ids)s) and s.category not in ('job', 'queue', 'launch')
group by s.trace_id, s.span_name
"""
_WHOLE: LiteralString = """
select t.trace_id, t.pipeline_name, t.queue_ms, t.launch_ms, t.cost_micros, t.input_tokens, t.output_tokens,
  coalesce(t.duration_ms, extract(epoch from now() - t.start_time)::float8 * 1000) as ms
from public.pipeline_traces t where t.trace_id = any(%(ids)s)
"""
# What is counted all together, because its names tell little apart; of the others each name is counted.
_COUNTED = {"chat": "chat calls", "tool": "tool calls", "http": "requests"}
_NAMED = frozenset({"agent", "step", "action"})


def compare(db: Database, trace_id: UUID | str, owner: str | None = None) -> Comparison:
    """Compare a run with the good ones of its pipeline from the 14 days before it; errors as in `traces.get`.

    Runs of its own kind only: synthetic ones are compared with synthetic ones. An owner's are compared with his own.
    """
    trace = traces.get(db, trace_id, owner)
    ids = baseline_runs(db, trace, owner)
    if len(ids) < MIN_RUNS:
        return Comparison(trace, None, len(ids), enough=False, metrics=(), findings=())
    measured = _measure(db, [trace.trace_id, *ids])
    run = measured.pop(trace.trace_id)
    found = comparison.metrics(run, list(measured.values()))
    # What has not run yet in a run that goes on is not missing.
    told = [one for one in found if one.value is not None or not trace.is_open]
    said = comparison.findings(told, len(measured))
    return Comparison(trace, None, len(measured), enough=True, metrics=tuple(found), findings=tuple(said))


def against(db: Database, trace_id: UUID | str, other_id: UUID | str, owner: str | None = None) -> Comparison:
    """Compare a run with one other run: `median` is the other's value then. Errors as in `traces.get`."""
    trace, other = traces.get(db, trace_id, owner), traces.get(db, other_id, owner)
    measured = _measure(db, [trace.trace_id, other.trace_id])
    found = comparison.metrics(measured[trace.trace_id], [measured[other.trace_id]])
    return Comparison(trace, other, 1, enough=True, metrics=tuple(found), findings=tuple(comparison.differences(found)))


def baseline_runs(db: Database, trace: Trace, owner: str | None = None) -> list[UUID]:
    """Return the runs with which one is compared, the newest first."""
    query: LiteralString = _BASELINE
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    params = {
        "pipeline": trace.pipeline_name,
        "kind": trace.kind,
        "trace_id": trace.trace_id,
        "start": trace.start_time,
        "days": BASELINE,
        "owner": owner,
        "limit": MAX_RUNS,
    }
    return [row["trace_id"] for row in db.fetch_all(query + _NEWEST, params)]


def _measure(db: Database, ids: Sequence[UUID]) -> dict[UUID, Measured]:
    """Return the figures of traces; spans of one name in a trace add up."""
    params = {"ids": list(ids)}
    names: dict[UUID, list[dict[str, Any]]] = {}
    for row in db.fetch_all(_PER_NAME, params):
        names.setdefault(row["trace_id"], []).append(row)
    return {row["trace_id"]: _measured(row, names.get(row["trace_id"], [])) for row in db.fetch_all(_WHOLE, params)}


def _measured(trace: dict[str, Any], names: Sequence[dict[str, Any]]) -> Measured:
    durations = {row["name"]: row["ms"] for row in names}
    durations[trace["pipeline_name"]] = trace["ms"]
    self_times = {row["name"]: row["self_ms"] for row in names}
    for name, column in (("queue:wait", "queue_ms"), ("launch", "launch_ms")):
        if trace[column] is not None:
            durations[name] = self_times[name] = trace[column]
    counts = {row["name"]: row["count"] for row in names if row["category"] in _NAMED}
    for category, noun in _COUNTED.items():
        counts[noun] = sum(row["count"] for row in names if row["category"] == category)
    counts["retries"] = sum(row["retries"] for row in names)
    return Measured(
        durations=durations,
        self_times=self_times,
        counts=counts,
        cost={"cost": trace["cost_micros"]},
        tokens={"input tokens": trace["input_tokens"], "output tokens": trace["output_tokens"]},
    )
