"""What has stopped on its way out and is not taken up by itself: mails, effects, and what only a person knows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from studio.database.connection import Database

# The hourly round takes up mails whose sender was lost. Two of them have passed by then, so it is not coming.
ROUNDS_MISSED = timedelta(hours=2)


@dataclass(frozen=True)
class LostMails:
    """Mails with a sender that was lost, whose leases are over for more than `ROUNDS_MISSED`, up to `seconds`."""

    count: int
    seconds: int


@dataclass(frozen=True)
class LostEffect:
    """An effect that is being sent by nobody. `job_status` is that of its job, None where that is gone."""

    id: UUID
    effect: str
    provider: str
    job_id: UUID | None
    job_status: str | None


@dataclass(frozen=True)
class HeldEntry:
    """A mail or an effect of which nobody knows whether it left; `what` and `where` only of an effect.

    Neither the receiver of a mail nor its words: what is said of an installation is passed on.
    """

    id: UUID
    what: str | None
    where: str | None


@dataclass(frozen=True)
class Stuck:
    """All of it; of the two lists the oldest entries, with the counts of all."""

    mails: LostMails | None
    effects: list[LostEffect]
    effects_count: int
    held: list[HeldEntry]
    held_count: int


def find(db: Database, *, limit: int) -> Stuck:
    """Return what has stopped on its way out, of effects and of what is held at most `limit` entries each."""
    effects, effects_count = _effects(db, limit)
    held, held_count = _held(db, limit)
    return Stuck(_mails(db), effects, effects_count, held, held_count)


def _mails(db: Database) -> LostMails | None:
    row = db.fetch_one(
        "select count(*)::int as count, extract(epoch from now() - min(leased_until))::int as seconds"
        " from public.email_jobs where status = 'sending' and leased_until < now() - %s",
        [ROUNDS_MISSED],
    )
    return LostMails(**row) if row and row["count"] else None


def _effects(db: Database, limit: int) -> tuple[list[LostEffect], int]:
    # A queued job takes its effect up by itself, and one that ends settles it. What is left is a job whose run is
    # gone and that nobody has taken back, or none at all.
    rows = db.fetch_all(
        "select o.id, o.effect, o.provider, j.id as job_id, j.status as job_status, count(*) over ()::int as n"
        " from public.outbox o left join public.agent_jobs j on j.id = o.job_id"
        " where o.status = 'sending' and (j.id is null or j.status in ('completed', 'failed', 'canceled')"
        "  or j.status = 'running' and (j.leased_until is null or j.leased_until < now()))"
        " order by o.sent_at, o.id limit %s",
        [limit],
    )
    names = LostEffect.__dataclass_fields__
    return [LostEffect(**{name: row[name] for name in names}) for row in rows], rows[0]["n"] if rows else 0


def _held(db: Database, limit: int) -> tuple[list[HeldEntry], int]:
    rows = db.fetch_all(
        "select kind, id, subject, recipient, count(*) over ()::int as n from public.outbox_entries"
        " where status = 'unknown' order by created_at, id limit %s",
        [limit],
    )
    held = [
        HeldEntry(row["id"], None, None)
        if row["kind"] == "mail"
        else HeldEntry(row["id"], row["subject"], row["recipient"])
        for row in rows
    ]
    return held, rows[0]["n"] if rows else 0
