"""`send_welcome_email_sequence`: the approved sequence for who has confirmed an address, and for who will."""

from __future__ import annotations

from studio.actions import mails
from studio.actions.context import ActionContext, Outcome
from studio.packets.fields import PacketModel
from studio.packets.phase1 import EmailSequence


class _Welcome(PacketModel):
    email_sequence: EmailSequence


def perform(context: ActionContext) -> Outcome:
    """Schedule the sequence, each mail on its day."""
    emails = context.packet(_Welcome, 1).email_sequence.emails
    return mails.said(
        "The welcome sequence is on its way",
        mails.schedule(context, emails, "sequence"),
        "Nobody has confirmed an address yet; whoever does gets the welcome sequence",
    )
