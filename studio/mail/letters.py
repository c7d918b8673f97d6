"""Letters: what is to be sent to whom, rendered and put into the outbox under a key that names the occasion.

The outbox is `email_jobs`. A key is used once per project, so that a retry, a second run or a re-execution does not
send again. What is queued is final: HTML, text and subject are sent as they were rendered; only the links that are its
receiver's alone are filled in when it is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from studio import links
from studio.database.connection import Connection
from studio.errors import InvalidInput, NotFound
from studio.job_types import SYSTEM_PROJECT_ID
from studio.mail.addresses import checked_address
from studio.mail.markers import confirm_place, new_marker, unsubscribe_place
from studio.mail.rendering import render
from studio.mail.suppression import Reason, Sender, never_again_url, reason_against, unsubscribe_url
from studio.settings import Settings
from studio.text import require_storable

Category = Literal["transactional", "sequence", "lifecycle", "drip", "overview", "waitlist"]
Outcome = Literal["queued", "already queued", "suppressed", "no address"]

# Whoever gets one of these has just asked for it, as far as anybody knows; all others can be unsubscribed from.
REQUESTED: frozenset[str] = frozenset({"transactional", "waitlist"})
BRAND = "Greenlight"
OUTBOX_KEY_CHARS = 500


@dataclass(frozen=True)
class Confirmation:
    """The place on a waitlist that a letter's `confirm_url` confirms, and until when it does."""

    signup_id: UUID
    until: datetime


@dataclass(frozen=True)
class Letter:
    """One mail to one receiver.

    `outbox_key` is unique per project. `sender` says in whose name it is sent; by default founders hear from the
    studio (drips, overviews), everybody else from the project. `drip_id` names the reserved row of the drip log,
    which follows the mail. `confirms` gives its template a `confirm_url`.
    """

    project_id: UUID
    outbox_key: str
    to_email: str | None
    template: str
    context: dict[str, Any]
    category: Category
    scheduled_for: datetime | None = None
    approval_id: UUID | None = None
    drip_id: UUID | None = None
    reply_to: str | None = None
    sender: Sender | None = None
    confirms: Confirmation | None = None

    @property
    def speaks(self) -> Sender:
        """In whose name it is sent."""
        if self.sender is not None:
            return self.sender
        return "studio" if self.category in ("drip", "overview") or self.drip_id is not None else "project"


@dataclass(frozen=True)
class Queued:
    """What became of a letter; `email_id` is None where there is no row for it."""

    email_id: UUID | None
    outcome: Outcome


def enqueue(conn: Connection, settings: Settings, letter: Letter) -> Queued:
    """Render a letter and queue it in the caller's transaction, once per project and key.

    Raise `InvalidInput` for an address, template or context that cannot be used, `SettingsError` where it needs a
    link and none can be made, `NotFound` where there is no such project.
    """
    if letter.to_email is None or not letter.to_email.strip():
        return Queued(None, "no address")
    if not 0 < len(letter.outbox_key) <= OUTBOX_KEY_CHARS:
        raise InvalidInput(
            f"The key of a mail has {len(letter.outbox_key)} characters; 1 to {OUTBOX_KEY_CHARS} are allowed.",
            "Name the occasion shortly.",
        )
    require_storable(letter.outbox_key, "The key of a mail")
    to_email = checked_address(letter.to_email)
    reply_to = None if letter.reply_to is None else checked_address(letter.reply_to)
    known = _known(conn, letter)
    if known is not None:
        return Queued(known, "already queued")
    if reason_against(conn, to_email, letter.project_id, letter.speaks, letter.category) is not None:
        return Queued(None, "suppressed")
    marker = new_marker()
    reason = _unsubscribe_reason(settings, letter, to_email)
    context = frame(
        conn, settings, letter.project_id, letter.speaks, None if reason is None else unsubscribe_place(marker)
    )
    confirms = letter.confirms
    if confirms is not None:
        # It is made when the letter is sent; now it must be clear that it can be.
        links.confirm_url(settings, confirms.signup_id, confirms.until)
        context["confirm_url"] = confirm_place(marker)
    rendered = render(letter.template, context | letter.context)
    row = conn.execute(
        "insert into public.email_jobs (project_id, outbox_key, to_email, subject, html_body, text_body, category,"
        " sender, reply_to, link_marker, unsubscribe_reason, confirms_signup_id, confirms_until, approval_id, drip_id,"
        " scheduled_for)"
        " values (%(project)s, %(key)s, %(to)s, %(subject)s, %(html)s, %(text)s, %(category)s, %(sender)s,"
        " %(reply_to)s, %(marker)s, %(reason)s, %(signup)s, %(until)s, %(approval)s, %(drip)s,"
        " coalesce(%(at)s, now())) on conflict do nothing returning id",
        {
            "project": letter.project_id,
            "key": letter.outbox_key,
            "to": to_email,
            "subject": rendered.subject,
            "html": rendered.html,
            "text": rendered.text,
            "category": letter.category,
            "sender": letter.speaks,
            "reply_to": reply_to or reply_address(conn, letter.project_id, letter.speaks),
            "marker": marker if reason is not None or confirms is not None else None,
            "reason": reason,
            "signup": None if confirms is None else confirms.signup_id,
            "until": None if confirms is None else confirms.until,
            "approval": letter.approval_id,
            "drip": letter.drip_id,
            "at": letter.scheduled_for,
        },
    ).fetchone()
    return Queued(row["id"], "queued") if row else Queued(_known(conn, letter), "already queued")


def _unsubscribe_reason(settings: Settings, letter: Letter, to_email: str) -> Reason | None:
    """Return what the letter's own link records; raise `SettingsError` where that link cannot be made."""
    if letter.category == "transactional":
        return None
    if letter.category == "waitlist":
        # Who has not asked for anything cannot be taken off anything; but he can be left alone.
        never_again_url(settings, letter.project_id, to_email)
        return "blocked"
    unsubscribe_url(settings, letter.project_id, letter.speaks, to_email)
    return "unsubscribed"


def frame(
    conn: Connection, settings: Settings, project_id: UUID, sender: Sender, unsubscribe: str | None
) -> dict[str, Any]:
    """Return what the frame of every letter needs: who writes, from where, and how to be left alone."""
    row = conn.execute("select name, live_url from public.projects where id = %s", [project_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    base = settings.app_base_url
    return {
        "brand": BRAND if sender == "studio" or project_id == SYSTEM_PROJECT_ID else row["name"],
        "sender": sender,
        "home_url": (base.rstrip("/") if base else None) if sender == "studio" else row["live_url"],
        "unsubscribe_url": unsubscribe,
        "postal_address": settings.mail_postal_address,
    }


def reply_address(conn: Connection, project_id: UUID, sender: Sender) -> str | None:
    """Return where answers to a project's mail go: its own address, else its owner's; None where there is neither."""
    if sender == "studio":
        return None
    row = conn.execute(
        "select coalesce(i.reply_address, u.email) as address from public.projects p"
        " left join public.users u on u.clerk_id = p.owner_clerk_id"
        " left join public.project_email_identities i on i.project_id = p.id and i.status = 'active'"
        " where p.id = %s",
        [project_id],
    ).fetchone()
    return row["address"] if row else None


def _known(conn: Connection, letter: Letter) -> UUID | None:
    row = conn.execute(
        "select id from public.email_jobs where project_id = %s and outbox_key = %s",
        [letter.project_id, letter.outbox_key],
    ).fetchone()
    return row["id"] if row else None
