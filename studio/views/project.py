"""What a project's pages show: its phases with their packets, gates and jobs, its files, its page, its figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from studio import deliverables, kpis
from studio.approvals import GATE_ACTIONS
from studio.database.connection import Connection, Database
from studio.deliverables import Deliverable
from studio.errors import NotFound
from studio.kpis import Kpis
from studio.model import spend
from studio.model.spend import Budget
from studio.projects import Project
from studio.views.inbox import STANDING

PHASES = range(4)

PhaseState = Literal["ahead", "empty", "working", "failed", "waiting", "denied", "revised", "passed", "ready"]

_HEAD: LiteralString = """
select v.id, v.phase, v.version, v.confidence, coalesce(v.packet ->> 'recommendation', '') as verdict,
       coalesce(v.packet ->> 'tagline', v.packet ->> 'summary', '') as headline, v.model, v.prompt_version,
       v.cost_micros, v.source_job_id, v.created_at
from public.phase_packet_versions v
"""
_GATES: LiteralString = "select distinct on (a.phase) a.*, k.by_kill from public.approval_queue a"
_LATEST_GATES: LiteralString = """
where a.project_id = %s and a.type = 'phase_advance' and a.action_type = any(%s)
order by a.phase, a.created_at desc, a.id
"""
_ACTIONS: LiteralString = "select a.*, k.live_already as changes_nothing from public.approval_queue a"
_PENDING_ACTIONS: LiteralString = """
where a.project_id = %s and a.type = 'execution' and a.status = 'pending' order by a.created_at, a.id
"""


@dataclass(frozen=True)
class Head:
    """A packet version without its content."""

    id: UUID
    phase: int
    version: int
    confidence: int
    verdict: str
    headline: str
    model: str | None
    prompt_version: str | None
    cost_micros: int | None
    source_job_id: UUID | None
    created_at: datetime

    @property
    def sandbox(self) -> bool:
        """Whether the stand-in wrote it that needs no model."""
        return (self.model or "").startswith("sandbox")


@dataclass(frozen=True)
class GateHead:
    """The latest gate of a phase. `by_kill` says that nobody denied it, but that the project was ended."""

    id: UUID
    phase: int
    status: str
    version: int
    risk: str
    guidance: str | None
    packet_version_id: UUID | None
    created_at: datetime
    decided_at: datetime | None
    by_kill: bool


@dataclass(frozen=True)
class PhaseJob:
    """The latest job that makes or made the packet of a phase."""

    id: UUID
    job_type: str
    phase: int
    status: str
    attempts: int
    last_error: str | None
    dagster_run_id: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None

    @property
    def open(self) -> bool:
        """Whether it runs or waits."""
        return self.status in ("queued", "running")

    @property
    def starting(self) -> bool:
        """Whether it was claimed, and its run has not begun yet."""
        return self.status == "running" and self.dagster_run_id is None


@dataclass(frozen=True)
class PhaseView:
    """A phase of a project, and what can be said of it."""

    phase: int
    state: PhaseState
    packet: Head | None
    gate: GateHead | None
    job: PhaseJob | None


@dataclass(frozen=True)
class Asked:
    """An action that waits for a decision. `changes_nothing`: it would publish the page that is live already."""

    id: UUID
    phase: int
    title: str
    risk: str
    action_type: str
    created_at: datetime
    changes_nothing: bool


@dataclass(frozen=True)
class Page:
    """The page that the world sees."""

    live_url: str
    publication_no: int
    published_at: datetime


@dataclass(frozen=True)
class Overview:
    """What a project's first page shows."""

    phases: list[PhaseView]
    asked: list[Asked]
    files: list[tuple[int, Deliverable]]
    page: Page | None
    kpis: Kpis
    budget: Budget | None

    @property
    def latest(self) -> Head | None:
        """The packet of the latest phase that has one."""
        return next((view.packet for view in reversed(self.phases) if view.packet is not None), None)


def overview(db: Database, project: Project) -> Overview:
    """Return what there is to say of a project."""
    with db.connection() as conn:
        phases = _phases(conn, project)
        return Overview(
            phases=phases,
            asked=asked(conn, project.id),
            files=[
                (view.phase, entry)
                for view in phases
                if view.packet is not None
                for entry in deliverables.listed_in(conn, project.id, view.phase)
            ],
            page=_page(conn, project.id),
            kpis=kpis.kpis(conn, project.id),
            budget=spend.budget_in(conn, project.id),
        )


def phase_view(db: Database, project: Project, phase: int) -> PhaseView:
    """Return one phase of a project; raise `NotFound` where there is no such phase."""
    if phase not in PHASES:
        raise NotFound(f"There is no phase {phase}.", "The phases are 0 to 3.")
    with db.connection() as conn:
        return _phases(conn, project)[phase]


# --- rows


def _phases(conn: Connection, project: Project) -> list[PhaseView]:
    heads = {head.phase: head for head in _latest_heads(conn, project.id)}
    latest_gates = {gate.phase: gate for gate in gates(conn, project.id)}
    jobs = {job.phase: job for job in phase_jobs(conn, project.id)}
    views = []
    for phase in PHASES:
        head, gate, job = heads.get(phase), latest_gates.get(phase), jobs.get(phase)
        views.append(PhaseView(phase, _state(project, phase, head, gate, job), head, gate, job))
    return views


def _state(
    project: Project, phase: int, packet: Head | None, gate: GateHead | None, job: PhaseJob | None
) -> PhaseState:
    if job is not None and job.open:
        return "working"
    if (
        job is not None
        and job.status in ("failed", "canceled")
        and (packet is None or job.created_at > packet.created_at)
    ):
        return "failed"
    if project.phase > phase:
        return "passed"
    if packet is None:
        return "empty" if project.phase == phase else "ahead"
    if gate is None or gate.status == "approved":
        return "ready"
    states: dict[str, PhaseState] = {"pending": "waiting", "denied": "denied", "revised": "revised"}
    return states.get(gate.status, "ready")


def _head(row: dict[str, Any]) -> Head:
    return Head(**{name: row[name] for name in Head.__dataclass_fields__})


def heads_of(conn: Connection, project_id: UUID, phase: int) -> list[Head]:
    """Return the versions of a phase's packet, the newest first."""
    query = _HEAD + " where v.project_id = %s and v.phase = %s order by v.version desc"
    rows = conn.execute(query, [project_id, phase]).fetchall()
    return [_head(row) for row in rows]


def _latest_heads(conn: Connection, project_id: UUID) -> list[Head]:
    query = _HEAD + " join public.phase_packets k on k.version_id = v.id where k.project_id = %s order by v.phase"
    rows = conn.execute(query, [project_id]).fetchall()
    return [_head(row) for row in rows]


def gates(conn: Connection, project_id: UUID) -> list[GateHead]:
    """Return the latest gate of each phase."""
    rows = conn.execute(
        _GATES + STANDING + _LATEST_GATES,
        [project_id, list(GATE_ACTIONS.values())],
    ).fetchall()
    return [GateHead(**{name: row[name] for name in GateHead.__dataclass_fields__}) for row in rows]


def phase_jobs(conn: Connection, project_id: UUID) -> list[PhaseJob]:
    """Return the latest job of each phase, an open one before others."""
    rows = conn.execute(
        "select distinct on (phase) * from (select id, job_type, case when job_type = 'phase0.generate_packet' then 0"
        # Other clients write payloads, too.
        "   when payload ->> 'phase' ~ '^[1-3]$' then (payload ->> 'phase')::int end as phase, status, attempts,"
        "   last_error, dagster_run_id, created_at, started_at, completed_at from public.agent_jobs"
        "   where project_id = %s and job_type in ('phase0.generate_packet', 'phase.generate_packet')) j"
        " where phase is not null order by phase, status in ('queued', 'running') desc,"
        " coalesce(completed_at, created_at) desc, id",
        [project_id],
    ).fetchall()
    return [PhaseJob(**{name: row[name] for name in PhaseJob.__dataclass_fields__}) for row in rows]


def asked(conn: Connection, project_id: UUID) -> list[Asked]:
    """Return the actions that wait for a decision, the oldest first."""
    rows = conn.execute(
        _ACTIONS + STANDING + _PENDING_ACTIONS,
        [project_id],
    ).fetchall()
    return [Asked(**{name: row[name] for name in Asked.__dataclass_fields__}) for row in rows]


def _page(conn: Connection, project_id: UUID) -> Page | None:
    row = conn.execute(
        "select u.live_url, u.publication_no, u.published_at from public.page_publications u"
        " join public.project_deployments d on d.project_id = u.project_id and d.status = 'ready'"
        " join public.projects p on p.id = u.project_id and p.status <> 'killed'"
        " where u.project_id = %s and u.withdrawn_at is null order by u.publication_no desc limit 1",
        [project_id],
    ).fetchone()
    return None if row is None else Page(row["live_url"], row["publication_no"], row["published_at"])
