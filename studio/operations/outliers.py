"""What the slow runs of a pipeline have in common and the others have not, whatever the field."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString

from studio.database.connection import Database
from studio.errors import InvalidInput
from studio.operations import window
from studio.operations.window import Since
from studio.text import storable

# Fewer slow runs have anything in common by chance.
MIN_SLOW = 5
# A value that is so much more or less frequent among the slow ones is worth a line.
MIN_DIFFERENCE = 0.2
MAX_RUNS = 2000

_RUNS: LiteralString = """
with runs as (
  select t.trace_id, t.duration_ms, t.status, t.lane, t.attempt, coalesce(p.name, t.subject) as project
  from public.pipeline_traces t left join public.projects p on p.id = t.project_id
  where t.pipeline_name = %(pipeline)s and t.status in ('ok', 'error') and t.start_time >= """
_FIELDS: LiteralString = """
  order by t.start_time desc limit %(limit)s
), cut as (
  select percentile_cont(%(quantile)s) within group (order by r.duration_ms) as ms from runs r
), sides as (
  select r.*, r.duration_ms > cut.ms as slow from runs r cross join cut
), told as (
  select r.trace_id, r.slow, f.field, f.value
  from sides r cross join lateral (values
    ('project', r.project), ('lane', r.lane), ('attempt', r.attempt::text), ('status', r.status)) f (field, value)
  union
  select r.trace_id, r.slow, f.field, f.value
  from sides r join public.pipeline_spans s using (trace_id) cross join lateral (values
    ('ran', case when s.category in ('agent', 'tool', 'step', 'action') then s.span_name end),
    ('failed in', case when s.status = 'error' and s.category <> 'job' then s.span_name end),
    ('model', case s.category when 'chat' then nullif(split_part(s.span_name, ' ', 2), '') when 'llm' then s.model end),
    ('retried', case when s.category = 'llm' and s.retries > 0 then 'yes' end),
    ('host', s.attributes ->> 'host.name'),
    ('worker', nullif(s.attributes ->> 'greenlight.worker', ''))) f (field, value)
)
select t.field, t.value,
  (count(*) filter (where t.slow))::int as slow, (count(*) filter (where not t.slow))::int as rest,
  (select count(*)::int from sides where slow) as slow_of, (select count(*)::int from sides where not slow) as rest_of,
  (select ms from cut) as threshold_ms
from told t where t.value is not null
group by t.field, t.value
"""


@dataclass(frozen=True)
class Difference:
    """How many of the slow runs, and of the rest, have a value in a field: of `ran`, `agent:x` has run in them."""

    field: str
    value: str
    slow: int
    slow_of: int
    rest: int
    rest_of: int

    @property
    def slow_share(self) -> float:
        """0 to 1."""
        return self.slow / self.slow_of if self.slow_of else 0.0

    @property
    def rest_share(self) -> float:
        """0 to 1."""
        return self.rest / self.rest_of if self.rest_of else 0.0

    @property
    def more(self) -> float:
        """How much more frequent it is among the slow ones, -1 to 1."""
        return self.slow_share - self.rest_share


@dataclass(frozen=True)
class Outliers:
    """The runs that took longer than `threshold_ms`, beside the rest. Too few of either: no `differences`."""

    threshold_ms: float | None
    slow: int
    rest: int
    differences: tuple[Difference, ...]


def stand_out(
    db: Database,
    owner: str | None = None,
    *,
    pipeline: str,
    since: Since = timedelta(days=7),
    quantile: float = 0.9,
    synthetic: bool = False,
    limit: int = 20,
) -> Outliers:
    """Return in what the slowest runs of a pipeline differ most from the rest, of its newest 2,000 since then.

    Slow is what took longer than the `quantile` of all, between 0 and 1. At most `limit` differences, the largest
    first. Synthetic runs count where `synthetic` says so. Raises `InvalidInput` for another `quantile`.
    """
    if not 0 < quantile < 1:
        raise InvalidInput(f"{quantile} is no quantile.", "Give one between 0 and 1, such as 0.9.")
    query: LiteralString = _RUNS + window.SINCE
    if not synthetic:
        query += " and t.kind <> 'synthetic'"
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    params = {
        "pipeline": storable(pipeline),
        "owner": owner,
        "quantile": quantile,
        "limit": MAX_RUNS,
        **window.since_params(since),
    }
    rows = db.fetch_all(query + _FIELDS, params)
    if not rows:
        return Outliers(None, 0, 0, ())
    threshold, slow, rest = rows[0]["threshold_ms"], rows[0]["slow_of"], rows[0]["rest_of"]
    if min(slow, rest) < MIN_SLOW:
        return Outliers(threshold, slow, rest, ())
    found = [
        Difference(row["field"], row["value"], row["slow"], row["slow_of"], row["rest"], row["rest_of"]) for row in rows
    ]
    telling = sorted(
        (one for one in found if abs(one.more) >= MIN_DIFFERENCE),
        key=lambda one: (-abs(one.more), -one.more, one.field, one.value),
    )
    return Outliers(threshold, slow, rest, tuple(telling[:limit]))
