"""What the operations' pages show beside `studio.operations`: what may be picked, sparklines, runs behind a point."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.operations.trace import COLUMNS, Trace, from_row

PROJECTS_LISTED = 200
SPARK_DAYS = 14

_PROJECTS: LiteralString = """
select p.id, p.name from public.projects p
where (%(owner)s::text is null or p.owner_clerk_id = %(owner)s)
  and exists (select 1 from public.pipeline_traces t where t.project_id = p.id)
order by lower(p.name), p.id limit %(limit)s
"""
_SPARKS: LiteralString = """
select s.fingerprint, (now() at time zone 'utc')::date - (s.start_time at time zone 'utc')::date as ago,
  count(*)::int as count
from public.pipeline_spans s
where s.fingerprint = any(%(fingerprints)s)
  and s.start_time >= date_trunc('day', now(), 'UTC') - make_interval(days => %(days)s - 1)
  and (%(owner)s::text is null
    or s.project_id in (select p.id from public.projects p where p.owner_clerk_id = %(owner)s))
group by 1, 2
"""
_OF_TRACES: LiteralString = """
from public.pipeline_traces t
where t.trace_id = any(%(ids)s) and (%(owner)s::text is null
  or t.project_id in (select p.id from public.projects p where p.owner_clerk_id = %(owner)s))
"""
_MOST_ATTEMPTS: LiteralString = "select max_attempts from public.agent_jobs where id = %s"


def projects(db: Database, owner: str | None = None) -> dict[UUID, str]:
    """Return the names of the projects that have traces, in alphabetical order, at most 200."""
    rows = db.fetch_all(_PROJECTS, {"owner": owner, "limit": PROJECTS_LISTED})
    return {row["id"]: row["name"] for row in rows}


def sparks(db: Database, fingerprints: Sequence[str], owner: str | None = None) -> dict[str, list[int]]:
    """Return how often errors came up on each of the last 14 days (UTC), the oldest first and today last."""
    found = {fingerprint: [0] * SPARK_DAYS for fingerprint in fingerprints}
    params = {"fingerprints": list(fingerprints), "days": SPARK_DAYS, "owner": owner}
    for row in db.fetch_all(_SPARKS, params) if fingerprints else []:
        # What is told to have happened tomorrow happened today: by another clock.
        found[row["fingerprint"]][SPARK_DAYS - 1 - max(row["ago"], 0)] += row["count"]
    return found


def traces_of(db: Database, ids: Iterable[UUID], owner: str | None = None) -> list[Trace]:
    """Return these traces in their order, without those that are no longer there."""
    wanted = list(ids)
    rows = db.fetch_all("select" + COLUMNS + _OF_TRACES, {"ids": wanted, "owner": owner})
    by_id = {row["trace_id"]: from_row(row) for row in rows}
    return [by_id[trace_id] for trace_id in wanted if trace_id in by_id]


def max_attempts(db: Database, job_id: UUID | None) -> int | None:
    """Return how often a job is tried at most; None where it is no longer there."""
    row = None if job_id is None else db.fetch_one(_MOST_ATTEMPTS, [job_id])
    return None if row is None else int(row["max_attempts"])
