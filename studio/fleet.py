"""Workers on several machines, as the database knows them: what each offers, and who has taken which run.

The face of `20260308000100_fleet_workers.sql`. Whether a worker lives is told by the database's clock alone, so that
the clocks of its machine and of ours may be off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg.types.json import Jsonb

from studio.database.connection import Database
from studio.database.patience import patiently
from studio.job_types import Lane

# What the rows of ours in `worker_heartbeats` are called; other makes have other names.
SERVICE = "greenlight-celery"
# One lost heartbeat, and one that came late, are no death.
HEARTBEATS_OF_A_LIFE = 4

Status = Literal["running", "draining", "stopped", "error"]


@dataclass(frozen=True)
class Worker:
    """A worker of the fleet. `seconds_ago` is when it was last heard of; it `lives` where that is recent enough."""

    worker_id: str
    status: Status
    lane: str
    slots: int
    running: int
    done: int
    host: str
    build: str
    started_at: datetime
    seconds_ago: float
    lives: bool


@dataclass(frozen=True)
class Take:
    """Who has taken a run, and how that ended; `ending` is None while it goes on."""

    worker_id: str
    host: str
    pid: int | None
    process_start: str | None
    taken_at: datetime
    ending: str | None


def life(heartbeat_seconds: float) -> timedelta:
    """Return for how long a worker counts as alive after its last heartbeat."""
    return timedelta(seconds=heartbeat_seconds * HEARTBEATS_OF_A_LIFE)


def report(db: Database, worker_id: str, status: Status, details: Mapping[str, Any], rss_mb: float | None) -> None:
    """Say that a worker lives. `details` has `lane`, `slots`, `host`, `process`, `running`, `done` and `build`."""
    db.execute("select public.report_worker(%s, %s, %s, %s, %s)", [worker_id, SERVICE, status, Jsonb(details), rss_mb])


def offered_slots(db: Database, lane: Lane, heartbeat_seconds: float) -> int:
    """Return how many processes the living workers of `lane` have, busy or not."""
    row = db.fetch_one("select public.offered_slots(%s, %s, %s) as slots", [SERVICE, lane, life(heartbeat_seconds)])
    return int(row["slots"]) if row else 0


def claimable_slots(db: Database, lane: Lane, heartbeat_seconds: float) -> int:
    """Return how many jobs of `lane` may run at once; 0 where no living worker serves it.

    Runs at workers that drain or are lost take none of the others' processes, and so are counted in.
    """
    row = db.fetch_one("select public.claimable_slots(%s, %s, %s) as slots", [SERVICE, lane, life(heartbeat_seconds)])
    return int(row["slots"]) if row else 0


def workers(db: Database, heartbeat_seconds: float) -> list[Worker]:
    """Return the workers that were heard of within the last day, by lane and name."""
    rows = db.fetch_all(
        "select worker_id, status, started_at, details, last_seen_at > now() - %s as lives,"
        " greatest(extract(epoch from now() - last_seen_at), 0)::float8 as seconds_ago"
        " from public.worker_heartbeats"
        " where service_name = %s and last_seen_at > now() - interval '1 day'"
        " order by details ->> 'lane', worker_id",
        [life(heartbeat_seconds), SERVICE],
    )
    return [_worker(row) for row in rows]


def _worker(row: Mapping[str, Any]) -> Worker:
    details = row["details"]
    return Worker(
        worker_id=row["worker_id"],
        status=row["status"],
        lane=str(details.get("lane", "")),
        slots=int(details.get("slots", 0)),
        running=int(details.get("running", 0)),
        done=int(details.get("done", 0)),
        host=str(details.get("host", "")),
        build=str(details.get("build", "")),
        started_at=row["started_at"],
        seconds_ago=row["seconds_ago"],
        lives=row["lives"] and row["status"] != "stopped",
    )


def forget(db: Database, worker_id: str) -> bool:
    """Forget a worker that will not come back; return whether there was one."""
    return (
        db.execute(
            "delete from public.worker_heartbeats where worker_id = %s and service_name = %s", [worker_id, SERVICE]
        )
        > 0
    )


def take(
    db: Database, run_id: str, worker_id: str, host: str, pid: int | None, process_start: str | None = None
) -> bool:
    """Take a run off the broker; False where somebody has taken it before. A database that is away is waited for.

    `process_start` tells the process from a later one with its number: those of containers come again.
    """
    who = [worker_id, host, pid, process_start]

    def ask() -> bool:
        row = db.fetch_one("select public.take_run(%s, %s, %s, %s, %s) as taken", [run_id, *who])
        return bool(row and row["taken"])

    return patiently(ask)


def end_take(db: Database, run_id: str, worker_id: str, ending: str) -> bool:
    """Note how a taken run ended; False where that is known already."""

    def note() -> bool:
        row = db.fetch_one("select public.end_run_take(%s, %s, %s) as noted", [run_id, worker_id, ending])
        return bool(row and row["noted"])

    return patiently(note)


def take_of(db: Database, run_id: str) -> Take | None:
    """Return who has taken the run; None where nobody has yet."""
    row = db.fetch_one(
        "select worker_id, host, pid, process_start, taken_at, ending from public.run_takes where run_id = %s", [run_id]
    )
    return Take(**row) if row else None


def without_worker(db: Database, run_ids: Sequence[str], heartbeat_seconds: float) -> dict[str, str]:
    """Return those of the runs whose take has ended, or whose worker no longer lives, each with what became of it."""
    rows = db.fetch_all(
        "select t.run_id, t.worker_id, t.ending from public.run_takes t where t.run_id = any (%s)"
        " and (t.ended_at is not null or not exists (select from public.worker_heartbeats w"
        " where w.worker_id = t.worker_id and w.details ->> 'host' = t.host and w.status <> 'stopped'"
        " and w.last_seen_at > now() - %s))",
        [list(run_ids), life(heartbeat_seconds)],
    )
    return {row["run_id"]: row["ending"] or f"worker {row['worker_id']} is gone" for row in rows}


def untaken(db: Database, run_ids: Sequence[str]) -> list[str]:
    """Return those of the runs that nobody has taken."""
    rows = db.fetch_all(
        "select r.id from unnest(%s::text[]) r (id) where not exists"
        " (select from public.run_takes t where t.run_id = r.id)",
        [list(run_ids)],
    )
    return [row["id"] for row in rows]


def prune(db: Database, older_than: timedelta) -> int:
    """Forget runs that were taken, and workers that were heard of, longer ago; return how many of both."""
    return db.execute(
        "delete from public.run_takes where run_id in (select run_id from public.run_takes"
        " where taken_at < now() - %s order by taken_at limit 5000)",
        [older_than],
    ) + db.execute(
        "delete from public.worker_heartbeats where service_name = %s and last_seen_at < now() - %s",
        [SERVICE, older_than],
    )


def open_takes(db: Database, worker_id: str, host: str) -> list[tuple[str, int | None, str | None]]:
    """Return the runs that a worker has taken on the machine `host` and not ended, each with the process that has it.

    That is its number there, and what tells it from a later one of that number.
    """
    rows = db.fetch_all(
        "select run_id, pid, process_start from public.run_takes"
        " where worker_id = %s and host = %s and ended_at is null",
        [worker_id, host],
    )
    return [(row["run_id"], row["pid"], row["process_start"]) for row in rows]
