"""What both mail actions do: schedule the approved mails for everybody who has confirmed an address."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from studio.actions.context import ActionContext, Outcome
from studio.database.connection import Connection
from studio.mail import dispatch, sequences
from studio.packets.phase1 import SequenceEmail


def schedule(
    context: ActionContext, emails: Sequence[SequenceEmail], category: Literal["sequence", "lifecycle"]
) -> dict[str, Any]:
    """Queue the mails, all in one transaction; return how many receivers there are and how many mails are new."""

    def queue(conn: Connection) -> dict[str, Any]:
        scheduled = sequences.schedule(
            conn,
            context.settings,
            project_id=context.project_id,
            approval_id=context.approved.id,
            emails=emails,
            category=category,
        )
        return {
            "recipients": scheduled.recipients,
            "mails_queued": scheduled.emails,
            "mails_replaced": scheduled.replaced,
            "mails_in_sequence": len(emails),
        }

    queued: dict[str, Any] = context.once("schedule", queue)
    if queued["mails_queued"]:
        # Those of the first day need not wait for the hour.
        dispatch.send_soon(context.claim.db)
    return queued


def said(what: str, queued: dict[str, Any], nobody: str) -> Outcome:
    """Return the outcome in words: how many mails are queued for how many people, or that there is nobody."""
    people, mails = queued["recipients"], queued["mails_queued"]
    if not people:
        return Outcome(nobody, queued)
    return Outcome(
        f"{what}: {mails} mail{'' if mails == 1 else 's'} queued for"
        f" {people} confirmed address{'' if people == 1 else 'es'}",
        queued,
    )
