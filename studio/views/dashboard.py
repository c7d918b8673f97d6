"""The dashboard: what needs its owner, what runs now, what happened at night, what it costs, where projects stand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Database
from studio.kpis import Kpis
from studio.model.spend import Budget
from studio.night_shift.report import Activity
from studio.outbox import Listed
from studio.views import inbox
from studio.views.inbox import Question

# What fits on a screen; the counts beside each list say how many there are.
APPROVALS_SHOWN = 5
HELD_SHOWN = 5
FAILED_SHOWN = 5
RUNNING_SHOWN = 12
NIGHTS_SHOWN = 4
PROJECTS_SHOWN = 50
# A failure that nobody has looked at for so long is history; it stays in the project's activity.
FAILED_WITHIN = timedelta(days=14)
SPEND_DAYS = 7
# From here on a budget is worth a word.
NEARLY_SPENT = 0.9


@dataclass(frozen=True)
class FailedJob:
    """A job that has ended without success, and whose like has not succeeded since.

    Of the execution of an action, `approval_id` and `title` are those of its approval.
    """

    id: UUID
    project_id: UUID
    project_name: str
    project_status: str
    job_type: str
    payload: dict[str, Any]
    error: str | None
    attempts: int
    ended_at: datetime
    dagster_run_id: str | None
    approval_id: UUID | None
    title: str | None


@dataclass(frozen=True)
class PausedProject:
    """A project in which nothing happens until it is resumed. `since` and `reason` are those of the pause."""

    id: UUID
    name: str
    since: datetime | None
    reason: str | None


@dataclass(frozen=True)
class Needs:
    """What waits for the owner: of each the first ones, and how many there are."""

    approvals: list[Question]
    approvals_count: int
    held: list[Listed]
    held_count: int
    failed: list[FailedJob]
    failed_count: int
    paused: list[PausedProject]
    names: dict[UUID, str]

    @property
    def count(self) -> int:
        """How many things wait."""
        return self.approvals_count + self.held_count + self.failed_count + len(self.paused)


@dataclass(frozen=True)
class LiveJob:
    """A job that runs or is queued. `step` is what it has said last of what it does, None before it has."""

    id: UUID
    project_id: UUID
    project_name: str
    job_type: str
    payload: dict[str, Any]
    agent_key: str
    status: Literal["queued", "running"]
    attempts: int
    step: str | None
    created_at: datetime
    started_at: datetime | None
    run_after: datetime
    last_error: str | None
    dagster_run_id: str | None
    stopping: bool


@dataclass(frozen=True)
class Night:
    """What one night did in a project. `activity` is what happened since the night before, where that is said."""

    project_id: UUID
    project_name: str
    day: str
    at: datetime
    skip: str | None
    activity: Activity | None
    outcomes: list[dict[str, Any]]
    missing: list[str]

    def ended(self, ending: str) -> list[dict[str, Any]]:
        """Return the candidates that ended so."""
        return [outcome for outcome in self.outcomes if outcome.get("ending") == ending]


@dataclass(frozen=True)
class Spending:
    """What models have cost, in micro-dollars. `days` are the last seven UTC days, the oldest first."""

    today: int
    week: int
    calls_today: int
    days: list[tuple[date, int]]


@dataclass(frozen=True)
class Standing:
    """Where a project stands. `confidence` is that of its newest packet, of phase `packet_phase`."""

    id: UUID
    name: str
    status: str
    phase: int
    night_shift: bool
    live_url: str | None
    confidence: int | None
    packet_phase: int | None
    packet_at: datetime | None
    running: int
    pending: int
    budget: Budget | None
    kpis: Kpis

    @property
    def left(self) -> int | None:
        """What is left of the money, None where there is no cap."""
        if self.budget is None or self.budget.cap_micros is None:
            return None
        return max(0, self.budget.cap_micros - self.budget.spent_micros - self.budget.reserved_micros)

    @property
    def nearly_spent(self) -> bool:
        """Whether hardly anything is left of the money."""
        cap = self.budget.cap_micros if self.budget else None
        return cap is not None and self.left is not None and self.left <= cap * (1 - NEARLY_SPENT)

    @property
    def measured(self) -> bool:
        """Whether anything was measured in the last 30 days."""
        return bool(self.kpis.traffic_30d or self.kpis.leads_30d or self.kpis.payments_30d)


def needs(db: Database, owner: str) -> Needs:
    """Return what waits for an owner."""
    held, held_count = _held(db, owner)
    failed, failed_count = _failed(db, owner)
    return Needs(
        approvals=inbox.pending(db, owner, limit=APPROVALS_SHOWN),
        approvals_count=inbox.waiting(db, owner),
        held=held,
        held_count=held_count,
        failed=failed,
        failed_count=failed_count,
        paused=_paused(db, owner),
        names=names(db, owner),
    )


def names(db: Database, owner: str) -> dict[UUID, str]:
    """Return the names of an owner's projects, by id, in the order of the names."""
    rows = db.fetch_all(
        "select id, name from public.projects where owner_clerk_id = %s order by lower(name), id", [owner]
    )
    return {row["id"]: row["name"] for row in rows}


def running(db: Database, owner: str) -> tuple[list[LiveJob], int]:
    """Return what runs and what is queued, running first, at most `RUNNING_SHOWN`; and how many there are."""
    rows = db.fetch_all(
        "select j.*, p.name as project_name, j.cancel_requested_at is not null as stopping,"
        " coalesce((select t.description from public.tasks t where t.job_id = j.id and t.status = 'running'"
        "  order by t.started_at desc nulls last, t.id limit 1),"
        "  (select e.message from public.agent_job_events e where e.job_id = j.id and e.type in ('log', 'tool_call')"
        "  order by e.seq desc limit 1)) as step, count(*) over ()::int as n"
        " from public.agent_jobs j join public.projects p on p.id = j.project_id"
        " where p.owner_clerk_id = %s and j.status in ('running', 'queued')"
        " order by j.status desc, coalesce(j.started_at, j.created_at), j.id limit %s",
        [owner, RUNNING_SHOWN],
    )
    found = [LiveJob(**{name: row[name] for name in LiveJob.__dataclass_fields__}) for row in rows]
    return found, rows[0]["n"] if rows else 0


def nights(db: Database, owner: str, limit: int = NIGHTS_SHOWN) -> list[Night]:
    """Return the last night of each project that had one, the newest first."""
    rows = db.fetch_all(
        "select p.id as project_id, p.name as project_name, e.data, e.created_at as at from public.projects p"
        " cross join lateral (select data, created_at from public.project_events where project_id = p.id"
        "  and event_type = 'nightshift.cycle_completed' order by created_at desc, id limit 1) e"
        " where p.owner_clerk_id = %s and p.status <> 'killed' order by e.created_at desc, p.id limit %s",
        [owner, limit],
    )
    return [_night(row) for row in rows]


def _night(row: dict[str, Any]) -> Night:
    data = row["data"] if isinstance(row["data"], dict) else {}
    try:
        activity = Activity.from_json(data["activity"])
    except (KeyError, TypeError, ValueError):
        activity = None  # another client's night counts otherwise
    outcomes = data.get("outcomes")
    missing = data.get("missing")
    return Night(
        project_id=row["project_id"],
        project_name=row["project_name"],
        day=str(data.get("day") or f"{row['at']:%Y-%m-%d}"),
        at=row["at"],
        skip=data.get("skip"),
        activity=activity,
        outcomes=[outcome for outcome in outcomes if isinstance(outcome, dict)] if isinstance(outcomes, list) else [],
        missing=[str(why) for why in missing] if isinstance(missing, list) else [],
    )


def spending(db: Database, owner: str) -> Spending:
    """Return what models have cost an owner; what a lost call had reserved counts in full, as in the ledger."""
    rows = db.fetch_all(
        "select d.day::date as day, coalesce(sum(coalesce(c.cost_micros, c.reserved_micros)), 0)::bigint as micros,"
        " count(c.id)::int as calls from (select date_trunc('day', now() at time zone 'UTC') as today) t"
        " cross join generate_series(t.today - make_interval(days => %(days)s - 1), t.today, interval '1 day') d (day)"
        " left join (select m.* from public.model_calls m join public.projects p on p.id = m.project_id"
        "  where p.owner_clerk_id = %(owner)s and m.created_at > now() - make_interval(days => %(days)s)) c"
        " on date_trunc('day', c.created_at at time zone 'UTC') = d.day group by d.day order by d.day",
        {"owner": owner, "days": SPEND_DAYS},
    )
    days = [(row["day"], row["micros"]) for row in rows]
    return Spending(
        today=rows[-1]["micros"], week=sum(micros for _, micros in days), calls_today=rows[-1]["calls"], days=days
    )


def standings(db: Database, owner: str) -> list[Standing]:
    """Return where an owner's projects stand: those that live first, what was worked on last first."""
    rows = db.fetch_all(
        "select p.id, p.name, p.status, p.phase, p.night_shift, p.live_url, v.confidence, v.phase as packet_phase,"
        " v.created_at as packet_at, b.project_id is not null as has_budget, b.cap_micros, b.cap_tokens, b.cap_calls,"
        " b.spent_micros, b.reserved_micros, b.spent_tokens, b.reserved_tokens, b.calls, k.*,"
        " (select count(*)::int from public.agent_jobs j where j.project_id = p.id and j.status = 'running')"
        "  as running,"
        " (select count(*)::int from public.approval_queue a where a.project_id = p.id and a.status = 'pending')"
        "  as pending from public.projects p"
        " left join lateral (select w.confidence, w.phase, w.created_at from public.phase_packets f"
        "  join public.phase_packet_versions w on w.id = f.version_id where f.project_id = p.id"
        "  order by f.phase desc limit 1) v on true"
        " left join public.project_budgets b on b.project_id = p.id"
        " cross join lateral public.project_kpis(p.id) k where p.owner_clerk_id = %s"
        " order by p.status = 'killed', greatest(p.created_at, v.created_at) desc, p.id limit %s",
        [owner, PROJECTS_SHOWN],
    )
    return [_standing(row) for row in rows]


def _standing(row: dict[str, Any]) -> Standing:
    own = {name: row[name] for name in Standing.__dataclass_fields__ if name not in ("budget", "kpis")}
    budget = Budget(**{f.name: row[f.name] for f in fields(Budget)}) if row["has_budget"] else None
    return Standing(**own, budget=budget, kpis=Kpis(**{f.name: row[f.name] for f in fields(Kpis)}))


def _held(db: Database, owner: str) -> tuple[list[Listed], int]:
    rows = db.fetch_all(
        "select o.*, count(*) over ()::int as n from public.outbox_entries o"
        " join public.projects p on p.id = o.project_id"
        " where p.owner_clerk_id = %s and o.status = 'unknown' order by o.created_at, o.id limit %s",
        [owner, HELD_SHOWN],
    )
    found = [Listed(**{name: row[name] for name in Listed.__dataclass_fields__}) for row in rows]
    return found, rows[0]["n"] if rows else 0


def _failed(db: Database, owner: str) -> tuple[list[FailedJob], int]:
    rows = db.fetch_all(
        "select j.id, j.project_id, p.name as project_name, p.status as project_status, j.job_type, j.payload,"
        " j.last_error as error, j.attempts, j.completed_at as ended_at, j.dagster_run_id, a.id as approval_id,"
        " a.title, count(*) over ()::int as n from public.agent_jobs j join public.projects p on p.id = j.project_id"
        " left join public.approval_queue a on a.execution_job_id = j.id"
        " where p.owner_clerk_id = %(owner)s and p.status <> 'killed' and j.status = 'failed'"
        # Where nobody knows whether it was done, that is what is to be settled.
        " and coalesce(a.execution_status, '') <> 'unknown'"
        " and j.completed_at > now() - %(within)s and not exists ("
        "  select from public.agent_jobs k where k.project_id = j.project_id and k.job_type = j.job_type"
        "  and k.created_at > j.created_at and k.status in ('completed', 'queued', 'running')"
        # A phase's packet is no other phase's.
        "  and k.payload -> 'phase' is not distinct from j.payload -> 'phase'"
        "  and k.payload -> 'approvalId' is not distinct from j.payload -> 'approvalId')"
        " order by j.completed_at desc, j.id limit %(limit)s",
        {"owner": owner, "within": FAILED_WITHIN, "limit": FAILED_SHOWN},
    )
    found = [FailedJob(**{name: row[name] for name in FailedJob.__dataclass_fields__}) for row in rows]
    return found, rows[0]["n"] if rows else 0


def _paused(db: Database, owner: str) -> list[PausedProject]:
    rows = db.fetch_all(
        "select p.id, p.name, l.created_at as since, l.reason from public.projects p"
        " left join lateral (select created_at, reason from public.project_audit_log where project_id = p.id"
        "  and what = 'status' and after #>> '{}' = 'paused' order by created_at desc limit 1) l on true"
        " where p.owner_clerk_id = %s and p.status = 'paused' order by l.created_at desc nulls last, p.id",
        [owner],
    )
    return [PausedProject(**row) for row in rows]
