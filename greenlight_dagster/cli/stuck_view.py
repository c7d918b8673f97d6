"""What has stopped on its way out, as `greenlight doctor` says it: who or which command takes it up."""

from __future__ import annotations

from collections.abc import Iterator

from studio.stuck import ROUNDS_MISSED, HeldEntry, LostEffect, LostMails, Stuck

# As many as a line holds; the list commands have all of them.
NAMED = 3


def told(found: Stuck) -> Iterator[str]:
    """Yield a sentence with its command for each kind of mail and effect that nobody takes up by himself."""
    if found.mails is not None:
        yield _lost_mails(found.mails)
    for effect in found.effects:
        yield f"{effect.effect} at {effect.provider} is being sent, but {_lost_job(effect)}"
    if found.effects_count > len(found.effects):
        more = found.effects_count - len(found.effects)
        yield f"{more} more are being sent by nobody: `greenlight outbox list --status sending`"
    for entry in found.held:
        yield (
            f"nobody knows what became of {_what(entry)}: look there, then"
            f" `greenlight outbox resolve {entry.id} --done`, or --retry"
        )
    if found.held_count > len(found.held):
        yield f"{found.held_count - len(found.held)} more are held: `greenlight outbox list --status unknown`"


def _lost_mails(lost: LostMails) -> str:
    mails = "1 mail is" if lost.count == 1 else f"{lost.count} mails are"
    hours = round(ROUNDS_MISSED.total_seconds() / 3600)
    return (
        f"{mails} with a sender that was lost, its lease over for up to {lost.seconds} s. The hourly round takes them"
        f" up by itself where a stack runs, and has not for over {hours} hours: `greenlight outbox send` queues one"
    )


def _lost_job(effect: LostEffect) -> str:
    if effect.job_status == "running":
        return (
            f"the lease of its job is over; a running stack takes it back (see `greenlight jobs show {effect.job_id}`)"
        )
    if effect.job_status in ("failed", "canceled"):
        return f"its job is {effect.job_status}: `greenlight jobs retry {effect.job_id}` finds out what became of it"
    return f"its job is over, and nobody finds out what became of it: see `greenlight outbox show {effect.id}`"


def _what(entry: HeldEntry) -> str:
    return "a mail" if entry.what is None else f"{entry.what} at {entry.where}"
