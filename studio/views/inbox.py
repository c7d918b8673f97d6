"""The inbox: an owner's approvals in lists, and one of them with all that whoever decides needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from studio import approvals, outcomes, permissions, projects, queue, rollbacks
from studio.approvals import Approval
from studio.builders import CHECK
from studio.database.connection import Database
from studio.errors import NotFound
from studio.mail import sequences
from studio.model import spend
from studio.model.spend import Budget
from studio.outcomes import Outcome
from studio.packets import versions
from studio.packets.versions import PacketVersion
from studio.projects import Project
from studio.queue import Job
from studio.rollbacks import Evidence

Kind = Literal["gates", "actions", "high"]
KINDS: tuple[Kind, ...] = ("gates", "actions", "high")
# More than anybody decides in a sitting; the count beside the list says how many there are.
PENDING_SHOWN = 100
DECIDED_PER_PAGE = 20
# Of an approval `a`: whether no person has denied it but the project's end, of which a kill tells in the ledger; and
# whether it asks to publish the page that everybody sees already.
STANDING: LiteralString = """
cross join lateral (select
  a.status = 'denied' and exists (select from public.project_events e where e.project_id = a.project_id
    and e.event_type = 'approval.decided' and e.data ->> 'approval_id' = a.id::text
    and e.data ->> 'because' = 'The project was killed.') as by_kill,
  a.action_type = 'deploy_landing_page' and a.status = 'pending' and exists (
    select from public.page_publications u where u.project_id = a.project_id and u.withdrawn_at is null
    and u.content_hash = a.content_hash) as live_already) k
"""
_QUESTIONS: LiteralString = """
select a.*, p.name as project_name, p.status as project_status, v.version as packet_version, v.confidence,
       k.by_kill, k.live_already
from public.approval_queue a join public.projects p on p.id = a.project_id
left join public.phase_packet_versions v on v.id = a.packet_version_id
"""
_PENDING: LiteralString = """
where p.owner_clerk_id = %(owner)s and a.status = 'pending'
  and (%(project)s::uuid is null or a.project_id = %(project)s)
  and (%(kind)s::text is null or case %(kind)s when 'gates' then a.type = 'phase_advance'
       when 'actions' then a.type = 'execution' else a.risk = 'high' end)
order by array_position(array['high', 'medium', 'low'], a.risk), a.created_at, a.id limit %(limit)s
"""
_DECIDED: LiteralString = """
where p.owner_clerk_id = %(owner)s and a.status <> 'pending'
  and (%(project)s::uuid is null or a.project_id = %(project)s)
order by a.decided_at desc nulls last, a.id limit %(limit)s offset %(offset)s
"""
_ONE: LiteralString = "select k.* from public.approval_queue a"
_BY_ID: LiteralString = " where a.id = %s"
_MAILS = frozenset({"send_welcome_email_sequence", "send_phase2_lifecycle_email"})


@dataclass(frozen=True)
class Question:
    """An approval in a list, with the project it is asked in and the packet version that it rests on."""

    id: UUID
    project_id: UUID
    project_name: str
    project_status: str
    phase: int
    title: str
    description: str
    risk: str
    type: str
    action_type: str
    status: str
    version: int
    guidance: str | None
    decided_by: str | None
    decided_at: datetime | None
    agent_source: str | None
    execution_status: str
    created_at: datetime
    packet_version: int | None
    confidence: int | None
    by_kill: bool
    live_already: bool

    @property
    def is_gate(self) -> bool:
        """Whether approving it moves the project on; else it carries out an action."""
        return self.type == "phase_advance"


@dataclass(frozen=True)
class Counts:
    """How many approvals wait, by filter."""

    all: int
    gates: int
    actions: int
    high: int


@dataclass(frozen=True)
class Asked:
    """One approval. `packet` is the version it rests on, `latest` the number of the newest of that phase.

    Where it asks to go back to an earlier page, it rests on no packet but on `evidence`; its job is None where that is
    away.
    `refusal` says why approving it would be refused now, `recipients` how many people its mails would go to now,
    `asset` which file it pins, `live_already` whether everybody sees that page already. `by_kill` says that the end of
    the project has denied it. `successor` is the pending approval that has taken its place. Of a decided one
    `outcome` is what became of it, and `job` the job that followed.
    """

    approval: Approval
    project: Project
    packet: PacketVersion | None
    evidence: Evidence | None
    latest: int | None
    budget: Budget | None
    refusal: str | None
    recipients: int | None
    asset: dict[str, Any] | None
    live_already: bool
    by_kill: bool
    successor: UUID | None
    outcome: Outcome | None
    job: Job | None


def waiting(db: Database, owner: str) -> int:
    """Return how many approvals wait for an owner."""
    return counts(db, owner).all


def counts(db: Database, owner: str, project_id: UUID | None = None) -> Counts:
    """Return how many approvals wait for an owner, all together and by filter."""
    row = db.fetch_one(
        "select count(*)::int as \"all\", count(*) filter (where a.type = 'phase_advance')::int as gates,"
        " count(*) filter (where a.type = 'execution')::int as actions,"
        " count(*) filter (where a.risk = 'high')::int as high"
        " from public.approval_queue a join public.projects p on p.id = a.project_id"
        " where p.owner_clerk_id = %(owner)s and a.status = 'pending'"
        " and (%(project)s::uuid is null or a.project_id = %(project)s)",
        {"owner": owner, "project": project_id},
    )
    assert row is not None  # noqa: S101 - counts are a row
    return Counts(**row)


def pending(
    db: Database,
    owner: str,
    *,
    project_id: UUID | None = None,
    kind: Kind | None = None,
    limit: int = PENDING_SHOWN,
) -> list[Question]:
    """Return what waits for an owner: what is risky first, then what has waited longest."""
    query = _QUESTIONS + STANDING + _PENDING
    rows = db.fetch_all(
        query,
        {"owner": owner, "project": project_id, "kind": kind, "limit": limit},
    )
    return [_question(row) for row in rows]


def decided(db: Database, owner: str, *, project_id: UUID | None = None, page: int = 1) -> tuple[list[Question], bool]:
    """Return a page of what was decided, the newest first, and whether there are older ones."""
    query = _QUESTIONS + STANDING + _DECIDED
    rows = db.fetch_all(
        query,
        {
            "owner": owner,
            "project": project_id,
            "limit": DECIDED_PER_PAGE + 1,
            "offset": (page - 1) * DECIDED_PER_PAGE,
        },
    )
    return [_question(row) for row in rows[:DECIDED_PER_PAGE]], len(rows) > DECIDED_PER_PAGE


def asked(db: Database, owner: str, approval_id: UUID) -> Asked:
    """Return an owner's approval; raise `NotFound`, also for somebody else's."""
    approval = approvals.of_owner(db, owner, approval_id)
    project = projects.get(db, approval.project_id)
    evidence = _evidence(db, approval)
    rests = approval.packet_version_id if evidence is None else None
    packet = versions.get(db, rests) if rests else None
    outcome = outcomes.outcome_of(db, approval)
    pends = approval.status == "pending"
    with db.connection() as conn:
        budget = spend.budget_in(conn, project.id)
        refusal = _refusal(db, approval, project) if pends else None
        to_people = approval.action_type in _MAILS and pends
        recipients = len(sequences.confirmed(conn, project.id)) if to_people else None
    return Asked(
        approval=approval,
        project=project,
        packet=packet,
        evidence=evidence,
        latest=_latest(db, project.id, approval.phase),
        budget=budget,
        refusal=refusal,
        recipients=recipients,
        asset=_asset(db, approval),
        **_standing(db, approval),
        successor=None if pends else _successor(db, approval),
        outcome=outcome,
        job=_job(db, approval, outcome),
    )


def _evidence(db: Database, approval: Approval) -> Evidence | None:
    found = rollbacks.evidence_of(approval.action_type, approval.payload)
    if found is None or found.job_id is None:
        return found
    there = db.fetch_one(
        "select from public.agent_jobs where id = %s and project_id = %s and job_type = %s",
        [found.job_id, approval.project_id, CHECK],
    )
    return found if there is not None else Evidence(None, found.failed)


def _refusal(db: Database, approval: Approval, project: Project) -> str | None:
    """Say why `decide_approval` would refuse a yes, in words that name the way out."""
    if project.status != "active":
        return f"The project is {project.status}: nothing can be approved in it."
    if approval.is_gate:
        if approval.phase != project.phase:
            return f"This is the gate of phase {approval.phase}, but the project is in phase {project.phase}."
        return None
    with db.connection() as conn:
        return permissions.refusal(conn, project.id, approval.action_type)


def shown_version(approval: Approval) -> int | None:
    """Return the version that somebody sees or has decided on: a decision raises it. None where it is not known."""
    if approval.status == "pending":
        return approval.version
    return approval.version - 1 or None


def _standing(db: Database, approval: Approval) -> dict[str, bool]:
    query = _ONE + STANDING + _BY_ID
    return db.fetch_one(query, [approval.id]) or {"live_already": False, "by_kill": False}


def _latest(db: Database, project_id: UUID, phase: int) -> int | None:
    found = versions.latest(db, project_id, phase)
    return None if found is None else found.version


def _asset(db: Database, approval: Approval) -> dict[str, Any] | None:
    if approval.asset_id is None:
        return None
    return db.fetch_one(
        "select id, filename, storage_path, size_bytes, mime_type, metadata ->> 'sha256' as sha256, created_at"
        " from public.project_assets where id = %s and project_id = %s",
        [approval.asset_id, approval.project_id],
    )


def _successor(db: Database, approval: Approval) -> UUID | None:
    row = db.fetch_one(
        "select id from public.approval_queue where project_id = %s and phase = %s and action_type = %s"
        " and type = %s and status = 'pending' and id <> %s order by created_at desc limit 1",
        [approval.project_id, approval.phase, approval.action_type, approval.type, approval.id],
    )
    return None if row is None else row["id"]


def _job(db: Database, approval: Approval, outcome: Outcome | None) -> Job | None:
    """Return the job that a decision has led to: its execution, or the packet that follows a gate or a revision."""
    job_id = outcome.job_id if outcome is not None else approval.execution_job_id
    if job_id is None and approval.status in ("approved", "revised"):
        row = db.fetch_one(
            "select (data ->> 'job_id')::uuid as id from public.project_events where project_id = %s"
            " and event_type = 'approval.decided' and data ->> 'approval_id' = %s order by created_at desc limit 1",
            [approval.project_id, str(approval.id)],
        )
        job_id = row["id"] if row else None
    if job_id is None:
        return None
    try:
        return queue.get(db, job_id)
    except NotFound:
        # Jobs are cleared away one day; what was decided stays.
        return None


def _question(row: dict[str, Any]) -> Question:
    return Question(**{name: row[name] for name in Question.__dataclass_fields__})
