"""Issues: the errors of all traces, grouped by fingerprint, with a person's word on which are mended.

The table is the operators'. An owner's issues are made of the spans of his own projects: counts, times and messages are
his; what others met with is not even counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, LiteralString
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound
from studio.operations import occurrences, window
from studio.operations.failures import Failure as Failure
from studio.operations.failures import failure as failure
from studio.operations.occurrences import Affected, Bar, Occurrence
from studio.operations.window import Since

Status = Literal["open", "resolved"]
ERROR_CLASSES = ("model", "database", "provider", "timeout", "validation", "cancelled", "lost worker", "unknown")
# A cancel is no error: it is listed only where somebody asks for it.
CANCELLED = "cancelled"
SHORTEST_PREFIX = 6

# How many attempts it has ended is counted of those whose traces are kept.
_ALL: LiteralString = """
select i.fingerprint, i.error_type, i.error_class, i.message, i.place, i.first_seen, i.last_seen, i.count,
  (select count(*)::int from public.pipeline_traces t
   where t.fingerprint = i.fingerprint and t.status not in ('ok', 'running')) as fatal_count,
  i.status, i.resolved_at, i.resolved_by, i.reopened_at, i.reopened_by, i.reopened_count, i.last_trace_id,
  i.last_span_id
from public.pipeline_issues i where true
"""
# That operators have resolved it is told, and who they are is not. It has come back where it came back in his own
# projects: that another owner met with it again opens it for operators alone.
_OWN: LiteralString = """
with own as (
  select p.id from public.projects p where p.owner_clerk_id = %(owner)s
), mine as (
  select fingerprint, count(*) as count, min(coalesce(end_time, start_time)) as first_seen,
    max(coalesce(end_time, start_time)) as last_seen,
    (array_agg(span_id order by coalesce(end_time, start_time) desc, span_id))[1] as newest
  from public.pipeline_spans where fingerprint is not null and project_id in (select id from own) group by fingerprint
), i as (
  select m.fingerprint, coalesce(s.error_type, '') as error_type, coalesce(s.error_class, 'unknown') as error_class,
    coalesce(s.error, '') as message, m.first_seen, m.last_seen, m.count, s.stack, s.trace_id, s.span_id,
    case when s.error_class = 'cancelled'
      or m.last_seen <= i.resolved_at and (i.status = 'resolved' or i.reopened_by is null)
      then 'resolved' else 'open' end as status, i.resolved_at
  from mine m
  join public.pipeline_spans s on s.span_id = m.newest
  left join public.pipeline_issues i on i.fingerprint = m.fingerprint
)
select i.fingerprint, i.error_type, i.error_class, i.message, public.place_of_error(i.stack) as place, i.first_seen,
  i.last_seen, i.count,
  (select count(*)::int from public.pipeline_traces t where t.fingerprint = i.fingerprint
   and t.status not in ('ok', 'running') and t.project_id in (select id from own)) as fatal_count,
  i.status, i.resolved_at, null::text as resolved_by, null::timestamptz as reopened_at,
  null::text as reopened_by, 0 as reopened_count, i.trace_id as last_trace_id, i.span_id as last_span_id
from i where true
"""


@dataclass(frozen=True)
class Issue:
    """A kind of error. `message` is its newest occurrence's, `place` where in our code it came up.

    `count` are spans; `fatal_count` are the attempts that it has ended, of those whose traces are kept. Nobody's name
    in `reopened_by`: it came back by itself.
    """

    fingerprint: str
    error_type: str
    error_class: str
    message: str
    place: str | None
    first_seen: datetime
    last_seen: datetime
    count: int
    fatal_count: int
    status: Status
    resolved_at: datetime | None
    resolved_by: str | None
    reopened_at: datetime | None
    reopened_by: str | None
    reopened_count: int
    last_trace_id: UUID | None
    last_span_id: str | None

    @property
    def is_reopened(self) -> bool:
        """Whether it has come back after somebody had said that it is mended."""
        return self.status == "open" and self.reopened_at is not None


@dataclass(frozen=True)
class IssueDetail:
    """An issue with its newest occurrences, how often it came up when, and whom it has met.

    `hours` are the last two days, `days` the last month; `jobs` the newest of `job_count`.
    """

    issue: Issue
    occurrences: list[Occurrence]
    hours: list[Bar]
    days: list[Bar]
    job_types: list[Affected]
    jobs: list[Affected]
    job_count: int


def find(
    db: Database,
    owner: str | None = None,
    *,
    status: Status | None = None,
    error_class: str | None = None,
    since: Since | None = None,
    limit: int = 100,
) -> list[Issue]:
    """Return issues, those that came up last first; `since` is about the last time.

    Cancelled work is listed only where `error_class` names it.
    """
    query: LiteralString = _ALL if owner is None else _OWN
    query += " and i.error_class = %(class)s" if error_class is not None else " and i.error_class <> %(cancelled)s"
    if status is not None:
        query += " and i.status = %(status)s"
    if since is not None:
        query += " and i.last_seen >= " + window.SINCE
    query += " order by i.last_seen desc, i.fingerprint limit %(limit)s"
    params = {"class": error_class, "cancelled": CANCELLED, "status": status, "limit": limit}
    return _issues(db, query, {**params, **({} if since is None else window.since_params(since))}, owner)


def get(db: Database, fingerprint: str, owner: str | None = None) -> IssueDetail:
    """Return an issue with its occurrences. `fingerprint` may be its first characters, at least six.

    Raises `NotFound` where there is none that `owner` may see, `InvalidInput` where several begin so.
    """
    issue = _get(db, fingerprint, owner)
    found = occurrences.of_issue(db, issue.fingerprint, owner)
    return IssueDetail(issue, found.newest, found.hours, found.days, found.job_types, found.jobs, found.job_count)


def resolve(conn: Connection, fingerprint: str, by: str) -> Issue:
    """Say that an error is mended, in the caller's transaction; what comes up after this moment opens it again.

    One that is resolved already stays as it is. Raises `NotFound`. For operators: it is so for every project.
    """
    conn.execute(
        "update public.pipeline_issues set status = 'resolved', resolved_at = now(), resolved_by = %s"
        " where fingerprint = %s and status = 'open'",
        [by, fingerprint],
    )
    return _current(conn, fingerprint)


def reopen(conn: Connection, fingerprint: str, by: str) -> Issue:
    """Take back that an error is mended, in the caller's transaction; an open one stays as it is.

    Raises `NotFound`, and `InvalidInput` for what is no error.
    """
    issue = _current(conn, fingerprint)
    if issue.error_class == CANCELLED:
        raise InvalidInput("A cancel is no error, and is never open.", "List them with their class, cancelled.")
    conn.execute(
        "update public.pipeline_issues set status = 'open', reopened_at = now(), reopened_by = %s,"
        " reopened_count = reopened_count + 1 where fingerprint = %s and status = 'resolved'",
        [by, fingerprint],
    )
    return _current(conn, fingerprint)


def prune(db: Database, older_than: timedelta) -> int:
    """Forget issues that have not come up for so long, and none of whose spans is kept; return how many."""
    return db.execute(
        "delete from public.pipeline_issues i where i.last_seen < now() - %s and not exists"
        " (select 1 from public.pipeline_spans s where s.fingerprint = i.fingerprint)",
        [older_than],
    )


def _get(db: Database, fingerprint: str, owner: str | None) -> Issue:
    query: LiteralString = _ALL if owner is None else _OWN
    found = _issues(db, query + " and i.fingerprint = %(fingerprint)s", {"fingerprint": fingerprint}, owner)
    if not found and len(fingerprint) >= SHORTEST_PREFIX:
        query += " and starts_with(i.fingerprint, %(fingerprint)s) order by i.fingerprint limit 2"
        found = _issues(db, query, {"fingerprint": fingerprint}, owner)
    if len(found) > 1:
        raise InvalidInput(f"Several errors begin with {fingerprint}.", "Give more of the fingerprint.")
    if not found:
        raise _not_found(fingerprint)
    return found[0]


def _current(conn: Connection, fingerprint: str) -> Issue:
    row = conn.execute(_ALL + " and i.fingerprint = %s", [fingerprint]).fetchone()
    if row is None:
        raise _not_found(fingerprint)
    return Issue(**row)


def _issues(db: Database, query: LiteralString, params: Mapping[str, Any], owner: str | None) -> list[Issue]:
    return [Issue(**row) for row in db.fetch_all(query, {**params, "owner": owner})]


def _not_found(fingerprint: str) -> NotFound:
    return NotFound(f"There is no error {fingerprint}.", "`greenlight traces errors --all` lists what there is.")
