"""The tally of a round of due mail: how many mails were sent, and how many still wait and why.

Counted in the database, so that it is right whichever attempts and processes had a share in the round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, cast, get_args

from studio.database.connection import Database

Why = Literal["daily_cap", "quiet_hours", "permission", "inactive", "next_round", "put_off", "sender"]

_WORDS: dict[Why, str] = {
    "daily_cap": "for the daily cap",
    "quiet_hours": "for the end of quiet hours",
    "permission": "for the permission to send mail",
    "inactive": "for their project to be active",
    "next_round": "for the next round",
    "put_off": "for another try after an error",
    "sender": "in the hands of a sender",
}


@dataclass(frozen=True)
class Start:
    """What a round began with: the moment, by the database's clock, and how many due mails were suppressed then."""

    at: datetime
    suppressed: int

    def as_json(self) -> dict[str, Any]:
        """Return it for a checkpoint."""
        return {"at": self.at.isoformat(), "suppressed": self.suppressed}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Start:
        """Return what `as_json` gave."""
        return cls(datetime.fromisoformat(value["at"]), value["suppressed"])


@dataclass(frozen=True)
class Tally:
    """What a round came to. `waiting` counts what was due and has not left, by the reason, without those that are 0."""

    sent: int
    failed: int
    unknown: int
    suppressed: int
    waiting: Mapping[Why, int]

    @property
    def told(self) -> str:
        """It all as a sentence or two."""
        ends = (
            (self.sent, "sent"),
            (self.failed, "failed"),
            (self.unknown, "unknown"),
            (self.suppressed, "suppressed"),
        )
        said = ", ".join(f"{count} {end}" for count, end in ends if count) or "nothing was sent"
        waiting = sum(self.waiting.values())
        if not waiting:
            return f"{said}."
        reasons = ", ".join(f"{count} {_WORDS[why]}" for why, count in self.waiting.items())
        return f"{said}. {waiting} {'waits' if waiting == 1 else 'wait'}: {reasons}."

    def as_json(self) -> dict[str, Any]:
        """Return every count, also those that are 0, for a checkpoint and an artifact."""
        return {
            "sent": self.sent,
            "failed": self.failed,
            "unknown": self.unknown,
            "suppressed": self.suppressed,
            "waiting": sum(self.waiting.values()),
            **{f"waiting_{why}": self.waiting.get(why, 0) for why in _WORDS},
        }


def start(db: Database) -> Start:
    """Return what a round begins with."""
    row = db.fetch_one("select now() as at")
    assert row is not None  # noqa: S101 - a select without a table returns its row
    return Start(row["at"], _suppressed(db, row["at"]))


def count(db: Database, run: str, started: Start) -> Tally:
    """Count what the round `run` has come to so far, since `started`.

    Suppressed are the mails that were due when it started and are suppressed since, by the round or by their receiver
    meanwhile.
    """
    # By project, as the index is; what happened to a project's mails in a run is one event per outcome.
    rows = db.fetch_all(
        "select e.event_type, sum((e.data ->> 'mails')::integer)::integer as mails from public.projects p"
        " cross join lateral (select event_type, data from public.project_events where project_id = p.id"
        " and event_type in ('email.outbound.sent', 'email.outbound.failed', 'email.outbound.unknown')"
        " and data ? 'mail_run' and data ->> 'mail_run' = %s) e group by e.event_type",
        [run],
    )
    ended = {row["event_type"].rpartition(".")[2]: row["mails"] for row in rows}
    return Tally(
        sent=ended.get("sent", 0),
        failed=ended.get("failed", 0),
        unknown=ended.get("unknown", 0),
        suppressed=max(0, _suppressed(db, started.at) - started.suppressed),
        waiting=waiting(db),
    )


def waiting(db: Database, now: datetime | None = None) -> dict[Why, int]:
    """Return how many mails that are or were due have not left, by the reason; `now` stands for the clock.

    The rules are those of `email_wait`, which says the same of a single mail in words.
    """
    rows = db.fetch_all(
        "select why, sum(mails)::integer as mails from ("
        " select w.mails, case when p.status <> 'active' then 'inactive'"
        " when public.email_hold(p, w.category) is not null then 'permission'"
        " when w.category not in ('transactional', 'waitlist') and public.in_quiet_hours("
        "  p.quiet_hours_start, p.quiet_hours_end, p.timezone, t.now) then 'quiet_hours'"
        " when p.email_daily_cap <= (select count(*) from public.email_jobs c where c.project_id = p.id"
        "  and c.counted_on = (t.now at time zone p.timezone)::date) then 'daily_cap'"
        " else 'next_round' end as why"
        " from (select coalesce(%s::timestamptz, now()) as now) t"
        " cross join lateral (select project_id, category, count(*) as mails from public.email_jobs"
        "  where status = 'queued' and scheduled_for <= t.now group by project_id, category) w"
        " join public.projects p on p.id = w.project_id"
        " union all select count(*), 'put_off' from public.email_jobs"
        "  where status = 'queued' and scheduled_for > coalesce(%s::timestamptz, now()) and error is not null"
        " union all select count(*), 'sender' from public.email_jobs where status = 'sending'"
        ") x group by why having sum(mails) > 0",
        [now, now],
    )
    found = {row["why"]: row["mails"] for row in rows}
    return {why: found[why] for why in cast("tuple[Why, ...]", get_args(Why)) if why in found}


def _suppressed(db: Database, at: datetime) -> int:
    row = db.fetch_one(
        "select count(*)::integer as mails from public.email_jobs where status = 'suppressed' and scheduled_for <= %s",
        [at],
    )
    return row["mails"] if row else 0
