"""What is due at a moment goes into the queue: the night shift of every project, due mail, digests, nudges.

Schedules, the command line and the route of the night shift all enqueue through here. Keys come from the moment
for which the work was scheduled, never from the clock, so that a tick that comes late, twice or again after a
crash finds its work under the same keys. Nothing is worked on here; the queue does that.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, date, datetime
from datetime import time as clock
from uuid import UUID

from studio import tenants
from studio.database.connection import Connection, Database
from studio.database.patience import patiently
from studio.errors import InvalidInput, PermissionRefused
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.dispatch import DUE_MAIL
from studio.projects import get_in
from studio.queue import Enqueued, NewJob, enqueue, enqueue_many, transiently

CYCLE = "nightshift.cycle_project"
DIGESTS = "drip.process_digests"
NUDGES = "drip.process_nudges"

# A page is one transaction of about a fifth of a second, whose event counters nobody waits for much longer.
PAGE = 1_000

# Whoever has a job of that night already is left alone, whatever became of it: enqueuing it again would revive
# one that a person has canceled. The projects are held, so that none is deleted or paused under the page's hands,
# which would refuse the whole of it.
_PAGE_OF_PROJECTS = """
select p.id from public.projects p
where p.id > %(after)s and p.night_shift and p.status = 'active' and p.id <> %(system)s
  and p.created_at < %(night)s
  and not exists (
    select from public.agent_jobs j
    where j.project_id = p.id and j.idempotency_key = 'nightshift:' || p.id || ':' || %(day)s)
order by p.id limit %(page)s
for share of p skip locked
"""
_FIRST = UUID(int=0)


@dataclass(frozen=True)
class Night:
    """How many cycles were queued, and whether every project had its turn before the time was over."""

    day: date
    queued: int
    complete: bool

    def __str__(self) -> str:
        more = "" if self.complete else ", and the rest will follow"
        return f"Queued {self.queued} night-shift cycles of {self.day}{more}."


def night_key(project_id: UUID, day: date) -> str:
    """Return the key of a project's cycle: one per project and day."""
    return f"nightshift:{project_id}:{day.isoformat()}"


def night_shift(db: Database, scheduled: datetime, *, seconds: float = float("inf"), page: int = PAGE) -> Night:
    """Queue the night's cycle of every active project on night shift that has none yet.

    The night is that of the UTC day of `scheduled`; projects made after it wait for the next. Works in pages, each
    its own transaction, and stops after the page in which `seconds` were over; another call goes on from there.
    """
    scheduled = _utc(scheduled)
    day = scheduled.date()
    until = time.monotonic() + seconds
    after, queued = _FIRST, 0
    while True:
        created, last = _queue_page(db, scheduled, after, page)
        queued += created
        if last is None:
            return Night(day, queued, complete=True)
        if time.monotonic() >= until:
            return Night(day, queued, complete=False)
        after = last


def _queue_page(db: Database, scheduled: datetime, after: UUID, page: int) -> tuple[int, UUID | None]:
    """Queue a page of cycles; return how many are new, and the page's last project, None where there was none."""
    return patiently(lambda: transiently(lambda: _in_transaction(db, scheduled, after, page)))


def _in_transaction(db: Database, scheduled: datetime, after: UUID, page: int) -> tuple[int, UUID | None]:
    day = scheduled.date()
    with db.transaction() as conn:
        # One project that has its queue full must not keep a whole page from its night.
        tenants.lift_limits(conn)
        rows = conn.execute(
            _PAGE_OF_PROJECTS,
            {
                "after": after,
                "system": SYSTEM_PROJECT_ID,
                "night": scheduled,
                "day": day.isoformat(),
                "page": page,
            },
        ).fetchall()
        outcomes = enqueue_many(conn, [_cycle(row["id"], day) for row in rows])
    return sum(done.outcome == "created" for done in outcomes), rows[-1]["id"] if rows else None


def _cycle(project_id: UUID, day: date) -> NewJob:
    return NewJob(CYCLE, project_id, {"day": day.isoformat()}, key=night_key(project_id, day))


def cycle_project(conn: Connection, project_id: UUID, day: date) -> Enqueued:
    """Queue one project's cycle of `day` in the caller's transaction, again where it had failed or was canceled.

    Raises `NotFound`, and `PermissionRefused` for a project that is not active or not on night shift.
    """
    project = get_in(conn, project_id)
    if project.status != "active":
        raise PermissionRefused(f"Project {project_id} is {project.status}.", "Make it active first.")
    if not project.night_shift:
        raise PermissionRefused(
            f"Project {project_id} is not on night shift.", f"Turn it on: greenlight nightshift on {project_id}"
        )
    return enqueue(conn, _cycle(project_id, day))


def due_mail(conn: Connection, scheduled: datetime) -> Enqueued:
    """Queue the sending of due mail of the UTC hour of `scheduled`."""
    return _system_job(conn, DUE_MAIL, f"email_due:{_utc(scheduled).strftime('%Y-%m-%dT%H')}")


def digests(conn: Connection, scheduled: datetime) -> Enqueued:
    """Queue the digests of the UTC day of `scheduled`."""
    return _system_job(conn, DIGESTS, f"drip_digests:{_utc(scheduled).date().isoformat()}")


def nudges(conn: Connection, scheduled: datetime) -> Enqueued:
    """Queue the nudges of the UTC day of `scheduled`."""
    return _system_job(conn, NUDGES, f"drip_nudges:{_utc(scheduled).date().isoformat()}")


@dataclass(frozen=True)
class Round:
    """What one call of the night's route has queued: how many cycles, and the jobs that belong to no project.

    `complete` says whether every project had its turn.
    """

    queued_projects: int
    email_job: Enqueued
    drip_digests: Enqueued
    drip_nudges: Enqueued
    complete: bool = True

    def json(self) -> dict[str, int | str]:
        """Return it as the seed's route answers (studio-implementation-plan §5.3), jobs by their ids."""
        return {
            "queuedProjects": self.queued_projects,
            "queuedEmailJob": str(self.email_job.job_id),
            "queuedDripDigests": str(self.drip_digests.job_id),
            "queuedDripNudges": str(self.drip_nudges.job_id),
        }


def whole_night(db: Database, now: datetime, day: date | None = None, *, seconds: float = float("inf")) -> Round:
    """Queue everything that the seed's nightly route does: due mail, digests, nudges, and all projects' cycles.

    Of the cycles as many as are queued in `seconds`; another call goes on from there.

    `day` is the UTC day of the night, by default that of `now`; a past one makes up for a night that was lost.
    Raises `InvalidInput` for a day to come, whose own night would then find its work done.
    """
    now = _utc(now)
    scheduled = now
    if day is not None and day != now.date():
        if day > now.date():
            raise InvalidInput(f"The night of {day} has not come yet.", f"Give a day up to {now.date()}.")
        scheduled = datetime.combine(day, clock.max, UTC)

    def jobs_of_no_project() -> tuple[Enqueued, Enqueued, Enqueued]:
        with db.transaction() as conn:
            return due_mail(conn, now), digests(conn, scheduled), nudges(conn, scheduled)

    mail, digest, nudge = patiently(lambda: transiently(jobs_of_no_project))
    night = night_shift(db, scheduled, seconds=seconds)
    return Round(night.queued, mail, digest, nudge, night.complete)


def _system_job(conn: Connection, job_type: str, key: str) -> Enqueued:
    there = conn.execute(
        "select id, status from public.agent_jobs where project_id = %s and idempotency_key = %s",
        [SYSTEM_PROJECT_ID, key],
    ).fetchone()
    if there is not None:
        # Enqueued again it would be revived, also where a person has canceled it.
        return Enqueued(there["id"], "existing", there["status"])
    return enqueue(conn, NewJob(job_type, SYSTEM_PROJECT_ID, key=key))


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a scheduled moment has a time zone")
    return moment.astimezone(UTC)
