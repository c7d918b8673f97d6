"""`send_phase2_lifecycle_email`: the approved lifecycle mails for who has confirmed an address by now."""

from __future__ import annotations

from studio.actions import mails
from studio.actions.context import ActionContext, Outcome
from studio.packets.fields import PacketModel
from studio.packets.phase2 import LifecycleEmail


class _Lifecycle(PacketModel):
    lifecycle_email: LifecycleEmail


def perform(context: ActionContext) -> Outcome:
    """Schedule the mails, each on its day."""
    emails = context.packet(_Lifecycle, 2).lifecycle_email.emails
    return mails.said(
        "The lifecycle mails are on their way",
        mails.schedule(context, emails, "lifecycle"),
        "Nobody has confirmed an address yet, so no mail was queued",
    )
