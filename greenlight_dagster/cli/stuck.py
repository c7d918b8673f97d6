"""What has stopped on its way out, and who or which command takes it up: for `greenlight doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from studio.database.connection import Database

# As many as a line holds; the list commands have all of them.
NAMED = 3


def stuck(db: Database) -> Iterator[str]:
    """Yield a sentence with its command for each kind of mail and effect that nobody takes up by himself."""
    yield from _mails_of_lost_senders(db)
    yield from _effects_of_lost_jobs(db)
    yield from _held(db)


def _mails_of_lost_senders(db: Database) -> Iterator[str]:
    row = db.fetch_one(
        "select count(*)::int as mails, extract(epoch from now() - min(leased_until))::int as seconds"
        " from public.email_jobs where status = 'sending' and leased_until < now()"
    )
    if row and row["mails"]:
        mails = "1 mail is" if row["mails"] == 1 else f"{row['mails']} mails are"
        yield (
            f"{mails} with a sender that was lost, its lease over for up to {row['seconds']} s:"
            " `greenlight outbox send` takes them up"
        )


def _effects_of_lost_jobs(db: Database) -> Iterator[str]:
    # A queued job takes its effect up by itself, and one that ends settles it. What is left is a job whose run is
    # gone and that nobody has taken back, or none at all.
    rows = db.fetch_all(
        "select o.id, o.effect, o.provider, j.id as job_id, j.status from public.outbox o"
        " left join public.agent_jobs j on j.id = o.job_id"
        " where o.status = 'sending' and (j.id is null or j.status in ('completed', 'failed', 'canceled')"
        "  or j.status = 'running' and (j.leased_until is null or j.leased_until < now()))"
        " order by o.sent_at, o.id"
    )
    for row in rows[:NAMED]:
        if row["status"] == "running":
            how = "the lease of its job is over; a running stack takes it back"
            how += f" (see `greenlight jobs show {row['job_id']}`)"
        elif row["status"] in ("failed", "canceled"):
            how = f"its job is {row['status']}: `greenlight jobs retry {row['job_id']}` finds out what became of it"
        else:
            how = f"its job is over, and nobody finds out what became of it: see `greenlight outbox show {row['id']}`"
        yield f"{row['effect']} at {row['provider']} is being sent, but {how}"
    if len(rows) > NAMED:
        yield f"{len(rows) - NAMED} more are being sent by nobody: `greenlight outbox list --status sending`"


def _held(db: Database) -> Iterator[str]:
    rows = db.fetch_all(
        "select kind, id, subject, recipient, count(*) over () as held from public.outbox_entries"
        " where status = 'unknown' order by created_at, id limit %s",
        [NAMED],
    )
    for row in rows:
        yield (
            f"nobody knows what became of {_what(row)}: look there, then"
            f" `greenlight outbox resolve {row['id']} --done`, or --retry"
        )
    if rows and rows[0]["held"] > NAMED:
        yield f"{rows[0]['held'] - NAMED} more are held: `greenlight outbox list --status unknown`"


def _what(row: dict[str, Any]) -> str:
    if row["kind"] == "mail":
        # Neither its receiver nor its words: what doctor says is passed on.
        return "a mail"
    return f"{row['subject']} at {row['recipient']}"
