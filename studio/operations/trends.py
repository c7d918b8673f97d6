"""What model calls cost over time, in micro-dollars and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, LiteralString

from studio.database.connection import Database
from studio.operations import window
from studio.operations.names import NOT_SYNTHETIC
from studio.operations.window import Since

By = Literal["hour", "day"]
Group = Literal["pipeline", "model", "project"]

_BY_PIPELINE: LiteralString = "select t.pipeline_name as key, t.pipeline_name as label,"
_BY_PROJECT: LiteralString = """
select coalesce(t.project_id::text, '') as key, coalesce(min(p.name), min(t.subject), 'no project') as label,"""
_OF_TRACES: LiteralString = """
  date_trunc(%(by)s, t.start_time, 'UTC') as at, sum(t.model_calls)::bigint as calls,
  sum(t.cost_micros)::bigint as cost_micros, sum(t.input_tokens)::bigint as input_tokens,
  sum(t.output_tokens)::bigint as output_tokens
from public.pipeline_traces t left join public.projects p on p.id = t.project_id
where (t.model_calls > 0 or t.cost_micros > 0) and t.start_time >= """
# A model's money and tokens stand on the question, its requests are spans of their own, called after it.
_BY_MODEL: LiteralString = """
select m.model as key, m.model as label, date_trunc(%(by)s, s.start_time, 'UTC') as at,
  (count(*) filter (where s.category = 'chat'))::bigint as calls,
  coalesce(sum(s.cost_micros) filter (where s.category = 'llm'), 0)::bigint as cost_micros,
  coalesce(sum(s.input_tokens) filter (where s.category = 'llm'), 0)::bigint as input_tokens,
  coalesce(sum(s.output_tokens) filter (where s.category = 'llm'), 0)::bigint as output_tokens
from public.pipeline_spans s
cross join lateral (
  select coalesce(nullif(case s.category when 'chat' then split_part(s.span_name, ' ', 2) else s.model end, ''),
    'unknown') as model
) m
where s.category in ('llm', 'chat') and s.end_time is not null and s.start_time >= """
_GROUPS: dict[Group, LiteralString] = {
    "pipeline": " group by at, t.pipeline_name",
    "project": " group by at, t.project_id",
    "model": " group by at, m.model",
}
_IN_ORDER: LiteralString = " order by at, cost_micros desc, key"


@dataclass(frozen=True)
class CostPoint:
    """One hour or day, `at` its beginning in UTC, of one group.

    `key` is the pipeline, the model, or the project's id; `label` what a person calls it.
    """

    at: datetime
    key: str
    label: str
    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


def cost(
    db: Database,
    owner: str | None = None,
    *,
    by: By = "day",
    since: Since = timedelta(days=30),
    group: Group = "pipeline",
    synthetic: bool = False,
) -> list[CostPoint]:
    """Return what was spent, the oldest first, within an hour or day the dearest first.

    Stretches without calls are left out. By pipeline and project a call counts when its trace began, by model when
    it began itself.
    """
    query: LiteralString
    if group == "model":
        query = _BY_MODEL + window.SINCE
        query += "" if synthetic else NOT_SYNTHETIC
        query += "" if owner is None else " and s.project_id in " + window.OWN
    else:
        query = (_BY_PIPELINE if group == "pipeline" else _BY_PROJECT) + _OF_TRACES + window.SINCE
        query += "" if synthetic else " and t.kind <> 'synthetic'"
        query += "" if owner is None else " and t.project_id in " + window.OWN
    params = {"by": by, "owner": owner, **window.since_params(since)}
    return [CostPoint(**row) for row in db.fetch_all(query + _GROUPS[group] + _IN_ORDER, params)]
