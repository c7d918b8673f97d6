"""Who may not be written to any more, and the link with which anybody gets there.

A suppression holds for one project's mail, for the studio's own (the system project), or for all (None). It is
looked up when a letter is queued, when it is claimed, and once more right before it is sent.
"""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from studio import links
from studio.database.connection import Connection
from studio.errors import SettingsError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.settings import Settings

Reason = Literal["unsubscribed", "bounced", "complained", "blocked"]
Sender = Literal["project", "studio"]


def suppress(conn: Connection, email: str, reason: Reason, *, project_id: UUID | None) -> int:
    """End a project's mail to an address (None: everybody's), in the caller's transaction.

    Return how many queued mails are not sent because of it. Its place on a waitlist ends with it.
    """
    row = conn.execute("select public.suppress_email(%s, %s, %s) as stopped", [email, project_id, reason]).fetchone()
    assert row is not None  # noqa: S101 - a function returns its row
    return int(row["stopped"])


def lift(conn: Connection, email: str, *, project_id: UUID) -> bool:
    """Let a project write again to who had unsubscribed and now asks for it; return whether that changed anything.

    A bounce, a complaint or a block stays: it says more than that somebody had enough. What the unsubscription has
    stopped of the active welcome sequence is forgotten, so that `sequences.enroll` queues it anew.
    """
    row = conn.execute("select public.lift_unsubscription(%s, %s) as lifted", [email, project_id]).fetchone()
    return bool(row and row["lifted"])


def reason_against(conn: Connection, email: str, project_id: UUID, sender: Sender, category: str) -> str | None:
    """Return why such a mail may not go to the address, None where it may."""
    row = conn.execute(
        "select public.email_suppression(%s, %s, %s, %s) as reason", [email, project_id, sender, category]
    ).fetchone()
    return row["reason"] if row else None


def never_again_url(settings: Settings, project_id: UUID, email: str) -> str:
    """Return the link that keeps a project from ever asking an address again; raise `SettingsError` as below."""
    try:
        return links.block_url(settings, project_id, email)
    except SettingsError as exc:
        raise _no_link(exc) from exc


def unsubscribe_url(settings: Settings, project_id: UUID, sender: Sender, email: str) -> str:
    """Return the link that ends this sender's mail to an address.

    Raise `SettingsError` that names what is missing: without the link such mail is not sent at all.
    """
    try:
        scope = SYSTEM_PROJECT_ID if sender == "studio" else project_id
        return links.unsubscribe_url(settings, scope, email)
    except SettingsError as exc:
        raise _no_link(exc) from exc


def _no_link(exc: SettingsError) -> SettingsError:
    return SettingsError(f"Mail without an unsubscribe link is not sent. {exc.message}", exc.remedy)
