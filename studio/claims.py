"""What a worker may do with a job it has claimed.

A `Claim` is known by its number, and every write goes through the fence: where the claim is no longer the
job's current one, the write raises `LeaseLost` and changes nothing. A step and what it did to the database
are saved in one transaction, so that a worker killed at any moment has either done both or neither.

A database that is restarted meanwhile costs neither the run nor an attempt: every transaction here may be
carried out again, because the fence, a step's name, or a look at the row tell whether it has been.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, LiteralString, TypeVar, cast
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.database.patience import patiently
from studio.errors import Conflict, LeaseLost
from studio.queue import Job, NewJob, enqueue, job_from_row, transiently
from studio.text import storable, storable_json

Json = Any
T = TypeVar("T")

ERROR_LIMIT = 2000
# Pickup leaves alone what its code does not understand, so this is for a run that was launched where older code runs:
# long enough that it is no busy loop, and far shorter than a deploy.
HAND_BACK_DELAY = timedelta(seconds=15)


@dataclass(frozen=True)
class Renewal:
    """The answer to a renewed lease."""

    leased_until: datetime
    cancel_requested: bool


class Claim:
    """A job held under one claim number."""

    def __init__(self, db: Database, job: Job) -> None:
        self.db = db
        self.job = job

    @property
    def job_id(self) -> UUID:
        """The job's id."""
        return self.job.id

    @property
    def claim_no(self) -> int:
        """The fencing token."""
        return self.job.claim_no

    # --- the fence

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a transaction that holds the claim: it commits only while the claim is current (`LeaseLost` else)."""
        with translated(), self.db.transaction() as conn:
            conn.execute("select public.hold_agent_job(%s, %s)", [self.job_id, self.claim_no])
            yield conn

    def write(self, work: Callable[[Connection], T]) -> T:
        """Run `work` in a transaction that holds the claim, again where the connection broke: it must bear that."""

        def in_transaction() -> T:
            with self.transaction() as conn:
                return work(conn)

        return patiently(in_transaction)

    # --- steps

    def saved_step(self, step: str) -> tuple[bool, Json]:
        """Return whether `step` has been finished by this or an earlier attempt, and its output."""
        query: LiteralString = "select output from public.agent_job_steps where job_id = %s and step = %s"
        row = patiently(lambda: self.db.fetch_one(query, [self.job_id, step]))
        return (row is not None, row["output"] if row else None)

    def save_step(self, conn: Connection, step: str, output: Json, duration_ms: int = 0) -> None:
        """Save a step's output in the caller's transaction."""
        conn.execute(
            "select public.save_agent_job_step(%s, %s, %s, %s::jsonb, %s)",
            [self.job_id, self.claim_no, step, json.dumps(storable_json(output)), duration_ms],
        )

    def once(self, step: str, work: Callable[[], Json]) -> Json:
        """Return the saved output of `step`, or run `work` and save what it returns (JSON)."""
        found, output = self.saved_step(step)
        if found:
            return output
        started = time.perf_counter()
        output = work()
        duration_ms = _milliseconds_since(started)
        self.write(lambda conn: self.save_step(conn, step, output, duration_ms))
        return output

    def once_in_transaction(self, step: str, work: Callable[[Connection], Json]) -> Json:
        """Return the saved output of `step`, or run `work` in one transaction with the saving of its output.

        `work` runs again where the database broke a deadlock or went away, so all that it does belongs to the
        transaction.
        """
        started = time.perf_counter()

        def in_transaction() -> Json:
            # Looked up in every round: what was committed before the connection broke stands.
            found, output = self.saved_step(step)
            if found:
                return output
            with self.transaction() as conn:
                output = work(conn)
                self.save_step(conn, step, output, _milliseconds_since(started))
            return output

        return patiently(lambda: transiently(in_transaction))

    def forget_steps(self, conn: Connection, steps: Sequence[str] | None) -> None:
        """Forget the named steps with their parts (`name/…`), or all where None, in the caller's transaction."""
        conn.execute(
            "delete from public.agent_job_steps where job_id = %(job)s"
            " and (%(steps)s::text[] is null or split_part(step, '/', 1) = any (%(steps)s))",
            {"job": self.job_id, "steps": None if steps is None else list(steps)},
        )

    # --- the lease and the end

    def renew(self, lease: timedelta) -> Renewal | None:
        """Prolong the lease; None where the claim is no longer current."""
        row = self.db.fetch_one("select * from public.renew_agent_job(%s, %s, %s)", [self.job_id, self.claim_no, lease])
        return Renewal(row["leased_until"], row["cancel_requested"]) if row else None

    def complete(self) -> None:
        """End the job as completed."""
        self._end("completed", None)

    def cancel(self, reason: str | None = None) -> None:
        """End the job as canceled; where its cancel was requested, the reason of the request stands."""
        self._end("canceled", reason)

    def _end(self, status: str, error: str | None) -> None:
        def end(conn: Connection) -> str:
            conn.execute(
                "select public.complete_agent_job(%s, %s, %s, %s)",
                [self.job_id, status, _short(error), self.claim_no],
            )
            return status

        self._last_word(end, status)

    def fail(
        self,
        error: str,
        *,
        permanent: bool,
        retry_base: timedelta,
        also: Callable[[Connection, str], None] | None = None,
    ) -> str:
        """End the attempt in failure; return the job's new status (`queued` where it is tried again).

        `also` takes part in the transaction that does so, and is told that status.
        """

        def fail(conn: Connection) -> str:
            row = conn.execute(
                "select public.fail_agent_job(%s, %s, %s, %s, %s) as status",
                [self.job_id, self.claim_no, _short(error), permanent, retry_base],
            ).fetchone()
            status = cast("str", row["status"]) if row else ""
            if also is not None:
                also(conn, status)
            return status

        return self._last_word(fail, "failed", "queued", "canceled")

    def release(self, reason: str) -> str:
        """Give the job back unfinished, burning no attempt; return its new status."""

        def release(conn: Connection) -> str:
            row = conn.execute(
                "select public.release_agent_job(%s, %s, %s) as status",
                [self.job_id, self.claim_no, _short(reason)],
            ).fetchone()
            return cast("str", row["status"]) if row else ""

        return self._last_word(release, "queued", "failed", "canceled")

    def hand_back(self, reason: str, delay: timedelta = HAND_BACK_DELAY) -> str:
        """Give back a job that this code does not understand, for a worker that does; return its new status.

        It burns no attempt and is not claimed again before `delay`. What no release has registered is failed at once.
        """

        def hand_back(conn: Connection) -> str:
            row = conn.execute(
                "select public.hand_back_agent_job(%s, %s, %s, %s) as status",
                [self.job_id, self.claim_no, _short(reason), delay],
            ).fetchone()
            return cast("str", row["status"]) if row else ""

        return self._last_word(hand_back, "queued", "failed", "canceled")

    def _last_word(self, say: Callable[[Connection], str], *ends: str) -> str:
        """Say it in one transaction, and return the job's new status, one of `ends`.

        Where the connection broke after it was heard, saying it again is refused; the row then tells that it was.
        """
        rounds = 0

        def in_transaction() -> str:
            nonlocal rounds
            rounds += 1
            try:
                with translated(), self.db.transaction() as conn:
                    return say(conn)
            except LeaseLost:
                if rounds == 1 or (heard := self._status()) not in ends:
                    raise
                return heard

        return patiently(in_transaction)

    def _status(self) -> str | None:
        """Return the job's status; None where somebody has claimed it since."""
        row = self.db.fetch_one(
            "select status from public.agent_jobs where id = %s and claim_no = %s", [self.job_id, self.claim_no]
        )
        return row["status"] if row else None


def start(db: Database, job_id: UUID, claim_no: int, run_id: str, lease: timedelta) -> Claim:
    """Take up a claim that pickup made, for the run `run_id`.

    Raises `LeaseLost` where it is no longer current or another run has taken it up.
    """

    def take_up() -> Claim:
        with db.connection() as conn, translated():
            row = conn.execute(
                "select * from public.start_agent_job(%s, %s, %s, %s)", [job_id, claim_no, run_id, lease]
            ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return Claim(db, job_from_row(row))

    # The same run may take it up twice.
    return patiently(take_up)


def claim_by_id(
    conn: Connection,
    db: Database,
    job_id: UUID,
    worker_id: str,
    run_id: str,
    lease: timedelta,
    *,
    unless_completed: bool = False,
) -> Claim:
    """Claim one job by id in the caller's transaction, whatever its status; `JobBusy` under a live lease.

    With `unless_completed` a completed job is left alone (`Conflict`).
    """
    if unless_completed:
        row = conn.execute("select status from public.agent_jobs where id = %s for no key update", [job_id]).fetchone()
        if row is not None and row["status"] == "completed":
            raise Conflict(
                f"Job {job_id} is completed.",
                "Re-execute its run in the Dagster UI for a new result, or enqueue it under another key.",
            )
    with translated():
        row = conn.execute(
            "select * from public.claim_agent_job(%s, %s, %s, %s)", [job_id, worker_id, lease, run_id]
        ).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return Claim(db, job_from_row(row))


def enqueue_and_claim(db: Database, new: NewJob, worker_id: str, run_id: str, lease: timedelta) -> Claim:
    """Insert a job and claim it in one transaction, so that pickup never sees it queued.

    Raises `Conflict` where the same key's job is completed, `JobBusy` where it runs.
    """
    with db.transaction() as conn:
        enqueued = enqueue(conn, new)
        return claim_by_id(conn, db, enqueued.job_id, worker_id, run_id, lease, unless_completed=True)


def _milliseconds_since(started: float) -> int:
    return round((time.perf_counter() - started) * 1000)


def _short(text: str | None) -> str | None:
    return None if text is None else storable(text)[:ERROR_LIMIT]
