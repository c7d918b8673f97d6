"""The outbox: what leaves for systems of others, what became of it, and a person's word where nobody knows.

Effects are rows of `outbox`, mails rows of `email_jobs`; both stand in one list. How an effect is delivered lies in
`studio.delivery`, how a mail is sent in `studio.mail`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Database
from studio.database.errors import translated
from studio.errors import NotFound
from studio.mail import due
from studio.queue import transiently
from studio.text import require_storable

Status = Literal["pending", "sending", "done", "failed", "unknown"]
Resolution = Literal["done", "retry"]


@dataclass(frozen=True)
class Entry:
    """A row of the outbox."""

    id: UUID
    project_id: UUID
    approval_id: UUID | None
    execution_id: UUID | None
    effect: str
    provider: str
    idempotency_key: str
    request: dict[str, Any]
    status: Status
    attempts: int
    job_id: UUID | None
    claim_no: int | None
    provider_id: str | None
    response: dict[str, Any] | None
    error: str | None
    sent_at: datetime | None
    settled_at: datetime | None
    resolved_by: str | None
    resolved_at: datetime | None
    note: str | None
    created_at: datetime


def entry_from_row(row: Mapping[str, Any]) -> Entry:
    """Return the `Entry` of a row of `outbox`."""
    return Entry(**{name: row[name] for name in Entry.__dataclass_fields__})


@dataclass(frozen=True)
class Listed:
    """An effect or a mail, as `greenlight outbox list` shows it."""

    kind: Literal["effect", "mail"]
    id: UUID
    project_id: UUID
    approval_id: UUID | None
    subject: str
    recipient: str
    status: str
    attempts: int
    idempotency_key: str | None
    provider_id: str | None
    error: str | None
    created_at: datetime
    sent_at: datetime | None


def find(
    db: Database,
    *,
    project_id: UUID | None = None,
    status: str | None = None,
    kind: str | None = None,
    approval_id: UUID | None = None,
    owner_clerk_id: str | None = None,
    limit: int = 50,
) -> list[Listed]:
    """Return the newest effects and mails first, filtered."""
    rows = db.fetch_all(
        "select * from public.outbox_entries where (%(project)s::uuid is null or project_id = %(project)s)"
        " and (%(status)s::text is null or status = %(status)s) and (%(kind)s::text is null or kind = %(kind)s)"
        " and (%(approval)s::uuid is null or approval_id = %(approval)s)"
        " and (%(owner)s::text is null"
        "  or project_id in (select id from public.projects where owner_clerk_id = %(owner)s))"
        " order by created_at desc, id limit %(limit)s",
        {
            "project": project_id,
            "status": status,
            "kind": kind,
            "approval": approval_id,
            "owner": owner_clerk_id,
            "limit": limit,
        },
    )
    return [_listed(row) for row in rows]


def listed(db: Database, entry_id: UUID) -> Listed:
    """Return one effect or mail; raise `NotFound`."""
    row = db.fetch_one("select * from public.outbox_entries where id = %s", [entry_id])
    if row is None:
        raise NotFound(f"Nothing in the outbox has the id {entry_id}.", "See `greenlight outbox list`.")
    return _listed(row)


def of_owner(db: Database, owner_clerk_id: str, entry_id: UUID) -> Listed:
    """Return an effect or mail of a project of the owner's; raise `NotFound` for another one as for none."""
    row = db.fetch_one(
        "select e.* from public.outbox_entries e join public.projects p on p.id = e.project_id"
        " where e.id = %s and p.owner_clerk_id = %s",
        [entry_id, owner_clerk_id],
    )
    if row is None:
        raise NotFound(f"Nothing in the outbox has the id {entry_id}.", "See `greenlight outbox list`.")
    return _listed(row)


def get(db: Database, entry_id: UUID) -> Entry:
    """Return one effect; raise `NotFound`."""
    row = db.fetch_one("select * from public.outbox where id = %s", [entry_id])
    if row is None:
        raise NotFound(f"There is no effect {entry_id}.", "See `greenlight outbox list`.")
    return entry_from_row(row)


def mail(db: Database, email_id: UUID) -> dict[str, Any]:
    """Return one mail as it is stored, with its text; raise `NotFound`."""
    row = db.fetch_one("select * from public.email_jobs where id = %s", [email_id])
    if row is None:
        raise NotFound(f"There is no mail {email_id}.", "See `greenlight outbox list`.")
    return row


def _listed(row: Mapping[str, Any]) -> Listed:
    return Listed(**{name: row[name] for name in Listed.__dataclass_fields__})


@dataclass(frozen=True)
class Resolved:
    """What became of a person's word: the status of effect or mail, and of an effect whether its job goes on."""

    status: str
    job_id: UUID | None
    job_outcome: str | None


def resolve(
    db: Database,
    entry_id: UUID,
    resolution: Resolution,
    *,
    by: str,
    provider_id: str | None = None,
    note: str | None = None,
) -> Resolved:
    """Say, as a person who has looked, what became of an effect or a mail that is `unknown`.

    `done`: it happened, and is not done again. `retry`: it did not, and is done again. An effect's job goes on from
    there; in a project that is not active it cannot, so that its execution ends here. `retry` is then no answer where
    the project is paused; in a killed one it ends effect and execution as failed.
    Raises `NotFound`, `Conflict` where it is not unknown, `JobBusy` while its job is at work, `PermissionRefused`.
    """
    for text, what in ((provider_id, "The provider's id"), (note, "The note")):
        if text is not None:
            require_storable(text, what)

    kind = listed(db, entry_id).kind

    def say() -> Resolved:
        with translated(), db.transaction() as conn:
            if kind == "mail":
                sent = resolution == "done"
                status = due.resolve(conn, entry_id, sent=sent, by=by, provider_message_id=provider_id, note=note)
                return Resolved(status, None, None)
            row = conn.execute(
                "select * from public.resolve_outbox_effect(%s, %s, %s, %s, %s)",
                [entry_id, resolution, by, provider_id, note],
            ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return Resolved(**row)

    return transiently(say)
