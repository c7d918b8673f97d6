"""The event stream of a project: append in batches, read after a position, follow live.

`seq` is allocated per project, without gaps and in commit order (migration `agent_jobs`), so that
`seq > last_seen order by seq` misses nothing and repeats nothing. A follower is woken by LISTEN where the
server allows it and looks by itself every so often in any case: behind a pooler in transaction mode,
polling alone carries it.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import DatabaseError
from studio.text import storable, storable_json

log = logging.getLogger(__name__)

EventType = Literal["status", "log", "delta", "tool_call", "tool_result", "artifact", "done"]

CHANNEL = "agent_job_events"
PAGE = 500
# Without LISTEN this is the whole latency of a follower; with it, the safety net for a lost wake-up.
POLL_SECONDS = 0.25
SAFETY_POLL_SECONDS = 5.0
# How long a follower waits before it connects again, doubling from the first to the second.
RECONNECT_SECONDS = (0.1, 5.0)


@dataclass(frozen=True)
class Event:
    """A row of `agent_job_events`."""

    seq: int
    id: UUID
    project_id: UUID
    job_id: UUID
    type: EventType
    message: str | None
    data: dict[str, Any]
    attempt: int
    claim_no: int
    created_at: datetime


@dataclass(frozen=True)
class NewEvent:
    """An event to append to a job's stream. One with an `id` is written once, however often it is sent."""

    type: EventType
    message: str | None = None
    data: dict[str, Any] | None = None
    id: UUID | None = None


def append(conn: Connection, job_id: UUID, events: Sequence[NewEvent], claim_no: int | None = None) -> None:
    """Append `events` in order, in the caller's transaction.

    With `claim_no` the write is fenced: `LeaseLost` where the claim is no longer current. Text that
    PostgreSQL cannot hold is made storable rather than lost, and what is no JSON stands as its text.
    """
    if not events:
        return
    payload = [
        {
            "type": event.type,
            "message": None if event.message is None else storable(event.message),
            "data": storable_json(event.data or {}),
            **({} if event.id is None else {"id": str(event.id)}),
        }
        for event in events
    ]
    with translated():
        conn.execute(
            "select public.append_agent_job_events(%s, %s::jsonb, %s)",
            [job_id, json.dumps(payload, default=str), claim_no],
        )


def read_after(
    db: Database, project_id: UUID, seq: int, *, job_id: UUID | None = None, limit: int = PAGE
) -> list[Event]:
    """Return the project's events after `seq`, in order, at most `limit`; only those of `job_id` where given."""
    with db.connection() as conn:
        return _read_after(conn, project_id, seq, job_id, limit)


def _read_after(conn: Connection, project_id: UUID, seq: int, job_id: UUID | None, limit: int) -> list[Event]:
    rows = conn.execute(
        "select seq, id, project_id, job_id, type, message, data, attempt, claim_no, created_at"
        " from public.agent_job_events where project_id = %(project)s and seq > %(seq)s"
        " and (%(job)s::uuid is null or job_id = %(job)s) order by seq limit %(limit)s",
        {"project": project_id, "seq": seq, "job": job_id, "limit": limit},
    ).fetchall()
    return [_event(row) for row in rows]


def _event(row: DictRow) -> Event:
    # The column takes any JSON, and other clients write to it.
    data = row["data"] if isinstance(row["data"], dict) else {"value": row["data"]}
    return Event(**{**row, "data": data})


def last_seq(db: Database, project_id: UUID) -> int:
    """Return the project's last allocated seq, 0 where it has no event yet."""
    row = db.fetch_one("select last_seq from public.project_event_counters where project_id = %s", [project_id])
    return int(row["last_seq"]) if row else 0


def last_seq_of_job(db: Database, job_id: UUID) -> int:
    """Return the seq of the job's last event, 0 where it has none."""
    row = db.fetch_one("select max(seq) as seq from public.agent_job_events where job_id = %s", [job_id])
    return int(row["seq"]) if row and row["seq"] is not None else 0


def follow(
    db: Database,
    project_id: UUID,
    after: int = 0,
    *,
    job_id: UUID | None = None,
    listen: bool = True,
    stop: Callable[[], bool] = lambda: False,
    poll_seconds: float | None = None,
) -> Iterator[Event]:
    """Yield every event after seq `after`, each once and in order, as they are committed, until `stop()` is true.

    A broken connection is made again and the stream goes on where it was; `stop` is looked at between
    batches and at every wake-up. Raises `DatabaseError` only where the first connection fails.
    """
    pause = poll_seconds if poll_seconds is not None else (SAFETY_POLL_SECONDS if listen else POLL_SECONDS)
    delay = RECONNECT_SECONDS[0]
    conn: Connection | None = db.connect()
    try:
        fresh = True
        while True:
            try:
                if stop():
                    return
                if conn is None:
                    conn = db.connect()
                    fresh = True
                if fresh and listen:
                    conn.execute(f"listen {CHANNEL}")
                fresh = False
                # LISTEN first, then look: what was committed in between is found, what comes later wakes.
                while not stop() and (batch := _read_after(conn, project_id, after, job_id, PAGE)):
                    delay = RECONNECT_SECONDS[0]
                    for event in batch:
                        after = event.seq
                        yield event
                if stop():
                    return
                _wait(conn, project_id, pause, listen)
            except (psycopg.OperationalError, DatabaseError) as exc:
                log.warning("The event stream of project %s lost its connection: %s", project_id, exc)
                if conn is not None:
                    conn.close()
                conn = None
                time.sleep(delay * random.uniform(0.75, 1.25))  # noqa: S311 - jitter, not a secret
                delay = min(RECONNECT_SECONDS[1], delay * 2)
    finally:
        if conn is not None:
            conn.close()


def _wait(conn: Connection, project_id: UUID, seconds: float, listen: bool) -> None:
    if not listen:
        time.sleep(seconds)
        return
    for notify in conn.notifies(timeout=seconds):
        if notify.payload == str(project_id):
            return
