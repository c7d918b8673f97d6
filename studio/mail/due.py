"""The mails that are due, as one sender may have them: thin faces of the functions of the mail migration."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeVar, cast
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.database.patience import patiently
from studio.mail.message import Mail, mail_from_row

T = TypeVar("T")

# So many can be waited for in turn while a lease runs, with a slow provider and nothing wrong.
MAILS_OF_A_LEASE = 20

Beginning = Literal["go", "again", "held", "suppressed", "unknown", "lost"]
End = Literal["sent", "failed", "unknown", "later", "unclear"]


@dataclass(frozen=True)
class Sent:
    """How a mail ended, to be recorded."""

    end: End
    provider_message_id: str | None = None
    error: str | None = None
    retry_in: timedelta | None = None


class DueMail:
    """Due mails under one worker's name; `run` names the work in ledger and task list."""

    def __init__(self, db: Database, worker: str, run: str, lease: timedelta) -> None:
        self._db = db
        self._worker = worker
        self._run = run
        self._lease = lease

    def claim(self, limit: int, now: datetime | None = None) -> list[Mail]:
        """Claim up to `limit` mails; none where nothing is due that may go. `now` stands for the clock."""
        lease = self._lease * math.ceil(limit / MAILS_OF_A_LEASE)

        def work(conn: Connection) -> list[Mail]:
            rows = conn.execute(
                "select * from public.claim_due_emails(%s, %s, %s, coalesce(%s::timestamptz, now()))",
                [self._worker, limit, lease, now],
            ).fetchall()
            return [mail_from_row(row) for row in rows]

        return self._write(work)

    def begin(self, mail: Mail, account: str, remembers: timedelta | None) -> Beginning:
        """Take the last look before the provider is asked; only after `go` and `again` it may be."""

        def work(conn: Connection) -> Beginning:
            row = conn.execute(
                "select public.begin_email(%s, %s, %s, %s, %s, %s) as said",
                [mail.id, mail.claim_no, account, remembers, self._lease, self._run],
            ).fetchone()
            return cast("Beginning", row["said"] if row else "lost")

        return self._write(work)

    def finish(self, mail: Mail, sent: Sent) -> bool:
        """Record how it ended; false where the mail is somebody else's by now."""

        def work(conn: Connection) -> bool:
            row = conn.execute(
                "select public.finish_email(%s, %s, %s, %s, %s, %s, %s) as ours",
                [mail.id, mail.claim_no, sent.end, self._run, sent.provider_message_id, sent.error, sent.retry_in],
            ).fetchone()
            return bool(row and row["ours"])

        return self._write(work)

    def release(self) -> int:
        """Give back what was claimed and not begun; return how many."""

        def work(conn: Connection) -> int:
            row = conn.execute("select public.release_emails(%s) as released", [self._worker]).fetchone()
            return int(row["released"]) if row else 0

        return self._write(work)

    def _write(self, work: Callable[[Connection], T]) -> T:
        def once() -> T:
            # A single statement is a transaction of its own.
            with self._db.connection() as conn:
                return work(conn)

        # Each bears being said twice: a claim is given back at the end, a beginning is then called `again`.
        return patiently(once)


def resolve(
    conn: Connection,
    email_id: UUID,
    *,
    sent: bool,
    by: str,
    provider_message_id: str | None = None,
    note: str | None = None,
) -> Literal["sent", "queued", "failed"]:
    """Settle what a held mail's outcome is, in the caller's transaction: it was sent, or is sent anew.

    In a killed project nothing is sent anew: that it was not sent ends the mail as `failed`.
    Raise `NotFound`, and `Conflict` where its outcome is known.
    """
    with translated():
        row = conn.execute(
            "select public.resolve_email(%s, %s, %s, %s, %s) as status",
            [email_id, sent, by, provider_message_id, note],
        ).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return cast('Literal["sent", "queued", "failed"]', row["status"])


def waits_because(db: Database, email_id: UUID) -> str | None:
    """Return why a mail that has not left yet waits, in a sentence; None for one that is settled, or not there."""
    row = db.fetch_one("select public.email_wait(%s) as why", [email_id])
    return row["why"] if row else None
