"""Whether anybody works: told from the queue itself, and from heartbeats where workers write some.

Runs on one machine write no heartbeats: that somebody carries them out is seen by what is taken. Work that could be
taken and is not, and leases that ended without anybody noticing, say that nobody is there (domain specification §12).
The workers of a fleet say that they live (`studio.fleet`), and how much of a lane can be taken is what they offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from studio import fleet
from studio.database.connection import Connection, Database

Status = Literal["ok", "degraded", "down"]
WORSE: tuple[Status, ...] = ("ok", "degraded", "down")

# A claim takes milliseconds, and a daemon that starts some seconds.
LATE_SECONDS = 30
# Domain specification §12. Stale leases are looked for every minute.
STALE_SECONDS = 120


@dataclass(frozen=True)
class LaneHealth:
    """A lane. `takeable` are due jobs for which a slot is free; the oldest has been for `late_seconds`."""

    lane: str
    slots: int
    running: int
    queued: int
    due: int
    takeable: int
    late_seconds: float


@dataclass(frozen=True)
class Failures:
    """How many jobs of a type have failed for good in the last hour."""

    job_type: str
    count: int


@dataclass(frozen=True)
class Heartbeat:
    """A worker that says by itself that it lives."""

    worker_id: str
    service_name: str
    status: str
    seconds_ago: float


@dataclass(frozen=True)
class WorkerHealth:
    """All of it. `problems` say in words why the status is not ok."""

    status: Status
    problems: list[str]
    at: datetime
    lanes: list[LaneHealth]
    expired_leases: int
    oldest_expired_seconds: float
    last_claim_at: datetime | None
    completed_last_hour: int
    failures_last_hour: list[Failures]
    heartbeats: list[Heartbeat]


# A due job that its project's, its owner's or its lane's limit holds back waits for no worker. Of those that could be
# taken the oldest is the first in line, so a free slot beside it means that nobody looks. A lane that no worker of a
# fleet serves has no slots, and what is due in it waits for one.
_LANES = """
with offered as (
  select details ->> 'lane' as lane, coalesce(sum((details ->> 'slots')::integer) filter (
    where status = 'running' and last_seen_at > now() - make_interval(secs => %(late)s)), 0)::integer as slots
  from public.worker_heartbeats
  where service_name = %(service)s and status <> 'stopped' and last_seen_at > now() - interval '1 day'
  group by details ->> 'lane'
), lanes as (
  select l.lane, case when exists (select from offered) then coalesce(o.slots, 0) else l.slots end as slots,
    exists (select from offered) as of_fleet,
    l.project_limit, l.owner_limit
  from public.agent_job_lanes l left join offered o using (lane)
), at_work as (
  select lane, project_id, count(*)::int as n from public.agent_jobs where status = 'running' group by lane, project_id
), owners as (
  select a.lane, p.owner_clerk_id as owner, sum(a.n) as n from at_work a join public.projects p on p.id = a.project_id
  where p.owner_clerk_id <> 'system' group by 1, 2
), waiting as (
  select j.lane, j.run_after <= now() as due,
         j.run_after <= now() and coalesce(w.n, 0) < l.project_limit
           and (l.owner_limit is null or coalesce(o.n, 0) < l.owner_limit) as free,
         greatest(j.run_after, j.created_at) as since
  from public.agent_jobs j
  join lanes l on l.lane = j.lane
  left join at_work w on w.lane = j.lane and w.project_id = j.project_id
  join public.projects p on p.id = j.project_id
  left join owners o on o.lane = j.lane and o.owner = p.owner_clerk_id
  where j.status = 'queued'
)
select l.lane, l.slots, coalesce(r.running, 0)::int as running, coalesce(q.queued, 0)::int as queued,
       coalesce(q.due, 0)::int as due,
       case when coalesce(r.running, 0) < l.slots or (l.of_fleet and l.slots = 0) then coalesce(q.free, 0)
            else 0 end::int as takeable,
       case when coalesce(r.running, 0) < l.slots or (l.of_fleet and l.slots = 0) then coalesce(q.late, 0)
            else 0 end::float8 as late_seconds
from lanes l
left join (select lane, sum(n) as running from at_work group by lane) r on r.lane = l.lane
left join (
  select lane, count(*) as queued, count(*) filter (where due) as due, count(*) filter (where free) as free,
         extract(epoch from now() - min(since) filter (where free)) as late
  from waiting group by lane
) q on q.lane = l.lane
order by l.lane
"""
_LEASES = """
select now() as at, count(*) filter (where leased_until < now())::int as expired,
       coalesce(extract(epoch from now() - min(leased_until) filter (where leased_until < now())), 0)::float8 as oldest
from public.agent_jobs where status = 'running'
"""
# By `run_after`, which the index has beside the status: the table grows for ever, and monitors ask every minute. What
# waited for more than a day before it was taken is not counted.
_LAST_HOUR = """
select count(*) filter (where status = 'completed' and completed_at > now() - interval '1 hour')::int as completed,
       max(started_at) as last_claim
from public.agent_jobs
where status in ('running', 'completed', 'failed', 'canceled') and run_after > now() - interval '1 day'
"""
_FAILURES = """
select job_type, count(*)::int as count from public.agent_jobs
where status = 'failed' and run_after > now() - interval '1 day' and completed_at > now() - interval '1 hour'
group by job_type order by count desc, job_type
"""
_HEARTBEATS = """
select worker_id, service_name, status, greatest(extract(epoch from now() - last_seen_at), 0)::float8 as seconds_ago
from public.worker_heartbeats where status <> 'stopped' and last_seen_at > now() - interval '1 day'
order by last_seen_at desc, worker_id limit 100
"""


def look(db: Database) -> WorkerHealth:
    """Return how the work fares now, by the database's clock."""
    with db.transaction() as conn:
        return look_in(conn)


def look_in(conn: Connection) -> WorkerHealth:
    """Return how the work fares, in the caller's transaction."""
    of_fleet = {"service": fleet.SERVICE, "late": LATE_SECONDS}
    lanes = [LaneHealth(**row) for row in conn.execute(_LANES, of_fleet).fetchall()]
    leases = _one(conn, _LEASES)
    hour = _one(conn, _LAST_HOUR)
    failures = [Failures(**row) for row in conn.execute(_FAILURES).fetchall()]
    heartbeats = [Heartbeat(**row) for row in conn.execute(_HEARTBEATS).fetchall()]
    found = problems(lanes, leases["expired"], leases["oldest"], heartbeats)
    return WorkerHealth(
        status=max((status for status, _ in found), key=WORSE.index, default="ok"),
        problems=[words for _, words in found],
        at=leases["at"],
        lanes=lanes,
        expired_leases=leases["expired"],
        oldest_expired_seconds=leases["oldest"],
        last_claim_at=hour["last_claim"],
        completed_last_hour=hour["completed"],
        failures_last_hour=failures,
        heartbeats=heartbeats,
    )


def problems(
    lanes: list[LaneHealth], expired: int, oldest: float, heartbeats: list[Heartbeat]
) -> list[tuple[Status, str]]:
    """Return in words what is not as it should be, each with the status that it means.

    `expired` leases have ended, the first of them `oldest` seconds ago.
    """
    found: list[tuple[Status, str]] = []
    for lane in lanes:
        if lane.late_seconds > LATE_SECONDS:
            status: Status = "down" if lane.late_seconds > STALE_SECONDS else "degraded"
            found.append((status, f"Nobody takes work of lane {lane.lane}, since {lane.late_seconds:.0f} s."))
    if oldest > STALE_SECONDS:
        found.append(("degraded", f"{expired} jobs have lost their worker, and nobody takes them back."))
    stale = [beat for beat in heartbeats if beat.seconds_ago > STALE_SECONDS]
    if stale:
        all_of_them = len(stale) == len(heartbeats)
        found.append(("down" if all_of_them else "degraded", f"{len(stale)} of {len(heartbeats)} workers are silent."))
    return found


def _one(conn: Connection, query: str) -> dict[str, Any]:
    row = conn.execute(query.encode()).fetchone()
    assert row is not None  # noqa: S101 - an aggregate returns its row
    return row
