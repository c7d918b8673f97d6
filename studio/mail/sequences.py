"""Sequences: approved mails to everybody on a waitlist, each on its day.

A sequence is rendered once, when its approval is carried out, and kept so: what later joiners get is, word by word,
what was approved. Only each receiver's own unsubscribe link is filled in, when it is sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.errors import Conflict, InvalidInput
from studio.mail.addresses import checked_address
from studio.mail.letters import frame, reply_address
from studio.mail.markers import new_marker, unsubscribe_place
from studio.mail.rendering import render
from studio.mail.suppression import unsubscribe_url
from studio.packets.phase1 import SequenceEmail
from studio.settings import Settings

# A year; "Day 2026" would be a typing error.
MAX_DAY = 366
# A statement's worth of receivers.
PAGE = 1000
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Scheduled:
    """What was queued: how many receivers there are, and how many mails are new."""

    recipients: int
    emails: int
    replaced: int = 0


def schedule(
    conn: Connection,
    settings: Settings,
    *,
    project_id: UUID,
    approval_id: UUID,
    emails: Sequence[SequenceEmail],
    recipients: Sequence[str] | None = None,
    category: Literal["sequence", "lifecycle"] = "sequence",
    now: datetime | None = None,
) -> Scheduled:
    """Queue a sequence for its receivers in the caller's transaction; a repetition adds nothing.

    Receivers are all confirmed, unsuppressed signups of the project's waitlist, or `recipients`. A welcome sequence
    (`sequence`) also serves whoever confirms later, until another one is approved: that cancels what is still queued
    of the former, so that nobody gets both. A `lifecycle` mail goes to those who are there now.

    Raise `SettingsError` where no unsubscribe link can be made, `InvalidInput` for what cannot be sent.
    """
    if not emails:
        raise InvalidInput("The sequence has no mails.", "Generate the packet again.")
    marker = new_marker()
    around = frame(conn, settings, project_id, "project", unsubscribe_place(marker))
    rendered = [_rendered(step, email, around, category) for step, email in enumerate(emails, start=1)]
    # Also where there is nobody yet, it must be clear now that these mails can be sent.
    unsubscribe_url(settings, project_id, "project", "nobody@example.org")
    replaced = _replace(conn, project_id, approval_id, category)
    conn.execute(
        "insert into public.email_sequences (approval_id, project_id, category, emails, marker, reply_to, ended_at)"
        " values (%s, %s, %s, %s::jsonb, %s, %s, case when %s then null else now() end) on conflict do nothing",
        [
            approval_id,
            project_id,
            category,
            json.dumps(rendered),
            marker,
            reply_address(conn, project_id, "project"),
            category == "sequence",
        ],
    )
    found = confirmed(conn, project_id) if recipients is None else [checked_address(r) for r in recipients]
    return Scheduled(len(found), _queue(conn, approval_id, found, now), replaced)


def enroll(conn: Connection, project_id: UUID, email: str, now: datetime | None = None) -> int:
    """Queue the project's active welcome sequence for who has just confirmed; return how many mails are new."""
    # The second look sees what has taken the place of a sequence that ended while the first one waited for it.
    for _ in range(2):
        row = conn.execute(
            "select approval_id from public.email_sequences where project_id = %s and category = 'sequence'"
            " and ended_at is null for share",
            [project_id],
        ).fetchone()
        if row is not None:
            return _queue(conn, row["approval_id"], [email], now)
    return 0


def enroll_newcomers(db: Database) -> int:
    """Queue every active welcome sequence for all who have confirmed and do not have it; return how many mails.

    Whoever confirms is enrolled by `enroll`; this finds those who were confirmed in another way.
    """
    queued = 0
    found = db.fetch_all("select distinct project_id, approval_id from public.not_enrolled() order by approval_id")
    for row in found:
        while True:
            with db.transaction() as conn:
                missing = conn.execute(
                    "select email from public.not_enrolled(%s, %s)", [row["project_id"], PAGE]
                ).fetchall()
                new = _queue(conn, row["approval_id"], [person["email"] for person in missing], None)
            queued += new
            if len(missing) < PAGE or not new:
                break
    return queued


def confirmed(conn: Connection, project_id: UUID) -> list[str]:
    """Return who may be written to: the confirmed addresses of a waitlist, in order of confirmation."""
    rows = conn.execute(
        "select email from public.waitlist_signups where project_id = %s and status = 'confirmed'"
        " order by confirmed_at, id",
        [project_id],
    ).fetchall()
    return [row["email"] for row in rows]


def day_offset(day: str) -> int:
    """Return the day of a mail, counted from the start: the first whole number in `day`, else 0 (specification §6)."""
    found = _NUMBER.search(day)
    if found is None:
        return 0
    if len(found.group()) > len(str(MAX_DAY)) or int(found.group()) > MAX_DAY:
        raise InvalidInput(f"{day!r} is more than a year ahead.", f"Give a day from 0 to {MAX_DAY}.")
    return int(found.group())


def _rendered(step: int, email: SequenceEmail, around: dict[str, Any], category: str) -> dict[str, Any]:
    letter = render(
        category,
        around | {"subject_text": email.subject, "paragraphs": list(email.body), "cta_label": email.cta_label},
    )
    return {
        "step": step,
        "day": day_offset(email.day),
        "subject": letter.subject,
        "html": letter.html,
        "text": letter.text,
    }


def _replace(conn: Connection, project_id: UUID, approval_id: UUID, category: str) -> int:
    """End the welcome sequence that another approval had started; return how many of its mails are not sent."""
    if category != "sequence":
        return 0
    # Two approvals at once take turns.
    conn.execute("select 1 from public.projects where id = %s for no key update", [project_id])
    known = conn.execute(
        "select project_id, ended_at from public.email_sequences where approval_id = %s", [approval_id]
    ).fetchone()
    if known is not None:
        if known["project_id"] != project_id:
            raise Conflict("The approval belongs to another project.", "Check the ids.")
        return 0
    ended = conn.execute(
        "update public.email_sequences set ended_at = now() where project_id = %s and category = %s"
        " and ended_at is null returning approval_id",
        [project_id, category],
    ).fetchall()
    return conn.execute(
        "update public.email_jobs set status = 'canceled', error = 'Another sequence has taken its place.'"
        " where project_id = %s and category = %s and approval_id = any (%s) and status = 'queued'",
        [project_id, category, [row["approval_id"] for row in ended]],
    ).rowcount


def _queue(conn: Connection, approval_id: UUID, recipients: Sequence[str], now: datetime | None) -> int:
    queued = 0
    for start in range(0, len(recipients), PAGE):
        row = conn.execute(
            "select public.queue_email_sequence(%s, %s::text[], coalesce(%s::timestamptz, now())) as new",
            [approval_id, list(recipients[start : start + PAGE]), now],
        ).fetchone()
        queued += int(row["new"]) if row else 0
    return queued
