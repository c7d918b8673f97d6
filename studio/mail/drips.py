"""Drips: mail that founders get at a certain point, each once.

The row of `drip_email_log` is taken in the transaction that queues the mail, and follows it from there: what was
sent, or may have been, suppresses; a failure may be followed by another attempt.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import DatabaseError, InvalidInput, SettingsError, StudioError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail import letters
from studio.mail.addresses import checked_address
from studio.mail.letters import Category, Letter, Queued
from studio.mail.links import inbox_url, project_url
from studio.mail.phases import phase_name
from studio.mail.suppression import unsubscribe_url
from studio.settings import Settings

log = logging.getLogger(__name__)

Nudge = Literal["nudge_no_reviews", "nudge_no_signoffs"]
NUDGES: tuple[Nudge, ...] = ("nudge_no_reviews", "nudge_no_signoffs")

# People of one look at the table; each then gets a transaction of his own.
PAGE = 500
# Domain specification §6.
DIGEST_PROJECTS = 20
WEEK = timedelta(days=7)
_FIRST = UUID(int=0)


@dataclass(frozen=True)
class Drip:
    """A mail to one founder at one point. `week` names the week of a digest; `project_id` is what it is about."""

    user_id: UUID
    email_type: str
    to_email: str
    context: dict[str, Any]
    category: Category
    template: str = ""
    project_id: UUID | None = None
    week: str | None = None


@dataclass
class DripSummary:
    """What became of a round of drips."""

    counts: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, int]:
        """Return every count, also those that are 0."""
        return {
            name.replace(" ", "_"): self.counts[name]
            for name in ("queued", "already queued", "suppressed", "no address", "failed")
        }


def queue_drip(conn: Connection, settings: Settings, drip: Drip) -> Queued:
    """Reserve and queue a drip in the caller's transaction, once.

    An address that is none does not fail the caller's work: the log says so.
    """
    reserved = conn.execute(
        "select * from public.reserve_drip(%s, %s, %s, %s, %s, '')",
        [drip.user_id, drip.email_type, drip.project_id, drip.week, drip.to_email],
    ).fetchone()
    if reserved is None:
        return Queued(None, "already queued")
    try:
        checked_address(drip.to_email)
    except InvalidInput as exc:
        _fail(conn, reserved["drip_id"], str(exc))
        return Queued(None, "no address")
    letter = Letter(
        # What is about one project stands among its mails, what is about a person among the studio's own.
        project_id=drip.project_id or SYSTEM_PROJECT_ID,
        outbox_key=_key(drip, reserved["attempt"]),
        to_email=drip.to_email,
        template=drip.template or drip.email_type,
        context=drip.context,
        category=drip.category,
        drip_id=reserved["drip_id"],
        sender="studio",
    )
    queued = letters.enqueue(conn, settings, letter)
    if queued.outcome == "suppressed":
        _fail(conn, reserved["drip_id"], "The address gets no such mail any more.")
    else:
        conn.execute(
            "update public.drip_email_log set subject = e.subject from public.email_jobs e"
            " where e.id = %s and drip_email_log.id = %s",
            [queued.email_id, reserved["drip_id"]],
        )
    return queued


def welcome(conn: Connection, settings: Settings, owner_clerk_id: str, project_id: UUID) -> Queued:
    """Welcome the owner of a project that has just been created, where it is the first; in the caller's transaction."""
    user = conn.execute(
        "select u.id, u.email, p.name from public.users u join public.projects p on p.id = %s"
        " where u.clerk_id = %s and not exists (select from public.projects o"
        " where o.owner_clerk_id = u.clerk_id and o.id <> p.id and o.created_at < p.created_at)",
        [project_id, owner_clerk_id],
    ).fetchone()
    if user is None:
        return Queued(None, "already queued")
    if not user["email"]:
        return Queued(None, "no address")
    context = {"project_name": user["name"], "url": project_url(settings, project_id)}
    drip = Drip(user["id"], "welcome", user["email"], context, "transactional")
    return queue_drip(conn, settings, drip)


def process_digests(db: Database, settings: Settings, now: datetime | None = None) -> DripSummary:
    """Queue the digest of the current ISO week (UTC) for everybody whom it is for; repetitions add nothing.

    Raise `SettingsError` where no unsubscribe link can be made. `now` stands for the clock.
    """
    now = _now(db, now)
    week, since = iso_week(now), now - WEEK
    summary = DripSummary()
    _require_unsubscribe(settings)
    after = _FIRST
    while people := db.fetch_all("select * from public.digest_page(%s, %s, %s, %s)", [week, since, after, PAGE]):
        for person in people:
            after = person["user_id"]
            drip_of = partial(_digest, settings=settings, person=person, week=week, since=since)
            _one(db, settings, summary, drip_of)
    return summary


def process_nudges(db: Database, settings: Settings, now: datetime | None = None) -> DripSummary:
    """Queue the nudges for everybody whom they are for; one person gets one at a time, and each kind once ever.

    Raise `SettingsError` where no unsubscribe link can be made. `now` stands for the clock.
    """
    now = _now(db, now)
    summary = DripSummary()
    _require_unsubscribe(settings)
    for nudge in NUDGES:
        after = _FIRST
        while people := db.fetch_all("select * from public.nudge_page(%s, %s, %s, %s)", [nudge, now, after, PAGE]):
            for person in people:
                after = person["user_id"]
                _one(db, settings, summary, partial(_nudge, settings=settings, person=person, nudge=nudge))
    return summary


def iso_week(moment: datetime) -> str:
    """Return the ISO week of a moment in UTC, year included, as in `2026-W53`."""
    year, week, _ = moment.astimezone(UTC).isocalendar()
    return f"{year}-W{week:02d}"


def _one(db: Database, settings: Settings, summary: DripSummary, drip_of: Callable[[Connection], Drip]) -> None:
    """Queue one person's drip in a transaction of its own; what is wrong with it holds up nobody after him."""
    try:
        with translated(), db.transaction() as conn:
            drip = drip_of(conn)
            summary.counts[queue_drip(conn, settings, drip).outcome] += 1
    except (DatabaseError, SettingsError):
        # Not his fault, and the next one's fate too.
        raise
    except StudioError as exc:
        summary.counts["failed"] += 1
        log.warning("A drip was not queued: %s", exc)


def _digest(conn: Connection, settings: Settings, person: dict[str, Any], week: str, since: datetime) -> Drip:
    rows = conn.execute(
        "select * from public.digest_projects(%s, %s, %s)", [person["user_id"], since, DIGEST_PROJECTS]
    ).fetchall()
    projects = [
        {
            "name": row["name"],
            "phase": phase_name(row["phase"]),
            "confidence": row["confidence"],
            "pending": row["pending"],
            "completed": row["completed"],
            "failed": row["failed"],
            "url": project_url(settings, row["id"]),
        }
        for row in rows
    ]
    context = {
        "week": week,
        "projects": projects,
        "others": rows[0]["total"] - len(rows) if rows else 0,
        "pending": sum(project["pending"] for project in projects),
        "completed": sum(project["completed"] for project in projects),
        "failed": sum(project["failed"] for project in projects),
        "url": inbox_url(settings),
    }
    return Drip(person["user_id"], "weekly_digest", person["email"], context, "drip", week=week)


def _nudge(_conn: Connection, settings: Settings, person: dict[str, Any], nudge: Nudge) -> Drip:
    context = {
        "project_name": person["project_name"],
        "waiting": person["waiting"],
        "url": project_url(settings, person["project_id"]),
    }
    return Drip(person["user_id"], nudge, person["email"], context, "drip")


def _require_unsubscribe(settings: Settings) -> None:
    unsubscribe_url(settings, SYSTEM_PROJECT_ID, "studio", "nobody@example.org")


def _key(drip: Drip, attempt: int) -> str:
    parts = [drip.email_type]
    if drip.project_id is None:
        parts.append(str(drip.user_id))
    if drip.week is not None:
        parts.append(drip.week)
    if attempt > 1:
        parts.append(str(attempt))
    return ":".join(parts)


def _fail(conn: Connection, drip_id: UUID, error: str) -> None:
    conn.execute("update public.drip_email_log set status = 'failed', error = %s where id = %s", [error, drip_id])


def _now(db: Database, now: datetime | None) -> datetime:
    if now is not None:
        return now
    row = db.fetch_one("select now() as now")
    assert row is not None  # noqa: S101 - a value is a row
    moment: datetime = row["now"]
    return moment
