"""Send jobs that do nothing, wait for them, and ask what became of them.

A latency runs from the moment right before the COMMIT of the job's row is sent, so the commit itself is part of
it, to the first line of the op. Both are read off the wall clock of one machine: the sender has to run on the
machine on which the runs do.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from studio import queue, tenants
from studio.database.connection import Database
from studio.errors import StackError
from studio.job_types import BENCH_STARTED_AT
from studio.queue import NewJob

POLL_SECONDS = 0.05


class Sent(NamedTuple):
    """A job that was enqueued, and when (Unix seconds)."""

    job_id: UUID
    at: float


class Outcome(NamedTuple):
    """What became of a job. Moments are Unix seconds, None where it did not get that far."""

    status: str
    error: str | None
    sent_at: float
    began_at: float | None
    ended_at: float | None

    def latency(self, now: float) -> float:
        """Return the seconds until the op began; of one that has not begun, how long it has waited until `now`."""
        return (self.began_at if self.began_at is not None else now) - self.sent_at


def send(db: Database, jobs: Sequence[NewJob]) -> list[Sent]:
    """Enqueue `jobs` in one transaction."""
    with db.transaction() as conn:
        # It is the operator's own load, in a project of its own.
        tenants.lift_limits(conn)
        enqueued = queue.enqueue_many(conn, jobs)
        at = time.time()
    return [Sent(job.job_id, at) for job in enqueued]


def wait(db: Database, sent: Sequence[Sent], seconds: float) -> bool:
    """Wait until all jobs have ended; return False where some have not after `seconds`."""
    deadline = time.monotonic() + seconds
    while unfinished(db, sent):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def unfinished(db: Database, sent: Sequence[Sent]) -> int:
    """Return how many jobs have not ended yet."""
    row = db.fetch_one(
        "select count(*) as n from public.agent_jobs where id = any (%s) and status in ('queued', 'running')",
        [[job.job_id for job in sent]],
    )
    return int(row["n"]) if row else 0


def outcomes(db: Database, sent: Sequence[Sent]) -> list[Outcome]:
    """Return what became of the jobs, in their order. Raise `StackError` where one has failed."""
    rows = {
        row["id"]: row
        for row in db.fetch_all(
            "select j.id, j.status, j.last_error, (s.output ->> %s)::float8 as began_at,"
            " extract(epoch from j.completed_at)::float8 as ended_at"
            " from public.agent_jobs j left join public.agent_job_steps s on s.job_id = j.id where j.id = any (%s)",
            [BENCH_STARTED_AT, [job.job_id for job in sent]],
        )
    }
    found = [
        Outcome(row["status"], row["last_error"], job.at, row["began_at"], row["ended_at"])
        for job in sent
        if (row := rows.get(job.job_id)) is not None
    ]
    for outcome in found:
        if outcome.status == "failed":
            raise StackError(
                f"A job that does nothing has failed: {outcome.error}.",
                "See `greenlight doctor`, and whether the stack runs this version of Greenlight.",
            )
    return found
