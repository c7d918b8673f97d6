"""The event stream of a project: append in batches, read after a position, follow live.

`seq` is allocated per project, without gaps and in commit order (migration `agent_jobs`), so that
`seq > last_seen order by seq` misses nothing and repeats nothing. How many readers follow one stream live
without a query each is the matter of `studio.event_hub`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from psycopg.rows import DictRow

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.text import storable, storable_json
from studio.tracing import ids

EventType = Literal["status", "log", "delta", "tool_call", "tool_result", "artifact", "done"]

CHANNEL = "agent_job_events"
PAGE = 500


@dataclass(frozen=True)
class Event:
    """A row of `agent_job_events`; `agent` is the key of the agent that its job is for."""

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
    agent: str = ""

    @property
    def trace_id(self) -> UUID:
        """The trace of the attempt that it belongs to; the column of this name says the same."""
        return ids.of_claim(self.job_id, self.claim_no)


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
    # Here and below a sub-select and no join: looked up by its key, whatever the planner thinks of the tables' sizes.
    rows = db.fetch_all(
        "select e.seq, e.id, e.project_id, e.job_id, e.type, e.message, e.data, e.attempt, e.claim_no, e.created_at,"
        " (select j.agent_key from public.agent_jobs j where j.id = e.job_id) as agent"
        " from public.agent_job_events e where e.project_id = %(project)s and e.seq > %(seq)s"
        " and (%(job)s::uuid is null or e.job_id = %(job)s) order by e.seq limit %(limit)s",
        {"project": project_id, "seq": seq, "job": job_id, "limit": limit},
    )
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


def last_seqs(conn: Connection, project_ids: Collection[UUID]) -> dict[UUID, int]:
    """Return the last allocated seq of each project, in one statement; 0 where it has no event yet."""
    rows = conn.execute(
        "select project_id, last_seq from public.project_event_counters where project_id = any(%s)",
        [list(project_ids)],
    ).fetchall()
    return {**dict.fromkeys(project_ids, 0), **{row["project_id"]: int(row["last_seq"]) for row in rows}}


def read_after_each(conn: Connection, positions: Mapping[UUID, int], *, limit: int = PAGE) -> dict[UUID, list[Event]]:
    """Return, for each project with any, its events after its position, in order, at most `limit`; in one statement."""
    rows = conn.execute(
        "select e.seq, e.id, e.project_id, e.job_id, e.type, e.message, e.data, e.attempt, e.claim_no, e.created_at,"
        " (select j.agent_key from public.agent_jobs j where j.id = e.job_id) as agent"
        " from unnest(%s::uuid[], %s::bigint[]) as wanted (project_id, seq) cross join lateral ("
        "   select * from public.agent_job_events e where e.project_id = wanted.project_id and e.seq > wanted.seq"
        "   order by e.seq limit %s) e order by e.project_id, e.seq",
        [list(positions), list(positions.values()), limit],
    ).fetchall()
    found: dict[UUID, list[Event]] = {}
    for row in rows:
        found.setdefault(row["project_id"], []).append(_event(row))
    return found


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

    For a process that follows one stream: it has a listener and a hub for as long as it lasts. Where there are
    several, share one hub and see `EventHub.follow`. `poll_seconds` is the longest pause between two looks, and
    without `listen` the usual one. Raises `DatabaseError` only where the first connection fails.
    """
    # They read by what stands above.
    from studio.event_hub import EventHub
    from studio.listener import POLL_SECONDS, SAFETY_POLL_SECONDS, Listener

    # The pool would try for half a minute before it says so.
    db.connect().close()
    poll = POLL_SECONDS if poll_seconds is None else poll_seconds
    net = SAFETY_POLL_SECONDS if poll_seconds is None else poll_seconds
    with Listener(db, listen=listen, poll_seconds=poll) as listener:
        with EventHub(db, listener, safety_poll_seconds=net) as hub:
            yield from hub.follow(project_id, after, job_id=job_id, stop=stop)
