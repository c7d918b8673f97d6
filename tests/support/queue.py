"""Projects, jobs and claims for tests of the queue, and the look at what became of them.

Jobs are enqueued through the SQL function, under a job type of the tests' own, so that a test may choose
lane, payload and attempts freely. The Python side of enqueuing has its own tests.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg import sql

from studio import events, queue
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.errors import StudioError
from studio.events import NewEvent
from studio.queue import Job, NewJob
from tests.support.waiting import eventually

# No test comes near its end; a test that wants a lease to be over ends it by `expire_lease`.
LEASE = timedelta(hours=1)
# The pause after a failure whose next attempt a test does not wait for.
AT_ONCE = timedelta(0)

_names = itertools.count(1)


class Queued(NamedTuple):
    """The answer of the SQL function `enqueue_agent_job`."""

    job_id: UUID
    outcome: str
    status: str


def make_project(db: Database, **columns: Any) -> UUID:
    """Insert a project; `columns` override what every test project has."""
    row = {"owner_clerk_id": "owner", "name": f"Project {next(_names)}", "idea_description": "A tea shop.", **columns}
    statement = sql.SQL("insert into public.projects ({}) values ({}) returning id").format(
        sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(map(sql.Placeholder, row))
    )
    with db.connection() as conn:
        found = conn.execute(statement, row).fetchone()
    assert found is not None
    return UUID(str(found["id"]))


def enqueue_in(
    conn: Connection,
    project_id: UUID,
    key: str | None = None,
    payload: dict[str, Any] | None = None,
    *,
    lane: str | None = "standard",
    job_type: str = "test.work",
    priority: int = 0,
    run_after: datetime | None = None,
    max_attempts: int = 3,
) -> Queued:
    """Enqueue a job in the transaction of `conn`; without `key` under one of its own."""
    row = conn.execute(
        "select * from public.enqueue_agent_job(%s, %s, 'ceo', %s::jsonb, %s, %s, %s, %s, %s)",
        [
            project_id,
            job_type,
            json.dumps(payload or {}),
            key if key is not None else f"key-{next(_names)}",
            priority,
            run_after,
            max_attempts,
            lane,
        ],
    ).fetchone()
    assert row is not None
    return Queued(row["job_id"], row["outcome"], row["status"])


def enqueue(db: Database, project_id: UUID, key: str | None = None, payload: Any = None, **options: Any) -> UUID:
    """Enqueue a job and commit; see `enqueue_in`."""
    with db.transaction() as conn:
        return enqueue_in(conn, project_id, key, payload, **options).job_id


def enqueue_both(conn: Connection, *wanted: tuple[UUID, str]) -> list[str]:
    """Enqueue a job for each project and key in one batch; return the outcomes."""
    rows = ", ".join(
        f"jsonb_build_object('project_id', '{project}'::text, 'job_type', 'test.work', 'agent_key', 'ceo',"
        f" 'idempotency_key', '{key}'::text)"
        for project, key in wanted
    )
    statement: Any = f"select outcome from public.enqueue_agent_jobs(jsonb_build_array({rows})) order by ordinality"
    return [row["outcome"] for row in conn.execute(statement).fetchall()]


def phase0(project_id: UUID, **fields: Any) -> NewJob:
    """Return a Phase 0 job to be enqueued; `fields` are its own."""
    payload = {"ownerClerkId": "owner", **fields.pop("payload", {})}
    return NewJob("phase0.generate_packet", project_id, payload, **fields)


def insert_foreign(db: Database, project_id: UUID, job_type: str, payload: Any = None) -> UUID:
    """Insert a job as another client does: straight into the table, which checks neither type nor payload."""
    row = db.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, payload, idempotency_key)"
        " values (%s, %s, 'ceo', %s::jsonb, gen_random_uuid()::text) returning id",
        [project_id, job_type, json.dumps(payload or {})],
    )
    assert row is not None
    return UUID(str(row["id"]))


def set_lane(db: Database, lane: str, slots: int, project_limit: int) -> None:
    """Set how many jobs of `lane` may run, in all and for one project."""
    db.execute(
        "update public.agent_job_lanes set slots = %s, project_limit = %s where lane = %s",
        [slots, project_limit, lane],
    )


def claim_next(db: Database, worker: str = "worker", *, lane: Any = None, lease: timedelta = LEASE) -> Claim:
    """Claim the one job that is due, under a lease."""
    jobs = queue.claim(db, worker, limit=1, lane=lane, lease=lease)
    assert len(jobs) == 1, "no job could be claimed"
    return Claim(db, jobs[0])


def claim(db: Database, limit: int = 100, lane: Any = "standard", **options: Any) -> list[UUID]:
    """Claim up to `limit` jobs under a lease; return their ids, in the order in which they were given."""
    return [held.id for held in queue.claim(db, "worker", limit=limit, lane=lane, lease=LEASE, **options)]


def make_job(db: Database, status: str, key: str = "key", payload: Any = None) -> tuple[UUID, UUID]:
    """Make a job, with a finished step where it ever ran, and bring it to `status`; return project and job."""
    project = make_project(db)
    job_id = enqueue(db, project, key, payload)
    if status != "queued":
        claim = claim_next(db)
        claim.once("research", lambda: {"found": 3})
        if status == "completed":
            claim.complete()
        elif status == "failed":
            claim.fail("It broke.", permanent=True, retry_base=AT_ONCE)
        elif status == "canceled":
            claim.cancel("Not wanted.")
    return project, job_id


def running(db: Database, **options: Any) -> Claim:
    """Return a claim on a job of its own."""
    enqueue(db, make_project(db), **options)
    return claim_next(db)


def claim_foreign(db: Database, worker: str = "typescript", limit: int = 5) -> list[UUID]:
    """Claim as a worker of another client does: by the two arguments of the seed, without a lease."""
    rows = db.fetch_all("select id from public.claim_agent_jobs(%s, %s)", [worker, limit])
    return [row["id"] for row in rows]


def make_due(db: Database, job_id: UUID) -> None:
    """Let a queued job be due now, as if its backoff had passed."""
    db.execute("update public.agent_jobs set run_after = now() where id = %s", [job_id])


def expire_lease(db: Database, job_id: UUID) -> None:
    """Let the lease of a running job be over, as if its worker had been silent for long enough."""
    with db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        done = conn.execute(
            "update public.agent_jobs set leased_until = now() - interval '1 second'"
            " where id = %s and status = 'running' and leased_until is not null",
            [job_id],
        )
        assert done.rowcount == 1, f"job {job_id} holds no lease"


def lose(claim: Claim) -> None:
    """Let the worker of `claim` be lost, and its job be taken back."""
    expire_lease(claim.db, claim.job_id)
    assert queue.reclaim_stale(claim.db) == 1


def take_over(db: Database, stale: Claim, worker: str = "successor") -> Claim:
    """Let the holder of `stale` be lost and another worker have the job; return the new claim."""
    expire_lease(db, stale.job_id)
    queue.reclaim_stale(db)
    successor = claim_next(db, worker)
    assert successor.job_id == stale.job_id
    return successor


def append(claim: Claim) -> None:
    """Append a log event under the claim."""
    with claim.db.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("log", "I am still here.")], claim.claim_no)


def job(db: Database, job_id: UUID) -> Job:
    """Return the job as it is now."""
    return queue.get(db, job_id)


def statuses(db: Database, job_id: UUID) -> list[str]:
    """Return the messages of the job's status events, in order."""
    rows = db.fetch_all(
        "select message from public.agent_job_events where job_id = %s and type = 'status' order by seq", [job_id]
    )
    return [row["message"] for row in rows]


def steps(db: Database, job_id: UUID) -> list[str]:
    """Return the names of the job's saved steps."""
    rows = db.fetch_all("select step from public.agent_job_steps where job_id = %s order by step", [job_id])
    return [row["step"] for row in rows]


def last_status_event(db: Database, job_id: UUID) -> dict[str, Any]:
    """Return the job's latest status event: `message`, `data`, `attempt`, `claim_no`."""
    row = db.fetch_one(
        "select message, data, attempt, claim_no from public.agent_job_events"
        " where job_id = %s and type = 'status' order by seq desc limit 1",
        [job_id],
    )
    assert row is not None
    return row


def seqs(db: Database, project_id: UUID) -> list[int]:
    """Return the seqs of the project's events, in order."""
    rows = db.fetch_all("select seq from public.agent_job_events where project_id = %s order by seq", [project_id])
    return [row["seq"] for row in rows]


def count(db: Database, table: str) -> int:
    """Return how many rows a table has."""
    with db.connection() as conn:
        row = conn.execute(f"select count(*)::int as n from public.{table}".encode()).fetchone()
    assert row is not None
    return int(row["n"])


def everything(db: Database, job_id: UUID) -> dict[str, Any]:
    """Return all that belongs to a job, row by row: equal before and after is nothing changed."""
    return {
        "job": db.fetch_all("select * from public.agent_jobs where id = %s", [job_id]),
        "events": db.fetch_all("select * from public.agent_job_events where job_id = %s order by seq", [job_id]),
        "steps": db.fetch_all("select * from public.agent_job_steps where job_id = %s order by step", [job_id]),
        "calls": db.fetch_all("select * from public.model_calls where job_id = %s order by id", [job_id]),
        "budgets": db.fetch_all("select * from public.project_budgets order by project_id"),
    }


class InBackground:
    """Runs one function in a thread of its own and hands back what it returned or raised."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._answer: Any = None
        self._error: psycopg.Error | StudioError | AssertionError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._answer = self._work()
        except (psycopg.Error, StudioError, AssertionError) as exc:
            self._error = exc

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return not self._thread.is_alive()

    def result(self, timeout: float = 60.0) -> Any:
        """Wait for the end; return the answer, or raise what was raised."""
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "the background work has not ended"
        if self._error is not None:
            raise self._error
        return self._answer


@contextlib.contextmanager
def separate_connection(db: Database) -> Iterator[Connection]:
    """Lend a connection of its own, for a transaction that stays open while others work."""
    conn = db.connect()
    try:
        yield conn
    finally:
        conn.close()


def wait_until_blocked(db: Database, pid: int) -> None:
    """Return when the session `pid` waits for a lock that another session holds."""
    eventually(
        lambda: db.fetch_one("select cardinality(pg_blocking_pids(%s)) > 0 as blocked", [pid]) == {"blocked": True},
        what=f"session {pid} waiting for a lock",
    )
