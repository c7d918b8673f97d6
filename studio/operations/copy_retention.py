"""Retention of the copy of the traces at InsForge: by age as in `studio.operations.retention`, and with its project.

| what | goes after |
|---|---|
| inputs and outputs of spans | `trace_payload_days` |
| those of a failed trace's spans in which the error came up, or which were lost in flight | with their trace |
| traces with their spans | `trace_retention_days` |
| failed ones, and every span | `trace_error_days`, where that is later |
| all of a project that is no longer in this database | with the next sweep |

Nothing is remembered between two sweeps: what is due is asked of InsForge, and what a sweep does not come to, or fails
at, is due in the next one. Slow outliers are not told from others there, and go with them.

Spans are counted out before they are changed or deleted, because a statement that takes longer than the gateway waits
is answered with an error; and so few requests are made that the copying has most of what the gateway allows.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import uuid4

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.settings import Settings
from studio.tracing.errors import SinkError
from studio.tracing.sinks.insforge_records import Records

log = logging.getLogger(__name__)

SPANS, TRACES = "pipeline_spans", "pipeline_traces"
# How many spans a request changes or deletes, how many ids fit into an address, and how many into an answer.
SPANS_AT_ONCE = 1000
IDS_AT_ONCE = 100
PROJECTS_AT_ONCE = 400
# How often each part of a sweep goes on: in all some 400 of the thousand requests of 15 minutes.
SPAN_ROUNDS = 40
TRACE_ROUNDS = 20
FAULT_PAGES = 20
PROJECT_PAGES = 40

# Conditions as they stand in an `and`.
_HAS_PAYLOAD = "or(input_data.not.is.null,output_data.not.is.null)"
_IS_FAULT = "or(fingerprint.not.is.null,status.eq.lost)"
_IS_NO_FAULT = ("fingerprint.is.null", "status.neq.lost")
_ENDED_WELL = "status.in.(ok,running)"
_ENDED_BADLY = "status.not.in.(ok,running)"
_CLEARED: dict[str, Any] = {"input_data": None, "output_data": None}
_LIMITS: LiteralString = """
select now() - %(payloads)s::interval as payloads, now() - %(traces)s::interval as traces,
  now() - greatest(%(errors)s::interval, %(traces)s::interval) as errors
"""
_GONE: LiteralString = """
select g.id::text as id from unnest(%s::uuid[]) g (id)
where not exists (select from public.projects p where p.id = g.id)
"""


def sweep(db: Database, settings: Settings) -> int | str:
    """Delete and clear there what is older than the retention, or its project's that is gone, as far as a sweep goes.

    Return how many traces went, or why InsForge could not be asked. Without InsForge there is nothing to do.
    """
    if not (settings.insforge_url and settings.insforge_api_key):
        return 0
    limits = db.fetch_one(
        _LIMITS,
        {
            "payloads": timedelta(days=settings.trace_payload_days),
            "traces": timedelta(days=settings.trace_retention_days),
            "errors": timedelta(days=settings.trace_error_days),
        },
    )
    assert limits is not None  # noqa: S101 - a select without a table returns its row
    with closing(Records(settings.insforge_url, settings.insforge_api_key.get_secret_value())) as records:
        try:
            return _sweep(db, records, **limits)
        except SinkError as exc:
            # What else is due is none the worse for it, and the next hour tries again.
            log.warning("Old traces at InsForge could not be deleted: %s", exc)
            return str(exc)


def _sweep(db: Database, records: Records, *, payloads: datetime, traces: datetime, errors: datetime) -> int:
    _clear_payloads(records, payloads)
    _clear_overcome_faults(records, payloads)
    deleted = _delete_gone_projects(db, records)
    deleted += _delete_traces(records, _before("created_at", traces), _ENDED_WELL)
    deleted += _delete_traces(records, _before("created_at", errors))
    # Whose trace never came, or was deleted before they did.
    _delete_spans(records, _before("created_at", errors))
    return deleted


def _clear_payloads(records: Records, before: datetime) -> None:
    """Clear inputs and outputs of spans in which no error came up."""
    due = (_HAS_PAYLOAD, *_IS_NO_FAULT, _before("start_time", before))
    for part, _ in _parts(records, "start_time", due):
        records.change(SPANS, part, _CLEARED)


def _clear_overcome_faults(records: Records, before: datetime) -> None:
    """Clear inputs and outputs of spans in which an error came up that did not end their trace."""
    due = (_HAS_PAYLOAD, _IS_FAULT, _before("start_time", before))
    pages = _walk(records, SPANS, "span_id", uuid4().hex[:16], due, "span_id,trace_id", IDS_AT_ONCE, FAULT_PAGES)
    for rows in pages:
        theirs = _in("trace_id", {row["trace_id"] for row in rows})
        asked = {**_where(theirs, _ENDED_BADLY), "select": "trace_id", "limit": str(IDS_AT_ONCE)}
        failed = {row["trace_id"] for row in records.select(TRACES, asked)}
        overcome = {row["span_id"] for row in rows if row["trace_id"] not in failed}
        if overcome:
            records.change(SPANS, _where(_in("span_id", overcome)), _CLEARED)


def _delete_gone_projects(db: Database, records: Records) -> int:
    """Delete what is of projects that are not in this database, as far as a sweep goes; return how many traces.

    Where none of them is, the copy is another installation's, or this database is a new one: nothing is deleted then.
    """
    pages = _walk(records, TRACES, "project_id", str(uuid4()), (), "project_id", PROJECTS_AT_ONCE, PROJECT_PAGES)
    copied = {row["project_id"] for rows in pages for row in rows}
    # Every installation has this one.
    copied.discard(str(SYSTEM_PROJECT_ID))
    gone = [row["id"] for row in db.fetch_all(_GONE, [sorted(copied)])]
    deleted = 0
    for project_id in gone if len(gone) < len(copied) else ():
        # The spans first, also those whose trace never came: nobody looks for them when no trace is left.
        mine = f"project_id.eq.{project_id}"
        if _delete_spans(records, mine):
            deleted += _delete_traces(records, mine)
    return deleted


def _delete_traces(records: Records, *due: str) -> int:
    """Delete traces with their spans, the spans first; return how many."""
    deleted = 0
    asked = {**_where(*due), "select": "trace_id", "order": "created_at", "limit": str(IDS_AT_ONCE)}
    for _ in range(TRACE_ROUNDS):
        ids = [row["trace_id"] for row in records.select(TRACES, asked)]
        if not ids or not _delete_spans(records, _in("trace_id", ids)):
            break
        records.delete(TRACES, _where(_in("trace_id", ids)))
        deleted += len(ids)
        if len(ids) < IDS_AT_ONCE:
            break
    return deleted


def _delete_spans(records: Records, *due: str) -> bool:
    """Delete spans, as far as a sweep goes; return whether that was all of them."""
    for part, last in _parts(records, "created_at", due):
        records.delete(SPANS, part)
        if last:
            return True
    return False


def _parts(records: Records, column: str, due: Sequence[str]) -> Iterator[tuple[dict[str, str], bool]]:
    """Yield the query of so many of the spans that are due as a request takes, the oldest first; and whether it is all.

    Whoever goes on has seen to those before.
    """
    nth = {"select": column, "order": column, "offset": str(SPANS_AT_ONCE - 1), "limit": "1"}
    for _ in range(SPAN_ROUNDS):
        rows = records.select(SPANS, {**_where(*due), **nth})
        until = [f'{column}.lte."{rows[0][column]}"'] if rows else []
        yield _where(*due, *until), not rows
        if not rows:
            break


def _walk(
    records: Records, table: str, key: str, somewhere: str, due: Sequence[str], columns: str, at_once: int, pages: int
) -> Iterator[Sequence[dict[str, Any]]]:
    """Yield pages of records in the order of `key`, from `somewhere` on, and then those before it.

    What is looked at and stays would fill every sweep that began at the beginning.
    """
    for bounds, begin in (([], f"{key}.gt.{somewhere}"), ([f"{key}.lte.{somewhere}"], f"{key}.not.is.null")):
        after = begin
        while pages > 0:
            pages -= 1
            asked = {"select": columns, "order": key, "limit": str(at_once)}
            rows = records.select(table, {**_where(*due, *bounds, after), **asked})
            if rows:
                yield rows
            if len(rows) < at_once:
                break
            after = f"{key}.gt.{rows[-1][key]}"


def _where(*conditions: str) -> dict[str, str]:
    return {"and": f"({','.join(conditions)})"}


def _in(column: str, ids: Collection[str]) -> str:
    return f"{column}.in.({','.join(sorted(ids))})"


def _before(column: str, at: datetime) -> str:
    return f'{column}.lt."{at.astimezone(UTC).isoformat()}"'
