"""Approvals: the questions to a person. A gate asks whether a project may move on, an execution whether to act.

A pending gate always points at the packet version that is to be reviewed; a newer version moves it along
and raises the gate's own `version`, so that a decision made on the older one is refused. Who decides, and what
follows, is in `studio.decisions`; what asks for an execution in `studio.proposals`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.errors import InvalidInput, NotFound, PermissionRefused
from studio.packets.versions import PacketVersion

Risk = Literal["high", "medium", "low"]
ApprovalStatus = Literal["pending", "approved", "denied", "revised"]
STATUSES: tuple[ApprovalStatus, ...] = ("pending", "approved", "denied", "revised")

GATE_ACTIONS = {
    0: "phase0_packet_review",
    1: "phase1_validate_review",
    2: "phase2_distribute_review",
    3: "phase3_golive_review",
}


@dataclass(frozen=True)
class Approval:
    """A row of `approval_queue`. What it pins is in `packet_version_id`, `asset_id` and `content_hash`."""

    id: UUID
    project_id: UUID
    packet_version_id: UUID | None
    asset_id: UUID | None
    content_hash: str | None
    phase: int
    title: str
    description: str
    risk: Risk
    type: Literal["phase_advance", "execution"]
    action_type: str
    payload: dict[str, Any]
    status: ApprovalStatus
    version: int
    guidance: str | None
    decided_by: str | None
    decided_at: datetime | None
    agent_source: str | None
    execution_status: str
    execution_job_id: UUID | None
    created_at: datetime

    @property
    def is_gate(self) -> bool:
        """Whether approving it moves the project on; else it carries out an action."""
        return self.type == "phase_advance"


@dataclass(frozen=True)
class Gate:
    """What became of a gate.

    `outcome` says whether it was `opened`, `moved` to a newer packet, or stood already (`unchanged`); whether a
    person has `denied` this very packet, which then is not asked again; or whether the project has `passed` this
    phase, so that there is no gate (`approval_id` is None).
    """

    approval_id: UUID | None
    version: int
    risk: Risk
    outcome: Literal["opened", "moved", "unchanged", "denied", "passed"]
    superseded: int


def get(db: Database, approval_id: UUID) -> Approval:
    """Return the approval, or raise `NotFound`."""
    with db.connection() as conn:
        return get_in(conn, approval_id)


def get_in(conn: Connection, approval_id: UUID) -> Approval:
    """Return the approval as the caller's transaction sees it, or raise `NotFound`."""
    row = conn.execute("select * from public.approval_queue where id = %s", [approval_id]).fetchone()
    if row is None:
        raise NotFound(f"There is no approval {approval_id}.", "See `greenlight approvals list`.")
    return _approval(row)


def of_owner(db: Database, owner_clerk_id: str, approval_id: UUID) -> Approval:
    """Return the approval where it is of a project of the owner's; raise `NotFound` for another one as for none."""
    row = db.fetch_one(
        "select a.* from public.approval_queue a join public.projects p on p.id = a.project_id"
        " where a.id = %s and p.owner_clerk_id = %s",
        [approval_id, owner_clerk_id],
    )
    if row is None:
        raise NotFound(f"There is no approval {approval_id}.", "See `greenlight approvals list`.")
    return _approval(row)


def find(
    db: Database,
    *,
    project_id: UUID | None = None,
    status: ApprovalStatus | None = None,
    owner_clerk_id: str | None = None,
    limit: int = 50,
) -> list[Approval]:
    """Return the newest approvals first, filtered by project, status and owner."""
    if status is not None and status not in STATUSES:
        raise InvalidInput(f"There is no status {status!r}.", f"One of: {', '.join(STATUSES)}.")
    rows = db.fetch_all(
        "select * from public.approval_queue where (%(project)s::uuid is null or project_id = %(project)s)"
        " and (%(status)s::text is null or status = %(status)s)"
        " and (%(owner)s::text is null"
        "  or project_id in (select id from public.projects where owner_clerk_id = %(owner)s))"
        " order by created_at desc, id limit %(limit)s",
        {"project": project_id, "status": status, "owner": owner_clerk_id, "limit": limit},
    )
    return [_approval(row) for row in rows]


def count_pending(db: Database, owner_clerk_id: str) -> int:
    """Return how many approvals wait for a decision in the projects of an owner."""
    row = db.fetch_one(
        "select count(*)::int as n from public.approval_queue a join public.projects p on p.id = a.project_id"
        " where a.status = 'pending' and p.owner_clerk_id = %s",
        [owner_clerk_id],
    )
    return int(row["n"]) if row else 0


def _approval(row: dict[str, Any]) -> Approval:
    values = {name: row[name] for name in Approval.__dataclass_fields__}
    if not isinstance(values["payload"], dict):
        # The column takes any JSON, and other clients write to it.
        values["payload"] = {"stored": values["payload"]}
    return Approval(**values)


def risk_of(confidence: int) -> Risk:
    """Return the risk of a gate: below 40 high, below 70 medium, else low (domain specification §4)."""
    return "high" if confidence < 40 else "medium" if confidence < 70 else "low"


def hold_active_project(conn: Connection, project_id: UUID) -> dict[str, Any]:
    """Return a project's row and let nobody change it until the caller's transaction ends.

    Raises `NotFound`, and `PermissionRefused` for a project that is not active: nothing is asked in it.
    """
    project = conn.execute("select * from public.projects where id = %s for share", [project_id]).fetchone()
    if project is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    if project["status"] != "active":
        raise PermissionRefused(f"Project {project_id} is {project['status']}.", "Make it active first.")
    return project


def open_gate(
    conn: Connection, packet: PacketVersion, *, title: str, description: str, supersede: bool, job_id: UUID
) -> Gate:
    """Make sure that exactly one gate of the packet's phase is pending and shows this packet.

    With `supersede` a pending gate ends as `revised` and a new one opens. No gate is opened where the project has
    passed the phase, or a person has denied this version or another one that the same job has made. Runs in the
    caller's transaction. Raises `PermissionRefused` for a project that is not active.
    """
    action = GATE_ACTIONS[packet.phase]
    risk = risk_of(packet.confidence)
    project = hold_active_project(conn, packet.project_id)
    if project["phase"] > packet.phase:
        return Gate(None, 0, risk, "passed", 0)
    payload = {"phase": packet.phase, "packet_version": packet.version, "packet_version_id": str(packet.id)}
    pending = conn.execute(
        "select id, version, packet_version_id, payload ->> 'job_id' as job_id from public.approval_queue"
        " where project_id = %s and phase = %s"
        " and action_type = %s and type = 'phase_advance' and status = 'pending' for update",
        [packet.project_id, packet.phase, action],
    ).fetchone()
    superseded = 0
    # A gate that this very job has opened is its own: a re-execution moves it along like any other.
    if pending is not None and supersede and pending["job_id"] != str(job_id):
        superseded = conn.execute(
            "update public.approval_queue set status = 'revised', version = version + 1, decided_at = now(),"
            " decided_by = 'system', resolved_at = now() where id = %s",
            [pending["id"]],
        ).rowcount
        pending = None
    if pending is not None and pending["packet_version_id"] == packet.id:
        return Gate(pending["id"], pending["version"], risk, "unchanged", 0)
    if pending is None and (denied := _denied_gate(conn, packet, action, job_id)) is not None:
        return Gate(denied["id"], denied["version"], risk, "denied", superseded)
    values: dict[str, Any] = {
        "project": packet.project_id,
        "phase": packet.phase,
        "version_id": packet.id,
        "title": title,
        "description": description,
        "risk": risk,
        "action": action,
        "payload": json.dumps({**payload, "job_id": str(job_id)}),
    }
    if pending is not None:
        row = conn.execute(
            "update public.approval_queue set packet_version_id = %(version_id)s, title = %(title)s,"
            " description = %(description)s, risk = %(risk)s, payload = %(payload)s::jsonb, version = version + 1"
            " where id = %(id)s returning id, version",
            {**values, "id": pending["id"]},
        ).fetchone()
    else:
        row = conn.execute(
            "insert into public.approval_queue (project_id, packet_id, packet_version_id, phase, title, description,"
            " risk, type, action_type, payload, agent_source)"
            " values (%(project)s, (select id from public.phase_packets where project_id = %(project)s"
            " and phase = %(phase)s), %(version_id)s, %(phase)s, %(title)s, %(description)s, %(risk)s,"
            " 'phase_advance', %(action)s, %(payload)s::jsonb, 'ceo_agent') returning id, version",
            values,
        ).fetchone()
    assert row is not None  # noqa: S101 - insert and update return their row
    return Gate(row["id"], row["version"], risk, "moved" if pending is not None else "opened", superseded)


def _denied_gate(conn: Connection, packet: PacketVersion, action: str, job_id: UUID) -> dict[str, Any] | None:
    """Return the denied gate of this version, or of another one by the same job: a repeat that nobody asked for."""
    return conn.execute(
        "select a.id, a.version from public.approval_queue a"
        " left join public.phase_packet_versions v on v.id = a.packet_version_id"
        " where a.project_id = %(project)s and a.phase = %(phase)s and a.action_type = %(action)s"
        " and a.status = 'denied' and (a.packet_version_id = %(version)s or v.source_job_id = %(job)s)"
        " order by a.created_at desc, a.id limit 1",
        {
            "project": packet.project_id,
            "phase": packet.phase,
            "action": action,
            "version": packet.id,
            "job": packet.source_job_id or job_id,
        },
    ).fetchone()
