"""What takes the time, pipeline by pipeline, and which span spends it itself. See `names.table` for all names."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString

from studio.database.connection import Database
from studio.operations import window
from studio.operations.names import NOT_SYNTHETIC
from studio.operations.window import Since

_TRACES: LiteralString = """
select t.pipeline_name as pipeline, count(*)::int as count,
  (count(*) filter (where t.status = 'running'))::int as running,
  (count(*) filter (where t.status in ('error', 'lost')))::int as errors,
  avg(t.duration_ms) filter (where t.status in ('ok', 'error')) as mean_ms,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by t.duration_ms)
    filter (where t.status in ('ok', 'error')) as percentiles,
  coalesce(sum(t.duration_ms), 0)::float8 as total_ms,
  percentile_cont(0.95) within group (order by t.queue_ms) as queue_p95_ms,
  percentile_cont(0.95) within group (order by t.launch_ms) as launch_p95_ms,
  coalesce(sum(t.cost_micros), 0)::bigint as cost_micros,
  coalesce(sum(t.input_tokens), 0)::bigint as input_tokens,
  coalesce(sum(t.output_tokens), 0)::bigint as output_tokens
from public.pipeline_traces t
where t.start_time >= """
_BY_TIME: LiteralString = " group by t.pipeline_name order by total_ms desc, pipeline"
_SELF_TIMES: LiteralString = """
select distinct on (n.pipeline_name) n.pipeline_name as pipeline, n.span_name as name,
  n.self_ms / nullif(sum(n.self_ms) over (partition by n.pipeline_name), 0) as share
from (
  select s.pipeline_name, s.span_name, coalesce(sum(s.self_ms) filter (where s.status <> 'lost'), 0)::float8 as self_ms
  from public.pipeline_spans s
  where s.end_time is not null and s.start_time >= """
_MOST: LiteralString = """
  group by s.pipeline_name, s.span_name
) n
order by n.pipeline_name, n.self_ms desc, n.span_name
"""


@dataclass(frozen=True)
class PipelineStats:
    """The traces of one pipeline. Milliseconds and micro-dollars.

    `slowest_name` is the name whose spans have the most self time in it, `slowest_share` their part of it (0 to 1).
    """

    pipeline: str
    count: int
    running: int
    errors: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    total_ms: float
    queue_p95_ms: float | None
    launch_p95_ms: float | None
    cost_micros: int
    input_tokens: int
    output_tokens: int
    slowest_name: str | None
    slowest_share: float | None

    @property
    def error_rate(self) -> float:
        """Of those that have ended, 0 to 1."""
        return self.errors / (self.count - self.running) if self.count > self.running else 0.0


def pipelines(
    db: Database, owner: str | None = None, *, since: Since = timedelta(days=1), synthetic: bool = False
) -> list[PipelineStats]:
    """Return the pipelines that ran since then, the one that took the most time first."""
    traces: LiteralString = _TRACES + window.SINCE
    spans: LiteralString = _SELF_TIMES + window.SINCE
    if not synthetic:
        traces += " and t.kind <> 'synthetic'"
        spans += NOT_SYNTHETIC
    if owner is not None:
        traces += " and t.project_id in " + window.OWN
        spans += " and s.project_id in " + window.OWN
    params = {"owner": owner, **window.since_params(since)}
    slowest = {row["pipeline"]: row for row in db.fetch_all(spans + _MOST, params)}
    found = []
    for row in db.fetch_all(traces + _BY_TIME, params):
        p50, p95, p99 = row.pop("percentiles") or (None, None, None)
        most = slowest.get(row["pipeline"], {"name": None, "share": None})
        found.append(
            PipelineStats(
                **row,
                p50_ms=p50,
                p95_ms=p95,
                p99_ms=p99,
                slowest_name=most["name"],
                slowest_share=most["share"],
            )
        )
    return found
