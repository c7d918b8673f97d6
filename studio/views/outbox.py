"""The outbox as its owner sees it: mails and effects, why a mail waits, and a mail as it was sent."""

from __future__ import annotations

import email
import email.policy
import logging
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from typing import Any, Literal
from uuid import UUID

from studio import outbox, projects
from studio.database.connection import Database
from studio.mail.due import waits_because
from studio.mail.folder import FOLDER
from studio.mail.plaintext import text_of
from studio.outbox import Entry
from studio.projects import Project
from studio.settings import Settings

log = logging.getLogger(__name__)

State = Literal["waiting", "sent", "held", "failed", "ended"]
# What a person asks for, and the statuses of mails and effects that it means.
STATES: dict[State, tuple[str, ...]] = {
    "waiting": ("queued", "pending", "sending"),
    "sent": ("sent", "done"),
    "held": ("unknown",),
    "failed": ("failed",),
    "ended": ("suppressed", "canceled"),
}
PER_PAGE = 30
# Why mails wait is asked of each of them; beyond so many the reasons repeat.
WAITING_LOOKED_AT = 500
# A mail of ours has some kilobytes. What is larger is no mail of ours.
_FILE_LIMIT = 2 * 1024 * 1024


@dataclass(frozen=True)
class Row:
    """An effect or a mail in a list. `waits` says why a mail that has not left waits."""

    kind: Literal["effect", "mail"]
    id: UUID
    project_id: UUID
    project_name: str
    approval_id: UUID | None
    subject: str
    recipient: str
    status: str
    attempts: int
    error: str | None
    created_at: datetime
    sent_at: datetime | None
    scheduled_for: datetime | None
    category: str | None
    waits: str | None


@dataclass(frozen=True)
class Letter:
    """A mail to be read. `sent_as` says whether it is the message that was sent, or what is stored to be sent."""

    headers: list[tuple[str, str]]
    text: str
    html: str | None
    sent_as: Literal["file", "stored"]


@dataclass(frozen=True)
class Shown:
    """One entry: `effect` with its request and answer, or `mail` as stored. `waits` says why a mail waits."""

    project: Project
    listed: outbox.Listed
    effect: Entry | None
    mail: dict[str, Any] | None
    waits: str | None


def find(
    db: Database,
    owner: str,
    *,
    project_id: UUID | None = None,
    state: State | None = None,
    kind: Literal["effect", "mail"] | None = None,
    page: int = 1,
) -> tuple[list[Row], bool]:
    """Return a page of an owner's mails and effects, and whether there are more.

    What waits comes first, by the time at which it is to leave; then the rest, the newest first.
    """
    rows = db.fetch_all(
        "select e.*, p.name as project_name,"
        " case when e.kind = 'mail' then public.email_wait(e.id) end as waits"
        " from (select o.*, m.scheduled_for, m.category, row_number() over ("
        "   order by o.status = any (%(waiting)s) desc,"
        "   case when o.status = any (%(waiting)s) then coalesce(m.scheduled_for, o.created_at) end,"
        "   coalesce(o.sent_at, o.created_at) desc, o.id) as place"
        "  from public.outbox_entries o join public.projects q on q.id = o.project_id"
        "  left join public.email_jobs m on m.id = o.id"
        "  where q.owner_clerk_id = %(owner)s and (%(project)s::uuid is null or o.project_id = %(project)s)"
        "  and (%(statuses)s::text[] is null or o.status = any (%(statuses)s))"
        "  and (%(kind)s::text is null or o.kind = %(kind)s)"
        "  order by place limit %(limit)s offset %(offset)s) e"
        " join public.projects p on p.id = e.project_id order by e.place",
        {
            "owner": owner,
            "project": project_id,
            "statuses": None if state is None else list(STATES[state]),
            "waiting": list(STATES["waiting"]),
            "kind": kind,
            "limit": PER_PAGE + 1,
            "offset": (page - 1) * PER_PAGE,
        },
    )
    found = [Row(**{name: row[name] for name in Row.__dataclass_fields__}) for row in rows[:PER_PAGE]]
    return found, len(rows) > PER_PAGE


def counts(db: Database, owner: str, project_id: UUID | None = None) -> dict[State, int]:
    """Return how many entries are in which state."""
    rows = db.fetch_all(
        "select o.status, count(*)::int as entries from public.outbox_entries o"
        " join public.projects p on p.id = o.project_id where p.owner_clerk_id = %(owner)s"
        " and (%(project)s::uuid is null or o.project_id = %(project)s) group by o.status",
        {"owner": owner, "project": project_id},
    )
    by_status = {row["status"]: row["entries"] for row in rows}
    return {state: sum(by_status.get(status, 0) for status in statuses) for state, statuses in STATES.items()}


def reasons(db: Database, owner: str, project_id: UUID | None = None) -> list[tuple[str, int]]:
    """Return why an owner's mails that are due have not left, with how many wait for it (`studio.mail.tally`)."""
    rows = db.fetch_all(
        "select w.why, count(*)::int as mails from (select public.email_wait(e.id) as why from ("
        "  select m.id from public.email_jobs m join public.projects p on p.id = m.project_id"
        "  where p.owner_clerk_id = %(owner)s and m.status in ('queued', 'sending')"
        "  and (%(project)s::uuid is null or m.project_id = %(project)s)"
        "  and (m.status = 'sending' or m.scheduled_for <= now()) order by m.scheduled_for, m.id limit %(limit)s"
        " ) e) w where w.why is not null group by w.why order by mails desc, w.why",
        {"owner": owner, "project": project_id, "limit": WAITING_LOOKED_AT},
    )
    return [(row["why"], row["mails"]) for row in rows]


def shown(db: Database, owner: str, entry_id: UUID) -> Shown:
    """Return an owner's mail or effect; raise `NotFound`, also for somebody else's."""
    listed = outbox.of_owner(db, owner, entry_id)
    project = projects.get(db, listed.project_id)
    if listed.kind == "effect":
        return Shown(project, listed, outbox.get(db, entry_id), None, None)
    return Shown(project, listed, None, outbox.mail(db, entry_id), waits_because(db, entry_id))


def letter(settings: Settings, mail: dict[str, Any], *, with_links: bool) -> Letter:
    """Return a mail to be read.

    `with_links` takes the file that was sent, where there is one: it holds its receiver's own links, so that it is for
    whoever the machine belongs to, and for nobody else. Without it, it is what is stored, which has none.
    """
    message = _file(settings, mail) if with_links else None
    if message is not None:
        plain, html = message.get_body(("plain",)), message.get_body(("html",))
        headers = [(name, str(value)) for name, value in message.items() if not name.lower().startswith("content-")]
        text = "" if plain is None else str(plain.get_content())
        return Letter(headers, text, None if html is None else str(html.get_content()), "file")
    stored = [("To", mail["to_email"]), ("Subject", mail["subject"])]
    if mail["reply_to"]:
        stored.append(("Reply-To", mail["reply_to"]))
    text = mail["text_body"] if mail["text_body"] is not None else text_of(mail["html_body"])
    return Letter(stored, text, mail["html_body"] or None, "stored")


def _file(settings: Settings, mail: dict[str, Any]) -> EmailMessage | None:
    """Return the message that was written to the outbox folder; None where it was sent in another way, or is gone."""
    name = mail["provider_message_id"]
    if mail["status"] != "sent" or not name or not name.endswith(".eml") or "/" in name or "\\" in name:
        return None
    path = settings.data_dir / FOLDER / name
    try:
        if path.stat().st_size > _FILE_LIMIT:
            return None
        return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    except (OSError, ValueError) as exc:
        # Whoever tidies the folder up takes nothing from the rows.
        log.info("The file of mail %s cannot be read: %s", mail["id"], exc)
        return None
