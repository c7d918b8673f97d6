"""Where and when an error came up: the newest spans, how many in which hour and day, in which jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from studio.database.connection import Database

# The last two days by the hour, the last month by the day.
HOURS = 48
DAYS = 30

# One parameter says whose: null is everybody's.
_MINE: LiteralString = """ where s.fingerprint = %(fingerprint)s and (%(owner)s::text is null or s.project_id in (
  select o.id from public.projects o where o.owner_clerk_id = %(owner)s))
"""
_NEWEST: LiteralString = (
    """
select s.trace_id, s.span_id, s.span_name, s.pipeline_name, s.project_id, p.name as project_name, t.job_id, t.attempt,
  t.status as trace_status, coalesce(s.end_time, s.start_time) as at, coalesce(s.error, '') as message,
  coalesce(t.status not in ('ok', 'running') and t.fingerprint = s.fingerprint, false) as fatal
from public.pipeline_spans s
left join public.pipeline_traces t on t.trace_id = s.trace_id
left join public.projects p on p.id = s.project_id
"""
    + _MINE
    + "order by s.start_time desc, s.span_id limit 50"
)
# An hour without one is an hour, too.
_BARS: LiteralString = """
select b.at, coalesce(n.count, 0)::int as count
from generate_series(date_trunc(%(unit)s, now()) - %(back)s, now(), %(step)s) b (at)
left join (
  select date_trunc(%(unit)s, s.start_time) as at, count(*) from public.pipeline_spans s
  where s.fingerprint = %(fingerprint)s and s.start_time >= date_trunc(%(unit)s, now()) - %(back)s
    and (%(owner)s::text is null or s.project_id in (
      select o.id from public.projects o where o.owner_clerk_id = %(owner)s))
  group by 1
) n on n.at = b.at
order by b.at
"""
_TYPES: LiteralString = (
    """
select s.pipeline_name, count(*)::int as count, max(coalesce(s.end_time, s.start_time)) as last_at
from public.pipeline_spans s
"""
    + _MINE
    + "group by s.pipeline_name order by count desc, s.pipeline_name"
)
_JOBS: LiteralString = (
    """
select t.job_id, t.pipeline_name, t.project_id, max(p.name) as project_name, count(*)::int as count,
  max(coalesce(s.end_time, s.start_time)) as last_at, count(*) over ()::int as job_count
from public.pipeline_spans s
join public.pipeline_traces t on t.trace_id = s.trace_id and t.job_id is not null
left join public.projects p on p.id = t.project_id
"""
    + _MINE
    + "group by t.job_id, t.pipeline_name, t.project_id order by last_at desc, t.job_id limit 20"
)


@dataclass(frozen=True)
class Occurrence:
    """A span in which it came up; `fatal` where it ended its attempt."""

    trace_id: UUID
    span_id: str
    span_name: str
    pipeline_name: str
    project_id: UUID | None
    project_name: str | None
    job_id: UUID | None
    attempt: int | None
    trace_status: str | None
    at: datetime
    message: str
    fatal: bool


@dataclass(frozen=True)
class Bar:
    """How often it came up in the hour, or the day, that begins at `at` (UTC)."""

    at: datetime
    count: int


@dataclass(frozen=True)
class Affected:
    """A job type, or a job of it, in which it came up."""

    pipeline_name: str
    count: int
    last_at: datetime
    job_id: UUID | None = None
    project_id: UUID | None = None
    project_name: str | None = None


@dataclass(frozen=True)
class Occurrences:
    """The newest spans of an error, how many there were when, and whom it has met: `jobs` are the newest of them."""

    newest: list[Occurrence]
    hours: list[Bar]
    days: list[Bar]
    job_types: list[Affected]
    jobs: list[Affected]
    job_count: int


def of_issue(db: Database, fingerprint: str, owner: str | None = None) -> Occurrences:
    """Return where and when an error came up, as far as `owner` may see it (None: all of it)."""
    params = {"fingerprint": fingerprint, "owner": owner}
    hours = {"unit": "hour", "back": timedelta(hours=HOURS - 1), "step": timedelta(hours=1)}
    days = {"unit": "day", "back": timedelta(days=DAYS - 1), "step": timedelta(days=1)}
    with db.transaction() as conn:
        newest = conn.execute(_NEWEST, params).fetchall()
        by_hour = conn.execute(_BARS, params | hours).fetchall()
        by_day = conn.execute(_BARS, params | days).fetchall()
        types = conn.execute(_TYPES, params).fetchall()
        jobs = conn.execute(_JOBS, params).fetchall()
    job_count = jobs[0]["job_count"] if jobs else 0
    for row in jobs:
        del row["job_count"]
    return Occurrences(
        [Occurrence(**row) for row in newest],
        [Bar(**row) for row in by_hour],
        [Bar(**row) for row in by_day],
        [Affected(**row) for row in types],
        [Affected(**row) for row in jobs],
        job_count,
    )
