"""What the night has to say: what happened since the last one, in real numbers, and what it recommends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.kpis import counted
from studio.model.prices import MICROS
from studio.night_shift.proposing import Outcome
from studio.text import clip

# Domain specification §5.
RECOMMENDATIONS = 5


@dataclass(frozen=True)
class Activity:
    """What happened to a project between two moments (the second included), counted from the rows themselves.

    What waits or is held counts as of `until`; `spent_micros` is in millionths of a dollar.
    """

    since: datetime
    until: datetime
    jobs_completed: int
    jobs_failed: int
    packets: int
    decisions: int
    approvals_waiting: int
    actions_completed: int
    actions_failed: int
    actions_held: int
    mails_sent: int
    mails_failed: int
    mails_held: int
    visits: int
    leads: int
    spent_micros: int

    @classmethod
    def between(cls, conn: Connection, project_id: UUID, since: datetime) -> Activity:
        """Count what happened after `since`, until the caller's transaction."""
        row = conn.execute(
            "select now() as until, a.* from public.project_activity(%s, %s, now()) a", [project_id, since]
        ).fetchone()
        assert row is not None  # noqa: S101 - counts are a row
        return cls(since=since, **row)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Activity:
        """Return what `json` has made."""
        moments = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until")}
        return cls(**{**stored, **moments})

    def json(self) -> dict[str, Any]:
        """Return it as a checkpoint and the ledger hold it."""
        return {**asdict(self), "since": self.since.isoformat(), "until": self.until.isoformat()}

    def happened(self) -> list[str]:
        """Return what is to be said, a few words each; what did not happen is not mentioned."""
        said = [
            _said(self.jobs_completed, "job", " completed"),
            _said(self.jobs_failed, "job", " failed"),
            _said(self.packets, "packet", " written"),
            _said(self.decisions, "decision", " made"),
            _said(self.actions_completed, "action", " carried out"),
            _said(self.actions_failed, "action", " failed"),
            _said(self.actions_held, "action", " held for a person"),
            _said(self.mails_sent, "mail", " sent"),
            _said(self.mails_failed, "mail", " failed"),
            _said(self.mails_held, "mail", " held for a person"),
            _said(self.visits, "visit"),
            _said(self.leads, "lead"),
            _spent(self.spent_micros),
        ]
        return [part for part in said if part]

    def sentence(self) -> str:
        """Return it in one sentence, with what waits for a decision."""
        parts = [*self.happened(), f"{counted(self.approvals_waiting, 'approval')} waiting"]
        return f"Since {self.since:%Y-%m-%d %H:%M} UTC: {', '.join(parts)}."


def last_cycle(conn: Connection, project_id: UUID) -> datetime | None:
    """Return until when the last cycle has counted, so that the next goes on from there; None before the first."""
    row = conn.execute(
        "select data ->> 'until' as until, created_at from public.project_events"
        " where project_id = %s and event_type = 'nightshift.cycle_completed' order by created_at desc, id limit 1",
        [project_id],
    ).fetchone()
    if row is None:
        return None
    try:
        until = datetime.fromisoformat(row["until"])
    except (TypeError, ValueError):
        return _created(row)  # another client's cycle says nothing of that
    return until if until.tzinfo else _created(row)


def _created(row: dict[str, Any]) -> datetime:
    created: datetime = row["created_at"]
    return created


def nights(db: Database, project_id: UUID, limit: int) -> list[dict[str, Any]]:
    """Return the project's last nights, the newest first: `day`, `at`, `message`, `skip`, `outcomes`, `missing`."""
    rows = db.fetch_all(
        "select message, data, created_at as at from public.project_events"
        " where project_id = %s and event_type = 'nightshift.cycle_completed' order by created_at desc, id limit %s",
        [project_id, limit],
    )
    return [
        {
            "day": row["data"].get("day") or f"{row['at']:%Y-%m-%d}",
            "at": row["at"],
            "message": row["message"],
            "skip": row["data"].get("skip"),
            "outcomes": row["data"].get("outcomes") or [],
            "missing": row["data"].get("missing") or [],
        }
        for row in rows
    ]


def recommendations(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the first five things to do: what was proposed or waits, then advice; what was skipped is none."""
    wanted = [o for o in outcomes if o.ending in ("proposed", "pending")]
    wanted += [o for o in outcomes if o.ending == "recommended"]
    return [
        {
            "priority": number,
            "description": outcome.description,
            "approval_action_type": outcome.action_type,
            "approval_id": outcome.approval_id,
        }
        for number, outcome in enumerate(wanted[:RECOMMENDATIONS], start=1)
    ]


def said(outcomes: Sequence[Outcome]) -> str:
    """Return in words what became of the candidates, why something was skipped included."""
    parts: list[str] = []
    for ending, words in (("proposed", "Proposed"), ("pending", "Waiting already"), ("skipped", "Skipped")):
        listed = [_brief(outcome) for outcome in outcomes if outcome.ending == ending]
        if listed:
            parts.append(f"{words}: {'; '.join(listed)}.")
    advice = sum(outcome.ending == "recommended" for outcome in outcomes)
    if advice:
        parts.append(f"{counted(advice, 'recommendation')} for a person.")
    return " ".join(parts) or "There is nothing new to propose."


def _brief(outcome: Outcome) -> str:
    name = outcome.action_type or clip(outcome.description, 60)
    return f"{name} ({outcome.why.rstrip('.')})" if outcome.ending == "skipped" else name


def _spent(micros: int) -> str:
    cents = Decimal(micros) / (MICROS // 100)
    if not micros:
        return ""
    return f"${cents / 100:.2f} spent on models" if cents >= 1 else "less than $0.01 spent on models"


def _said(count: int, noun: str, what: str = "") -> str:
    return f"{counted(count, noun)}{what}" if count else ""
