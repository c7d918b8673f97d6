"""Sending soon: a job for mail that somebody waits for, rather than the next hour's."""

from __future__ import annotations

from uuid import UUID, uuid4

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.queue import NewJob, enqueue

DUE_MAIL = "email.process_due"
# The most that one job takes on; what is left gets a job of its own.
LIMIT = 1000


def send_after_leases(db: Database, *, after: UUID) -> UUID | None:
    """Have the mails that lost senders may still hold looked at when their leases are over; return the job, if any.

    `after` is the job that has just sent what it could get; it is followed by one such job.
    """
    with db.transaction() as conn:
        row = conn.execute(
            "select max(leased_until) as over from public.email_jobs where status = 'sending'"
        ).fetchone()
        if row is None or row["over"] is None:
            return None
        new = NewJob(
            DUE_MAIL,
            SYSTEM_PROJECT_ID,
            {"limit": LIMIT, "enroll": False},
            key=f"email_due:leases:{after}",
            run_after=row["over"],
        )
        return enqueue(conn, new).job_id


def send_soon(db: Database, *, after: UUID | None = None) -> UUID:
    """Make sure that a run of `email.process_due` begins after this moment; return its job.

    For the time after a commit: a job that waits now will see whatever has been queued by now, so that a hundred
    letters in a moment cause one job. `after` is the job that left mail behind, which is followed by one job. Neither
    looks for newcomers: the hourly round does.
    """
    with db.transaction() as conn:
        waiting = conn.execute(
            "select id from public.agent_jobs where project_id = %s and lane = 'standard' and job_type = %s"
            " and status = 'queued' and waits_until is null limit 1",
            [SYSTEM_PROJECT_ID, DUE_MAIL],
        ).fetchone()
        if waiting is not None:
            return UUID(str(waiting["id"]))
        key = f"email_due:after:{after}" if after else f"email_due:soon:{uuid4()}"
        return enqueue(conn, NewJob(DUE_MAIL, SYSTEM_PROJECT_ID, {"limit": LIMIT, "enroll": False}, key=key)).job_id
