"""How long things take by their name: over time, and all in one table. By self time, which names who spends it.

Percentiles are those of spans that ended well or with an error; what was cancelled or lost was ended by somebody else.
Synthetic runs are left out unless asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.operations import window
from studio.operations.window import Since
from studio.text import storable

# How many runs stand behind a point.
RUNS_PER_POINT = 20

_SPANS: LiteralString = """
  select date_bin(%(bucket)s, s.start_time, timestamptz '2000-01-01 00:00:00+00') as at, s.trace_id, s.duration_ms,
    s.status
  from public.pipeline_spans s
  where s.end_time is not null and s.start_time >= """
_TRACES: LiteralString = """
  select date_bin(%(bucket)s, s.start_time, timestamptz '2000-01-01 00:00:00+00') as at, s.trace_id, s.duration_ms,
    s.status
  from public.pipeline_traces s
  where s.end_time is not null and s.start_time >= """
# A span may be stored before its trace: it is no synthetic one's as long as nobody says so.
NOT_SYNTHETIC: LiteralString = """
 and not exists (select from public.pipeline_traces t where t.trace_id = s.trace_id and t.kind = 'synthetic')"""
_POINTS: LiteralString = """
), points as (
  select p.at, count(*)::int as count, (count(*) filter (where p.status in ('error', 'lost')))::int as errors,
    percentile_cont(array[0.5, 0.95, 0.99]) within group (order by p.duration_ms)
      filter (where p.status in ('ok', 'error')) as percentiles
  from picked p group by p.at
), slowest as (
  select r.at, array_agg(r.trace_id order by r.place) as runs
  from (
    select p.at, p.trace_id, row_number() over (partition by p.at order by max(p.duration_ms) desc, p.trace_id) as place
    from picked p group by p.at, p.trace_id
  ) r
  where r.place <= %(runs)s group by r.at
)
select points.*, slowest.runs from points join slowest using (at) order by at
"""
_TABLE: LiteralString = """
select s.span_name as name, min(s.category) as category, count(*)::int as count,
  count(distinct s.trace_id)::int as traces,
  coalesce(sum(s.duration_ms) filter (where s.status <> 'lost'), 0)::float8 as total_ms,
  coalesce(sum(s.self_ms) filter (where s.status <> 'lost'), 0)::float8 as self_ms,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by s.duration_ms)
    filter (where s.status in ('ok', 'error')) as percentiles,
  (count(*) filter (where s.status in ('error', 'lost')))::int as errors,
  coalesce(sum(s.cost_micros), 0)::bigint as cost_micros,
  coalesce(sum(s.input_tokens), 0)::bigint as input_tokens,
  coalesce(sum(s.output_tokens), 0)::bigint as output_tokens
from public.pipeline_spans s
where s.end_time is not null and s.start_time >= """
_BY_SELF_TIME: LiteralString = " group by s.span_name order by self_ms desc, name"


@dataclass(frozen=True)
class Point:
    """One stretch of time, `at` its beginning. `runs` are the traces behind it, the slowest first, each once."""

    at: datetime
    count: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    runs: tuple[UUID, ...]

    @property
    def error_rate(self) -> float:
        """0 to 1."""
        return self.errors / self.count if self.count else 0.0


@dataclass(frozen=True)
class NameStats:
    """The spans of one name. Milliseconds and micro-dollars; `share` is the part of all self time, 0 to 1."""

    name: str
    category: str
    count: int
    traces: int
    total_ms: float
    self_ms: float
    share: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: int
    cost_micros: int
    input_tokens: int
    output_tokens: int

    @property
    def error_rate(self) -> float:
        """0 to 1."""
        return self.errors / self.count if self.count else 0.0


def quantiles(
    db: Database,
    owner: str | None = None,
    *,
    name: str | None = None,
    category: str | None = None,
    pipeline: str | None = None,
    since: Since = timedelta(days=7),
    bucket: timedelta = timedelta(hours=1),
    synthetic: bool = False,
) -> list[Point]:
    """Return how long the spans of a name, or of a category, took over time (within a pipeline, where it is given).

    With neither `name` nor `category` the whole traces are measured. Stretches without any are left out. Raises
    `InvalidInput` for a `bucket` of no length.
    """
    if bucket <= timedelta(0):
        raise InvalidInput("A stretch of time must have a length.", "Give an hour, or a day.")
    whole = name is None and category is None
    query: LiteralString = "with picked as (" + (_TRACES if whole else _SPANS) + window.SINCE
    if name is not None:
        query += " and s.span_name = %(name)s"
    if category is not None:
        query += " and s.category = %(category)s"
    if not synthetic:
        query += " and s.kind <> 'synthetic'" if whole else NOT_SYNTHETIC
    query += _within(owner, pipeline)
    params = {
        "name": None if name is None else storable(name),
        "category": None if category is None else storable(category),
        "bucket": bucket,
        "runs": RUNS_PER_POINT,
    }
    found = db.fetch_all(query + _POINTS, params | _common(owner, pipeline, since))
    return [
        Point(row["at"], row["count"], row["errors"], *_three(row["percentiles"]), tuple(row["runs"])) for row in found
    ]


def table(
    db: Database,
    owner: str | None = None,
    *,
    category: str | None = None,
    pipeline: str | None = None,
    since: Since = timedelta(days=1),
    synthetic: bool = False,
    limit: int = 200,
) -> list[NameStats]:
    """Return the spans that began since then per name, the one with the most self time first.

    At most `limit` names; the shares are those of all.
    """
    query: LiteralString = _TABLE + window.SINCE
    if category is not None:
        query += " and s.category = %(category)s"
    if not synthetic:
        query += NOT_SYNTHETIC
    query += _within(owner, pipeline) + _BY_SELF_TIME
    params = {"category": None if category is None else storable(category)}
    found = db.fetch_all(query, params | _common(owner, pipeline, since))
    whole = sum(row["self_ms"] for row in found) or 1.0
    stats = []
    for row in found[:limit]:
        p50, p95, p99 = _three(row.pop("percentiles"))
        stats.append(NameStats(**row, share=row["self_ms"] / whole, p50_ms=p50, p95_ms=p95, p99_ms=p99))
    return stats


def _within(owner: str | None, pipeline: str | None) -> LiteralString:
    query: LiteralString = ""
    if pipeline is not None:
        query += " and s.pipeline_name = %(pipeline)s"
    if owner is not None:
        query += " and s.project_id in " + window.OWN
    return query


def _common(owner: str | None, pipeline: str | None, since: Since) -> dict[str, object]:
    return {
        "owner": owner,
        "pipeline": None if pipeline is None else storable(pipeline),
        **window.since_params(since),
    }


def _three(percentiles: list[float] | None) -> tuple[float | None, float | None, float | None]:
    """Return what `percentile_cont` says; nothing where there was nothing to measure."""
    if percentiles is None:
        return None, None, None
    p50, p95, p99 = percentiles
    return p50, p95, p99
