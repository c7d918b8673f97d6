"""Retention: traces go by age, their inputs and outputs sooner, and what went wrong or took long later.

| what | goes after |
|---|---|
| inputs and outputs of spans; their sizes and hashes stay | `trace_payload_days` |
| those of a failed trace's spans in which the error came up, or which were lost in flight | with their trace |
| traces with their spans, ended or not | `trace_retention_days` |
| traces that failed, were cancelled or lost, and slow outliers | `trace_error_days`, where that is later |
| spans whose trace is not there | a day |

A slow outlier took longer than 99 of a hundred attempts of its pipeline that went well in the week after it. It is
judged once, when its time comes, because nothing of that week has gone by then. What is kept says so in its attributes.

Everything goes in small batches, each a transaction of its own that waits for no lock, until the time of a sweep is
over: the next one takes the rest, and one that is stopped has done what it has done. Autovacuum gives the space back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any, LiteralString
from uuid import UUID

from studio.database.connection import Database
from studio.settings import Settings

# Even with large payloads such a batch holds its locks for far less than a tenth of a second.
SPANS_AT_ONCE = 250
TRACES_AT_ONCE = 100
# For so long a sweep deletes traces, deletes spans without one, and clears payloads, each: none waits for the others.
SECONDS_PER_SWEEP = 120.0
# How many traces are looked up in a sweep for spans that have none.
LOOKED_UP = 20_000
# Fewer attempts do not say what is slow.
ENOUGH_ATTEMPTS = 20
# The attribute of a trace that is kept for being slow; its value is the milliseconds that it was longer than.
SLOW = "greenlight.slower_than_ms"

_FIRST_MOMENT = datetime(1, 1, 1, tzinfo=UTC)
_FIRST_ID = UUID(int=0)


@dataclass(frozen=True)
class Swept:
    """What a sweep did: payloads cleared, traces and spans deleted, slow traces kept that would have gone."""

    payloads: int
    traces: int
    spans: int
    kept_slow: int


@dataclass(frozen=True)
class _Limits:
    """What is older goes: moments of the database's clock. Where errors' is the later one, they go with the rest."""

    payloads: datetime
    traces: datetime
    errors: datetime


_LIMITS: LiteralString = """
select now() - %(payloads)s::interval as payloads, now() - %(traces)s::interval as traces,
  now() - %(errors)s::interval as errors
"""
_USUAL: LiteralString = """
select pipeline_name, percentile_cont(0.99) within group (order by duration_ms) as p99
from public.pipeline_traces
where created_at >= %(from)s and created_at < %(from)s + interval '7 days' and status = 'ok' and kind = 'job'
group by pipeline_name having count(*) >= %(enough)s
"""
# In order and after a position, because what is kept is passed by only once.
_DUE: LiteralString = """
select trace_id, created_at, pipeline_name,
  case when status = 'ok' and kind = 'job' and created_at >= %(errors)s then duration_ms end as duration_ms
from public.pipeline_traces
where created_at < %(traces)s and (created_at, trace_id) > (%(after)s, %(after_id)s)
  and (created_at < %(errors)s or status in ('ok', 'running') and not attributes ? %(slow)s)
order by created_at, trace_id limit %(limit)s
"""
_KEEP: LiteralString = """
update public.pipeline_traces t set attributes = t.attributes || jsonb_build_object(%(slow)s::text, k.p99)
from unnest(%(traces)s::uuid[], %(p99)s::float8[]) k (trace_id, p99) where t.trace_id = k.trace_id
"""
_DELETE_SPANS: LiteralString = """
delete from public.pipeline_spans where ctid = any (array(
  select ctid from public.pipeline_spans where trace_id = any (%(traces)s) and created_at < now() - %(age)s::interval
  limit %(limit)s for update skip locked))
"""
_DELETE_TRACES: LiteralString = """
delete from public.pipeline_traces where ctid = any (array(
  select ctid from public.pipeline_traces where trace_id = any (%(traces)s) for update skip locked))
"""
_CLEAR: LiteralString = """
update public.pipeline_spans set input_data = null, output_data = null where ctid = any (array(
  select s.ctid from public.pipeline_spans s
  where (s.input_data is not null or s.output_data is not null)
    and s.start_time < %(payloads)s and s.start_time >= %(from)s
    and not ((s.fingerprint is not null or s.status = 'lost') and exists (
      select from public.pipeline_traces t where t.trace_id = s.trace_id and t.status not in ('ok', 'running')))
  order by s.start_time limit %(limit)s for update of s skip locked))
returning start_time
"""
# A step in the index for each trace that has spans, instead of a look at every span.
_WITHOUT_TRACE: LiteralString = """
with recursive seen as (
  select (select trace_id from public.pipeline_spans where trace_id >= %(from)s order by trace_id limit 1) as trace_id,
    1 as n
  union all
  select (select s.trace_id from public.pipeline_spans s where s.trace_id > seen.trace_id order by s.trace_id limit 1),
    n + 1
  from seen where trace_id is not null and n < %(limit)s
)
select trace_id from seen
where trace_id is not null and not exists (select from public.pipeline_traces t where t.trace_id = seen.trace_id)
"""
_SOMEWHERE: LiteralString = "select gen_random_uuid() as id"
_NO_AGE = timedelta(0)
_ORPHAN_AGE = timedelta(days=1)


def sweep(db: Database, settings: Settings) -> Swept:
    """Delete and clear what is older than the retention, as far as one sweep goes; return how much that was."""
    row = db.fetch_one(
        _LIMITS,
        {
            "payloads": timedelta(days=settings.trace_payload_days),
            "traces": timedelta(days=settings.trace_retention_days),
            "errors": timedelta(days=settings.trace_error_days),
        },
    )
    assert row is not None  # noqa: S101 - a select without a table returns its row
    limits = _Limits(**row)
    # Before the traces: what has just gone leaves entries in the index that a look-up has to step over.
    orphans = _sweep_orphans(db)
    traces, spans, kept = _sweep_traces(db, limits)
    return Swept(_clear_payloads(db, limits.payloads), traces, spans + orphans, kept)


def _sweep_traces(db: Database, limits: _Limits) -> tuple[int, int, int]:
    """Return how many traces and spans went, and how many traces turned out to be slow and stay."""
    found = db.fetch_all(_USUAL, {"from": limits.traces, "enough": ENOUGH_ATTEMPTS})
    usual: dict[str, float] = {row["pipeline_name"]: row["p99"] for row in found}
    traces = spans = kept = 0
    until = monotonic() + SECONDS_PER_SWEEP
    position: dict[str, Any] = {"after": _FIRST_MOMENT, "after_id": _FIRST_ID}
    while monotonic() < until:
        due = db.fetch_all(
            _DUE,
            {"traces": limits.traces, "errors": limits.errors, "slow": SLOW, "limit": TRACES_AT_ONCE, **position},
        )
        if not due:
            break
        position = {"after": due[-1]["created_at"], "after_id": due[-1]["trace_id"]}
        slow = {
            row["trace_id"]: usual[row["pipeline_name"]]
            for row in due
            if row["duration_ms"] is not None and row["duration_ms"] > usual.get(row["pipeline_name"], float("inf"))
        }
        if slow:
            kept += db.execute(_KEEP, {"slow": SLOW, "traces": list(slow), "p99": list(slow.values())})
        gone = [row["trace_id"] for row in due if row["trace_id"] not in slow]
        deleted, all_of_them = _delete_spans(db, gone, until)
        spans += deleted
        if all_of_them:
            traces += db.execute(_DELETE_TRACES, {"traces": gone})
    return traces, spans, kept


def _sweep_orphans(db: Database) -> int:
    """Delete spans whose project was deleted with its traces, or whose trace never came; return how many.

    It begins at another place each time, and trace ids are spread evenly: after some sweeps all have been looked up.
    """
    somewhere = db.fetch_one(_SOMEWHERE)
    assert somewhere is not None  # noqa: S101 - a select without a table returns its row
    deleted = 0
    until = monotonic() + SECONDS_PER_SWEEP
    for begin in (somewhere["id"], _FIRST_ID):
        found = db.fetch_all(_WITHOUT_TRACE, {"from": begin, "limit": LOOKED_UP // 2})
        missing = [row["trace_id"] for row in found]
        for at in range(0, len(missing), TRACES_AT_ONCE):
            part = missing[at : at + TRACES_AT_ONCE]
            deleted += _delete_spans(db, part, until, _ORPHAN_AGE)[0]
    return deleted


def _delete_spans(db: Database, traces: Sequence[UUID], until: float, age: timedelta = _NO_AGE) -> tuple[int, bool]:
    """Delete spans of traces that are older than `age`, until that moment of the clock that only goes forward.

    Return how many, and whether that is all.
    """
    deleted = 0
    while monotonic() < until:
        count = db.execute(_DELETE_SPANS, {"traces": list(traces), "age": age, "limit": SPANS_AT_ONCE})
        # Fewer than asked for may only mean that somebody changed a row in that moment. What somebody holds is passed
        # by: its trace may go before it, and it is an orphan then.
        if count == 0:
            return deleted, True
        deleted += count
    return deleted, False


def _clear_payloads(db: Database, before: datetime) -> int:
    cleared = 0
    reached = _FIRST_MOMENT
    until = monotonic() + SECONDS_PER_SWEEP
    while monotonic() < until:
        rows = db.fetch_all(_CLEAR, {"payloads": before, "from": reached, "limit": SPANS_AT_ONCE})
        if not rows:
            break
        cleared += len(rows)
        reached = max(row["start_time"] for row in rows)
    return cleared
