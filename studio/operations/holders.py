"""Who holds what: the workers, the jobs under their leases, and the job that has waited longest for one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString
from uuid import UUID

from studio.database.connection import Connection
from studio.settings import Settings

# Running jobs are as many as there are slots; more than this nobody reads.
LISTED = 100


@dataclass(frozen=True)
class Waiting:
    """A queued job whose time has come, `since` when and for how many `seconds`."""

    job_id: UUID
    job_type: str
    lane: str
    project_id: UUID
    since: datetime
    seconds: float


@dataclass(frozen=True)
class Lease:
    """A running job whose lease is about to end.

    Its run (`run_id`) has missed a renewal. Without one, its run should have begun long ago.
    """

    job_id: UUID
    job_type: str
    worker_id: str | None
    run_id: str | None
    seconds_left: float


@dataclass(frozen=True)
class Worker:
    """Who has claimed what runs: so many jobs, of which `launching` wait for their run to begin.

    `runs` are the Dagster runs that have, `last_claim_at` is when the newest of these jobs was claimed.
    """

    worker_id: str
    running: int
    launching: int
    runs: list[str]
    last_claim_at: datetime


_OLDEST: LiteralString = """
select id as job_id, job_type, lane, project_id, greatest(run_after, created_at) as since,
  extract(epoch from now() - greatest(run_after, created_at))::float8 as seconds
from public.agent_jobs where status = 'queued' and run_after <= now()
order by greatest(run_after, created_at), id limit 1
"""
# A renewal that is merely late is none that was missed. What has no run yet is not renewed at all.
_ENDING: LiteralString = """
select id as job_id, job_type, locked_by as worker_id, dagster_run_id as run_id,
  extract(epoch from leased_until - now())::float8 as seconds_left
from public.agent_jobs
where status = 'running' and leased_until > now() and leased_until - now() < make_interval(secs =>
  case when dagster_run_id is null then %(launching)s else %(running)s end)
order by leased_until, id limit %(listed)s
"""
_WORKERS: LiteralString = """
select coalesce(locked_by, 'unknown') as worker_id, count(*)::int as running,
  count(*) filter (where dagster_run_id is null)::int as launching,
  coalesce(array_agg(dagster_run_id order by started_at) filter (where dagster_run_id is not null), '{}') as runs,
  coalesce(max(started_at), max(locked_at), now()) as last_claim_at
from public.agent_jobs where status = 'running' group by 1 order by 1 limit %(listed)s
"""
# What is left of its lease when a run begins that takes a quarter longer than most do.
_LAUNCH_SHARE = 0.25


def oldest_waiting(conn: Connection) -> Waiting | None:
    """Return the job that has been due for longest, None where none is."""
    row = conn.execute(_OLDEST).fetchone()
    return None if row is None else Waiting(**row)


def leases_ending(conn: Connection, settings: Settings) -> list[Lease]:
    """Return the running jobs whose lease is about to end, the first to end first; those that have ended are not here.

    A run has missed a renewal when less than `lease_seconds - 2 * lease_renew_seconds` is left. Where a lease is no
    longer than two renewals, that is never, and nothing can be told before it ends.
    """
    running = max(0.0, settings.lease_seconds - 2 * settings.lease_renew_seconds)
    launching = settings.launch_lease_seconds * _LAUNCH_SHARE
    rows = conn.execute(_ENDING, {"running": running, "launching": launching, "listed": LISTED}).fetchall()
    return [Lease(**row) for row in rows]


def workers(conn: Connection) -> list[Worker]:
    """Return who holds the running jobs."""
    return [Worker(**row) for row in conn.execute(_WORKERS, {"listed": LISTED}).fetchall()]
