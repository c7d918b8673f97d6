"""Traces as rows: the list, one of them, and all attempts at a job.

A list is newest first and goes on behind a `Cursor`; nothing in it is counted from its beginning. One trace is found by
whatever somebody has of it: its id or the beginning of it, the job's, the Dagster run's.
"""

from __future__ import annotations

from typing import Any, Literal, LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.operations import window
from studio.operations.trace import COLUMNS, KINDS, STATUSES, Cursor, Kind, Status, Trace, from_row
from studio.operations.window import Since
from studio.text import storable

__all__ = ["KINDS", "STATUSES", "Cursor", "Kind", "Status", "Trace", "find", "get", "of_job", "pipelines"]

SHORTEST_PREFIX = 6
_DIGITS = 32
_HEX = frozenset("0123456789abcdef")
_LIST = "`greenlight traces list` shows what there is."

_FROM: LiteralString = " from public.pipeline_traces t where true"
_NEWEST_FIRST: LiteralString = " order by t.start_time desc, t.trace_id"
_ELAPSED: LiteralString = (
    " and coalesce(t.duration_ms, extract(epoch from now() - t.start_time)::float8 * 1000) >= %(min_ms)s"
)
_TEXT: LiteralString = (
    " and strpos(lower(concat_ws(' ', t.pipeline_name, t.subject, t.outcome, t.error_type, t.error_class, t.error)),"
    " lower(%(text)s)) > 0"
)
_BEFORE: LiteralString = (
    " and t.start_time <= %(before_start)s and (t.start_time < %(before_start)s or t.trace_id > %(before_id)s)"
)
_BY_TRACE: LiteralString = " and t.trace_id between %(first)s and %(last)s"
_BY_JOB: LiteralString = " and t.job_id between %(first)s and %(last)s"
_BY_RUN: LiteralString = " and t.dagster_run_id = %(run)s"
_JOB: LiteralString = "select j.status from public.agent_jobs j where j.id = %(job)s"


def find(
    db: Database,
    owner: str | None = None,
    *,
    pipeline: str | None = None,
    status: Status | Literal["failed"] | None = None,
    project_id: UUID | None = None,
    job_id: UUID | None = None,
    kind: Kind | None = None,
    since: Since | None = None,
    min_ms: float | None = None,
    text: str | None = None,
    fingerprint: str | None = None,
    before: Cursor | None = None,
    limit: int = 50,
) -> list[Trace]:
    """Return at most `limit` traces, newest first, of those that `owner` may see (None: all).

    `status` "failed" stands for every end but a good one. `min_ms` is compared with how long it took, or has been
    running. `text` is looked for in the pipeline, the subject, the outcome and the error, in any case of letters.
    `since` is a moment, or so long ago. `before` is the `cursor` of the last trace of the page before.
    """
    query: LiteralString = "select" + COLUMNS + _FROM
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    if pipeline is not None:
        query += " and t.pipeline_name = %(pipeline)s"
    if status == "failed":
        query += " and t.status not in ('ok', 'running')"
    elif status is not None:
        query += " and t.status = %(status)s"
    if project_id is not None:
        query += " and t.project_id = %(project_id)s"
    if job_id is not None:
        query += " and t.job_id = %(job_id)s"
    if kind is not None:
        query += " and t.kind = %(kind)s"
    if fingerprint is not None:
        query += " and t.fingerprint = %(fingerprint)s"
    if since is not None:
        query += " and t.start_time >= " + window.SINCE
    if min_ms is not None:
        query += _ELAPSED
    if text is not None:
        query += _TEXT
    if before is not None:
        query += _BEFORE
    params: dict[str, Any] = {
        "owner": owner,
        "pipeline": None if pipeline is None else storable(pipeline),
        "status": status,
        "project_id": project_id,
        "job_id": job_id,
        "kind": kind,
        "fingerprint": fingerprint,
        "min_ms": min_ms,
        "text": None if text is None else storable(text),
        "before_start": before and before.start_time,
        "before_id": before and before.trace_id,
        "limit": limit,
        **({} if since is None else window.since_params(since)),
    }
    return [from_row(row) for row in db.fetch_all(query + _NEWEST_FIRST + " limit %(limit)s", params)]


def get(db: Database, trace_id: UUID | str, owner: str | None = None) -> Trace:
    """Return a trace that `owner` may see.

    `trace_id` may be its id (32 hexadecimal digits, or as a UUID), at least six of its first digits, or the id of a job
    or of a Dagster run, whose newest trace is meant then. Raises `InvalidInput` for what can be none of these or for
    the beginning of several, `NotFound` where nothing is there.
    """
    given = str(trace_id).strip()
    digits = given.replace("-", "").lower()
    if not SHORTEST_PREFIX <= len(digits) <= _DIGITS or not _HEX.issuperset(digits):
        raise InvalidInput(
            f"{given[:80]!r} is not the id of a trace, a job or a run.",
            f"Give at least {SHORTEST_PREFIX} of its first digits. {_LIST}",
        )
    span = {"first": UUID(digits.ljust(_DIGITS, "0")), "last": UUID(digits.ljust(_DIGITS, "f"))}
    found = _found(db, _BY_TRACE, span, owner)
    if not found:
        found = _found(db, _BY_JOB, span, owner)
        if len({trace.job_id for trace in found}) == 1:
            found = found[:1]
    if not found and len(digits) == _DIGITS:
        found = _found(db, _BY_RUN, {"run": str(UUID(digits))}, owner)[:1]
    if len(found) > 1:
        raise InvalidInput(f"Several traces begin with {given}.", "Give more of its digits.")
    if found:
        return found[0]
    raise NotFound(f"There is no trace {given}.", _why(db, digits, owner))


def of_job(db: Database, job_id: UUID, owner: str | None = None) -> list[Trace]:
    """Return the traces of all attempts at a job, the first one first."""
    query: LiteralString = "select" + COLUMNS + _FROM + " and t.job_id = %(job_id)s"
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    found = db.fetch_all(query + " order by t.claim_no, t.start_time", {"job_id": job_id, "owner": owner})
    return [from_row(row) for row in found]


def pipelines(db: Database, owner: str | None = None, *, since: Since) -> list[str]:
    """Return the names of the pipelines that have run, in alphabetical order."""
    query: LiteralString = "select distinct t.pipeline_name" + _FROM + " and t.start_time >= " + window.SINCE
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    found = db.fetch_all(query + " order by 1", {"owner": owner, **window.since_params(since)})
    return [row["pipeline_name"] for row in found]


def _found(db: Database, by: LiteralString, params: dict[str, Any], owner: str | None) -> list[Trace]:
    query: LiteralString = "select" + COLUMNS + _FROM + by
    if owner is not None:
        query += " and t.project_id in " + window.OWN
    return [from_row(row) for row in db.fetch_all(query + _NEWEST_FIRST + " limit 20", {**params, "owner": owner})]


def _why(db: Database, digits: str, owner: str | None) -> str:
    """Return what to do about it: a job that waits has no trace yet."""
    if len(digits) < _DIGITS:
        return _LIST
    query = _JOB
    if owner is not None:
        query += " and j.project_id in " + window.OWN
    job = db.fetch_one(query, {"job": UUID(digits), "owner": owner})
    if job is None:
        return _LIST
    if job["status"] == "queued":
        return "The job of this id is still queued: its trace begins when a worker claims it."
    return "The job of this id ran untraced (GREENLIGHT_TRACING was off), or its trace is older than the retention."
