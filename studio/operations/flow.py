"""What goes through the queue: how much of it, how fast, and how it ends, per job type and per lane.

Jobs are counted in the queue itself, whether they are traced or not. What a trace alone knows, the single attempt and
its times, is counted in the traces, and missing where tracing is off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from psycopg.rows import DictRow

from studio.database.connection import Connection
from studio.worker_health import LaneHealth


class PerMinute(NamedTuple):
    """How many a minute, in the mean of the last five minutes and of the last hour."""

    five_minutes: float
    hour: float


class Quantiles(NamedTuple):
    """Milliseconds that half, 95 and 99 of a hundred stay within."""

    p50: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Flow:
    """What goes through of one kind, `name`: a job type or a lane.

    `due` are the queued jobs whose time has come, the oldest of them for `oldest_due_seconds`. `completed`, `failed`
    and `canceled` are the jobs that ended so in the last hour. `attempts` are the traced attempts that ended in it,
    `errors`, `lost` and `cancelled` among them; `error_rate` is the share of errors and lost ones, None without any
    attempt. The quantiles are those of the attempts that went well in the last 24 hours: from when the job was due to
    its end, and of that what it waited for a worker.
    """

    name: str
    running: int
    queued: int
    due: int
    oldest_due_seconds: float
    started_per_minute: PerMinute
    completed_per_minute: PerMinute
    completed: int
    failed: int
    canceled: int
    attempts: int
    errors: int
    lost: int
    cancelled: int
    error_rate: float | None
    duration_ms: Quantiles | None
    queue_ms: Quantiles | None


@dataclass(frozen=True)
class LaneFlow(Flow):
    """What goes through a lane, and how full it is: `saturation` is the share of its `slots` that work.

    `takeable` are due jobs for which a slot is free, the oldest of them for `late_seconds`.
    """

    slots: int
    saturation: float
    takeable: int
    late_seconds: float


# By `run_after`, which the index has beside the status: the table grows for ever, and monitors ask every few seconds.
# What waited for more than a day before it was taken is not counted once it has ended.
_JOBS: LiteralString = """
select job_type, lane,
  count(*) filter (where status = 'running')::int as running,
  count(*) filter (where status = 'queued')::int as queued,
  count(*) filter (where status = 'queued' and run_after <= now())::int as due,
  coalesce(extract(epoch from now() - min(greatest(run_after, created_at))
    filter (where status = 'queued' and run_after <= now())), 0)::float8 as oldest_due_seconds,
  count(*) filter (where test is null and started_at > now() - interval '5 minutes')::int as started_5m,
  count(*) filter (where test is null and started_at > now() - interval '1 hour')::int as started,
  count(*) filter (where status = 'completed' and completed_at > now() - interval '5 minutes')::int as completed_5m,
  count(*) filter (where status = 'completed' and completed_at > now() - interval '1 hour')::int as completed,
  count(*) filter (where status = 'failed' and completed_at > now() - interval '1 hour')::int as failed,
  count(*) filter (where status = 'canceled' and completed_at > now() - interval '1 hour')::int as canceled
from public.agent_jobs left join (select job_id as test from public.synthetic_jobs) s on test = id
where status in ('queued', 'running')
  or (status in ('completed', 'failed', 'canceled') and run_after > now() - interval '1 day' and test is null)
group by job_type, lane
"""
# By `created_at`, which the index has: no attempt takes a day.
_ATTEMPTS: LiteralString = """
select pipeline_name as job_type, lane,
  count(*) filter (where end_time > now() - interval '1 hour')::int as attempts,
  count(*) filter (where status = 'error' and end_time > now() - interval '1 hour')::int as errors,
  count(*) filter (where status = 'lost' and end_time > now() - interval '1 hour')::int as lost,
  count(*) filter (where status = 'cancelled' and end_time > now() - interval '1 hour')::int as cancelled,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by duration_ms) filter (where status = 'ok') as duration,
  percentile_cont(array[0.5, 0.95, 0.99]) within group (order by queue_ms) filter (where status = 'ok') as queue
from public.pipeline_traces
where created_at > now() - interval '1 day' and end_time is not null and kind = 'job'
group by grouping sets ((pipeline_name), (lane))
"""
_SUMMED = ("running", "queued", "due", "started_5m", "started", "completed_5m", "completed", "failed", "canceled")


def look_in(conn: Connection, lanes: Iterable[LaneHealth]) -> tuple[list[Flow], list[LaneFlow]]:
    """Return what goes through per job type and per lane, in the caller's transaction; `lanes` are all there are.

    A job type is there that has been seen in the last 24 hours. Synthetic runs are left out, because some of them fail
    on purpose; only what runs and waits of them is counted, for it takes slots like any other.
    """
    jobs = conn.execute(_JOBS).fetchall()
    attempts = conn.execute(_ATTEMPTS).fetchall()
    of_type = {row["job_type"]: row for row in attempts if row["job_type"] is not None}
    of_lane = {row["lane"]: row for row in attempts if row["lane"] is not None}
    names = sorted({row["job_type"] for row in jobs} | set(of_type))
    types = [Flow(**_figures(name, _of("job_type", name, jobs), of_type.get(name))) for name in names]
    flows = [
        LaneFlow(
            **_figures(one.lane, _of("lane", one.lane, jobs), of_lane.get(one.lane)),
            slots=one.slots,
            saturation=one.running / one.slots if one.slots else 0.0,
            takeable=one.takeable,
            late_seconds=one.late_seconds,
        )
        for one in lanes
    ]
    return types, flows


def _of(column: str, name: str, jobs: Iterable[DictRow]) -> list[DictRow]:
    return [row for row in jobs if row[column] == name]


def _figures(name: str, jobs: list[DictRow], attempts: Mapping[str, Any] | None) -> dict[str, Any]:
    counted = {column: sum(row[column] for row in jobs) for column in _SUMMED}
    seen = attempts or {}
    ended = seen.get("attempts", 0)
    return {
        "name": name,
        **{column: counted[column] for column in ("running", "queued", "due", "completed", "failed", "canceled")},
        "oldest_due_seconds": max((row["oldest_due_seconds"] for row in jobs), default=0.0),
        "started_per_minute": PerMinute(counted["started_5m"] / 5, counted["started"] / 60),
        "completed_per_minute": PerMinute(counted["completed_5m"] / 5, counted["completed"] / 60),
        **{column: seen.get(column, 0) for column in ("attempts", "errors", "lost", "cancelled")},
        "error_rate": (seen["errors"] + seen["lost"]) / ended if ended else None,
        "duration_ms": _quantiles(seen.get("duration")),
        "queue_ms": _quantiles(seen.get("queue")),
    }


def _quantiles(found: list[float | None] | None) -> Quantiles | None:
    # Without any row the array is null; with rows that have no value, its elements are.
    if found is None or any(value is None for value in found):
        return None
    return Quantiles(*(value for value in found if value is not None))
