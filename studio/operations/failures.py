"""A failing attempt with its context: where its error came up, what was tried, and what became of the job."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.operations import traces, tree
from studio.operations.trace import Trace
from studio.operations.tree import SpanDetail

# Deeper nesting is a circle in rows that somebody else has written.
DEEPEST = 200
OTHERS = 20
IN_FLIGHT = 200
REQUESTS = 50

_PATH: LiteralString = """
with recursive up as (
  select span_id, parent_span_id, span_name, start_time, end_time, duration_ms, status, 1 as height
  from public.pipeline_spans where trace_id = %(trace)s and span_id = %(span)s
  union all
  select s.span_id, s.parent_span_id, s.span_name, s.start_time, s.end_time, s.duration_ms, s.status, up.height + 1
  from up join public.pipeline_spans s on s.span_id = up.parent_span_id
  where s.trace_id = %(trace)s and up.height < %(deepest)s
)
select span_id, span_name, start_time, end_time, duration_ms, status from up order by height desc
"""
# Of several the last one: what came before it was overcome.
_ORIGIN: LiteralString = """
select span_id from public.pipeline_spans where trace_id = %(trace)s and fingerprint is not null
order by (fingerprint = %(fingerprint)s) is true desc, coalesce(end_time, start_time) desc, start_time desc, span_id
limit 1
"""
_FAILED: LiteralString = """
select span_id, parent_span_id from public.pipeline_spans
where trace_id = %(trace)s and status not in ('ok', 'running')
order by coalesce(end_time, start_time) desc, start_time desc, span_id limit 1000
"""
_IN_FLIGHT: LiteralString = """
select span_id, parent_span_id, span_name, start_time, end_time, duration_ms, status from public.pipeline_spans
where trace_id = %(trace)s and status in ('running', 'lost') order by start_time, span_id limit 200
"""
_REQUESTS: LiteralString = """
select span_id, span_name, status, error, error_type, start_time, duration_ms, first_token_ms, retries, events
from public.pipeline_spans
where trace_id = %(trace)s and category = 'chat' and parent_span_id = %(question)s order by start_time, span_id limit 50
"""
_OTHERS: LiteralString = """
select span_id, span_name, coalesce(error, '') as error, coalesce(error_type, '') as error_type,
  coalesce(error_class, 'unknown') as error_class, fingerprint, coalesce(end_time, start_time) as at,
  count(*) over ()::int as total
from public.pipeline_spans
where trace_id = %(trace)s and fingerprint is not null and span_id <> %(span)s
order by at desc, span_id limit 20
"""
# What ended by itself, or began, was a sign of life; so was an event of the run's own.
_LAST_SIGN: LiteralString = """
select greatest(
  (select max(greatest(start_time, case when status <> 'lost' then end_time end))
   from public.pipeline_spans where trace_id = %(trace)s),
  (select max(created_at) from public.agent_job_events
   where job_id = %(job)s and claim_no = %(claim)s and type <> 'status'),
  -- The last renewal of its lease, where whoever closed the trace knew of one.
  (select (attributes ->> 'greenlight.alive_at')::timestamptz from public.pipeline_traces where trace_id = %(trace)s)
) as at
"""
_ATTEMPTS: LiteralString = """
select trace_id, claim_no, attempt, status, outcome, start_time, end_time, duration_ms, error, error_class, fingerprint
from public.pipeline_traces where job_id = %(job)s and trace_id <> %(trace)s order by claim_no, start_time limit 100
"""
_JOB: LiteralString = """
select status, attempts, max_attempts, claim_no, interruptions, run_after, completed_at, leased_until, last_error,
  now() as now
from public.agent_jobs where id = %(job)s
"""
# What the transition that ended the claim has said.
_ENDING: LiteralString = """
select message as status, data ->> 'error' as error, created_at as at,
  (data ->> 'attempt')::int as attempt, (data ->> 'max_attempts')::int as max_attempts
from public.agent_job_events
where job_id = %(job)s and claim_no = %(claim)s and type = 'status' and message <> 'running' and seq > coalesce((
  select max(seq) from public.agent_job_events
  where job_id = %(job)s and claim_no = %(claim)s and type = 'status' and message = 'running'), 0)
order by seq limit 1
"""


@dataclass(frozen=True)
class Place:
    """A span as a place on the way to another one."""

    span_id: str
    name: str
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    status: str

    @property
    def category(self) -> str:
        """What stands before the colon of its name."""
        return self.name.partition(":")[0].partition(" ")[0]

    @property
    def what(self) -> str:
        """What stands behind it."""
        return self.name.removeprefix(self.category).lstrip(": ")


@dataclass(frozen=True)
class Request:
    """A request to a model, which the SDK makes again by itself: `refusals` say what each failed try came to.

    `tries` is how often it was made; milliseconds count from its start.
    """

    span_id: str
    name: str
    status: str
    error: str | None
    error_type: str | None
    start_time: datetime
    duration_ms: float | None
    first_token_ms: float | None
    tries: int
    refusals: list[str]


@dataclass(frozen=True)
class OtherError:
    """Another error that came up in the same attempt."""

    span_id: str
    span_name: str
    error: str
    error_type: str
    error_class: str
    fingerprint: str
    at: datetime


@dataclass(frozen=True)
class Attempt:
    """Another attempt at the same job."""

    trace_id: UUID
    claim_no: int | None
    attempt: int | None
    status: str
    outcome: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    error: str | None
    error_class: str | None
    fingerprint: str | None


@dataclass(frozen=True)
class JobNow:
    """The job as it is now; `now` is the database's."""

    status: str
    attempts: int
    max_attempts: int
    claim_no: int
    interruptions: int
    run_after: datetime
    completed_at: datetime | None
    leased_until: datetime | None
    last_error: str | None
    now: datetime


@dataclass(frozen=True)
class Ending:
    """What became of the job when the attempt ended: its new status, and the error that was noted with it."""

    status: str
    error: str | None
    at: datetime
    attempt: int | None
    max_attempts: int | None


@dataclass(frozen=True)
class Failure:
    """An attempt, and what there is to say about its error. `origin` is None where no error came up.

    `path` leads from the root to where the work was: to the origin, or where only the whole of it failed (a cancel, a
    lost lease) to the last span that broke off for it. `requests` are those of the question to a model on this path.
    `in_flight` had not ended when the process was lost, or have not yet. `others` are the newest of `other_count`.
    """

    trace: Trace
    origin: SpanDetail | None
    path: list[Place]
    requests: list[Request]
    others: list[OtherError]
    other_count: int
    in_flight: list[Place]
    last_sign: datetime | None
    before: list[Attempt]
    after: list[Attempt]
    job: JobNow | None
    ending: Ending | None


def failure(db: Database, trace_id: UUID | str, owner: str | None = None) -> Failure:
    """Return an attempt with the context of its error; `trace_id` and errors as in `traces.get`."""
    trace = traces.get(db, trace_id, owner)
    params: dict[str, Any] = {
        "trace": trace.trace_id,
        "fingerprint": trace.fingerprint,
        "job": trace.job_id,
        "claim": trace.claim_no,
        "deepest": DEEPEST,
    }
    with db.transaction() as conn:
        flying = conn.execute(_IN_FLIGHT, params).fetchall()
        params["span"] = span_id = _origin(conn, trace, flying, params)
        others = conn.execute(_OTHERS, {**params, "span": span_id or ""}).fetchall()
        path = _path(conn, params)
        if len(path) == 1 and others:
            path = _path(conn, {**params, "span": others[0]["span_id"]}) or path
        params["question"] = next((place.span_id for place in reversed(path) if place.category == "llm"), None)
        requests = [_request(row) for row in conn.execute(_REQUESTS, params).fetchall()] if params["question"] else []
        attempts = [Attempt(**row) for row in conn.execute(_ATTEMPTS, params).fetchall()] if trace.job_id else []
        last_sign = _row(conn, _LAST_SIGN, params)
        job = _row(conn, _JOB, params)
        ending = _row(conn, _ENDING, params)
    return Failure(
        trace=trace,
        origin=tree.span(db, trace.trace_id, span_id, owner) if span_id else None,
        path=path,
        requests=requests,
        others=[OtherError(**{k: v for k, v in row.items() if k != "total"}) for row in others],
        other_count=others[0]["total"] if others else 0,
        in_flight=[_place(row) for row in flying],
        last_sign=last_sign["at"] if last_sign else None,
        before=[other for other in attempts if (other.claim_no or 0) < (trace.claim_no or 0)],
        after=[other for other in attempts if (other.claim_no or 0) > (trace.claim_no or 0)],
        job=JobNow(**job) if job else None,
        ending=Ending(**ending) if ending else None,
    )


def _origin(conn: Connection, trace: Trace, flying: list[dict[str, Any]], params: dict[str, Any]) -> str | None:
    """Return the span in which the attempt's error came up; of a lost or running one where it was at last."""
    if trace.status in ("lost", "running") and flying:
        return _innermost(flying)
    if trace.status in ("ok", "running"):
        return None
    found = conn.execute(_ORIGIN, params).fetchone()
    if found is not None:
        return str(found["span_id"])
    failed = conn.execute(_FAILED, params).fetchall()
    return _innermost(failed[::-1]) if failed else None


def _path(conn: Connection, params: dict[str, Any]) -> list[Place]:
    return [_place(row) for row in conn.execute(_PATH, params).fetchall()]


def _innermost(rows: list[dict[str, Any]]) -> str:
    """Return the last of these spans that is none of the others' parent."""
    parents = {row["parent_span_id"] for row in rows}
    leaves = [row for row in rows if row["span_id"] not in parents]
    return str((leaves or rows)[-1]["span_id"])


def _place(row: dict[str, Any]) -> Place:
    return Place(
        row["span_id"], row["span_name"], row["start_time"], row["end_time"], row["duration_ms"], row["status"]
    )


def _request(row: dict[str, Any]) -> Request:
    refused = [event for event in row["events"] or [] if event.get("name") == "attempt_failed"]
    said = [f"HTTP {event['status']}" if event.get("status") else str(event.get("problem") or "") for event in refused]
    kept = ("span_id", "status", "error", "error_type", "start_time", "duration_ms", "first_token_ms")
    tries = max(1 + (row["retries"] or 0), len(said))
    return Request(name=row["span_name"], tries=tries, refusals=said, **{name: row[name] for name in kept})


def _row(conn: Connection, query: LiteralString, params: dict[str, Any]) -> dict[str, Any] | None:
    return conn.execute(query, params).fetchone()
