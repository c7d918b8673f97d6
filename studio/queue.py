"""The queue: one row of `agent_jobs` per piece of long work.

Every state change is a SQL function of `20260227000000_agent_jobs.sql`; this module is their typed face.
What a worker does under a claim it holds lies in `studio.claims`. Functions that take a `Connection` take
part in the caller's transaction.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar, cast
from uuid import UUID

import psycopg
from psycopg.rows import DictRow

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import Conflict, InvalidInput, NotFound
from studio.job_types import (
    LANES,
    SYSTEM_PROJECT_ID,
    Lane,
    ProjectPayload,
    dump_payload,
    job_type,
    parse_payload,
    require_handler,
    understood,
)
from studio.text import require_storable

log = logging.getLogger(__name__)

JobStatus = Literal["queued", "running", "completed", "failed", "canceled"]
Outcome = Literal["created", "existing", "revived"]
ENDED: frozenset[str] = frozenset({"completed", "failed", "canceled"})

# PostgreSQL's btree holds keys of up to about 2,700 bytes.
KEY_LIMIT = 500
# The column is a 32-bit integer; the registry's priorities lie between 0 and 200.
PRIORITY_LIMIT = 1_000_000
# Two enqueues of the same keys in opposite order are settled by the deadlock detector; three rounds are
# more than any real pair needs.
TRANSIENT_ROUNDS = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """A row of `agent_jobs`. Times are UTC, by the database's clock."""

    id: UUID
    project_id: UUID
    job_type: str
    agent_key: str
    status: JobStatus
    lane: Lane
    priority: int
    payload: dict[str, Any]
    payload_version: int
    idempotency_key: str
    run_after: datetime
    attempts: int
    max_attempts: int
    claim_no: int
    interruptions: int
    locked_by: str | None
    leased_until: datetime | None
    cancel_requested_at: datetime | None
    dagster_run_id: str | None
    last_error: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def ended(self) -> bool:
        """Whether the job has reached a final status."""
        return self.status in ENDED


_FIELDS = tuple(field.name for field in dataclasses.fields(Job))


def job_from_row(row: DictRow) -> Job:
    """Return the `Job` of a row of `agent_jobs`."""
    return Job(**{name: row[name] for name in _FIELDS})


@dataclass(frozen=True)
class NewJob:
    """A job to enqueue. `key`, `priority` and `max_attempts` default to the registry's."""

    job_type: str
    project_id: UUID
    payload: dict[str, Any] = dataclasses.field(default_factory=dict)
    key: str | None = None
    priority: int | None = None
    run_after: datetime | None = None
    max_attempts: int | None = None


@dataclass(frozen=True)
class Enqueued:
    """What became of an enqueue: which job it is, and whether it was created, was there, or was revived."""

    job_id: UUID
    outcome: Outcome
    status: JobStatus


def _prepare(new: NewJob, *, handler_required: bool) -> dict[str, Any]:
    kind = job_type(new.job_type)
    if handler_required:
        require_handler(kind)
    payload = parse_payload(kind, new.project_id, new.payload)
    if isinstance(payload, ProjectPayload) and new.project_id == SYSTEM_PROJECT_ID:
        raise InvalidInput(
            f"A job of type {kind.name} belongs to a project.", "Name one of `greenlight projects list`."
        )
    key = new.key if new.key is not None else kind.key(new.project_id, payload)
    require_storable(key, "the idempotency key")
    if not 0 < len(key) <= KEY_LIMIT:
        raise InvalidInput(f"An idempotency key has 1 to {KEY_LIMIT} characters, this one {len(key)}.", "Shorten it.")
    if new.priority is not None and abs(new.priority) > PRIORITY_LIMIT:
        raise InvalidInput(
            f"A priority lies between -{PRIORITY_LIMIT} and {PRIORITY_LIMIT}, not at {new.priority}.",
            "Leave it out, or choose another.",
        )
    if new.run_after is not None and new.run_after.tzinfo is None:
        raise InvalidInput("run_after has no time zone.", "Give it one, for instance a trailing Z.")
    return {
        "project_id": str(new.project_id),
        "job_type": kind.name,
        "agent_key": kind.agent_key,
        "payload": dump_payload(payload),
        "payload_version": kind.payload_version,
        "idempotency_key": key,
        "priority": kind.priority if new.priority is None else new.priority,
        "run_after": None if new.run_after is None else new.run_after.isoformat(),
        "max_attempts": kind.max_attempts if new.max_attempts is None else new.max_attempts,
        "lane": kind.lane,
    }


def enqueue_many(conn: Connection, jobs: Sequence[NewJob]) -> list[Enqueued]:
    """Enqueue `jobs` in the caller's transaction; the answers stand in the order of `jobs`.

    Raises `UnknownJobType`, `NoHandler`, `InvalidPayload` before anything is written, `NotFound` for an
    unknown project, `Conflict` where a key belongs to a job of another type.
    """
    rows = [_prepare(new, handler_required=True) for new in jobs]
    if not rows:
        return []
    with translated():
        found = conn.execute(
            "select * from public.enqueue_agent_jobs(%s::jsonb) order by ordinality", [json.dumps(rows)]
        ).fetchall()
    return [Enqueued(row["job_id"], row["outcome"], row["status"]) for row in found]


def enqueue(conn: Connection, new: NewJob) -> Enqueued:
    """Enqueue one job in the caller's transaction; see `enqueue_many`."""
    return enqueue_many(conn, [new])[0]


def claim(
    db: Database,
    worker_id: str,
    *,
    limit: int,
    lane: Lane | None,
    lease: timedelta,
    slots: int | None = None,
    project_limit: int | None = None,
    owner_limit: int | None = None,
) -> list[Job]:
    """Claim up to `limit` due jobs into free slots of `lane` (all lanes where None), each under `lease`.

    `slots`, `project_limit` and `owner_limit` override the lane's stored limits. What only a later release
    understands is left to its workers.
    """
    with db.connection() as conn, translated():
        rows = conn.execute(
            "select * from public.claim_agent_jobs(%s, %s, %s, %s, %s, %s, %s::jsonb, %s)",
            [worker_id, limit, lane, lease, slots, project_limit, json.dumps(understood()), owner_limit],
        ).fetchall()
    return [job_from_row(row) for row in rows]


def seconds_until_due(db: Database) -> float | None:
    """Return in how many seconds the next waiting job of any lane is due (0 at least), None where none waits."""
    row = db.fetch_one(
        "select extract(epoch from min(waits_until) - now())::float8 as seconds"
        " from public.agent_jobs where status = 'queued' and waits_until is not null"
    )
    return None if row is None or row["seconds"] is None else max(0.0, row["seconds"])


def get(db: Database, job_id: UUID) -> Job:
    """Return the job, or raise `NotFound`."""
    row = db.fetch_one("select * from public.agent_jobs where id = %s", [job_id])
    if row is None:
        raise NotFound(f"There is no job {job_id}.", "See `greenlight jobs list`.")
    return job_from_row(row)


def of_owner(db: Database, owner_clerk_id: str, job_id: UUID) -> Job:
    """Return the job where it is of a project of the owner's; raise `NotFound` for another one as for none."""
    row = db.fetch_one(
        "select j.* from public.agent_jobs j join public.projects p on p.id = j.project_id"
        " where j.id = %s and p.owner_clerk_id = %s",
        [job_id, owner_clerk_id],
    )
    if row is None:
        raise NotFound(f"There is no job {job_id}.", "See `greenlight jobs list`.")
    return job_from_row(row)


def find(
    db: Database, *, project_id: UUID | None = None, status: JobStatus | None = None, limit: int = 50
) -> list[Job]:
    """Return the newest jobs first, filtered by project and status."""
    rows = db.fetch_all(
        "select * from public.agent_jobs where (%(project)s::uuid is null or project_id = %(project)s)"
        " and (%(status)s::text is null or status = %(status)s) order by created_at desc, id limit %(limit)s",
        {"project": project_id, "status": status, "limit": limit},
    )
    return [job_from_row(row) for row in rows]


@dataclass(frozen=True)
class FinishedStep:
    """A step that a job has finished, and in which attempt."""

    step: str
    attempt: int
    duration_ms: int
    created_at: datetime


def finished_steps(db: Database, job_id: UUID) -> list[FinishedStep]:
    """Return the steps that a job has finished, in their order."""
    rows = db.fetch_all(
        "select step, attempt, duration_ms, created_at from public.agent_job_steps where job_id = %s"
        " order by created_at, step",
        [job_id],
    )
    return [FinishedStep(**row) for row in rows]


def cancel(db: Database, job_id: UUID, reason: str | None = None) -> str:
    """Cancel a job. Return `canceled`, `cancel_requested` (its run is being stopped), or the status it had ended in."""
    with db.connection() as conn, translated():
        row = conn.execute("select public.cancel_agent_job(%s, %s) as status", [job_id, reason]).fetchone()
    return cast("str", row["status"]) if row else ""


def retry(db: Database, job_id: UUID) -> Enqueued:
    """Put a failed or canceled job back in the queue as it is, with its finished steps.

    Raises `Conflict` where it has not ended so, `NoHandler` where nothing could run it.
    """
    job = get(db, job_id)
    with translated(), db.transaction() as conn:
        row = conn.execute("select * from public.revive_agent_job(%s)", [job_id]).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        if row["outcome"] != "revived":
            raise Conflict(
                f"Job {job_id} is {row['status']}; only a failed or canceled job can be retried.",
                "Cancel it first." if row["status"] in ("queued", "running") else "Enqueue it under a new key.",
            )
        require_handler(job_type(job.job_type))
    return Enqueued(job_id, row["outcome"], row["status"])


def reclaim_stale(db: Database) -> int:
    """Bring back the jobs whose worker is lost, and settle what those workers had reserved; return how many jobs."""
    with db.connection() as conn, translated():
        row = conn.execute("select public.reclaim_stale_jobs() as n").fetchone()
        conn.execute("select public.settle_abandoned_model_calls()")
    return int(row["n"]) if row else 0


def depth(db: Database) -> dict[str, dict[str, int]]:
    """Return how many jobs are queued and running per lane: `{lane: {"queued": n, "running": n}}`."""
    counts: dict[str, dict[str, int]] = {lane: {"queued": 0, "running": 0} for lane in LANES}
    for row in db.fetch_all(
        "select lane, status, count(*) as n from public.agent_jobs"
        " where status in ('queued', 'running') group by lane, status"
    ):
        counts.setdefault(row["lane"], {"queued": 0, "running": 0})[row["status"]] = row["n"]
    return counts


def transiently(work: Callable[[], T]) -> T:
    """Run `work`, a whole transaction, again where PostgreSQL broke a deadlock or a serialization conflict."""
    for round_number in range(1, TRANSIENT_ROUNDS + 1):
        try:
            return work()
        except (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure) as exc:
            if round_number == TRANSIENT_ROUNDS:
                raise
            log.info("The database broke a conflict between transactions; trying again: %s", exc)
            time.sleep(random.uniform(0.01, 0.05) * round_number)  # noqa: S311 - jitter, not a secret
    raise AssertionError("unreachable")
