"""Gates: what a person must approve before a project moves on.

A pending gate always points at the packet version that is to be reviewed; a newer version moves it along
and raises the gate's own `version`, so that a decision made on the older one is refused.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from studio.database.connection import Connection
from studio.packets.versions import PacketVersion

Risk = Literal["high", "medium", "low"]

GATE_ACTIONS = {
    0: "phase0_packet_review",
    1: "phase1_validate_review",
    2: "phase2_distribute_review",
    3: "phase3_golive_review",
}


@dataclass(frozen=True)
class Gate:
    """A pending gate: `outcome` says whether it was opened, moved to a newer packet, or stood already."""

    approval_id: UUID
    version: int
    risk: Risk
    outcome: Literal["opened", "moved", "unchanged"]
    superseded: int


def risk_of(confidence: int) -> Risk:
    """Return the risk of a gate: below 40 high, below 70 medium, else low (domain specification §4)."""
    return "high" if confidence < 40 else "medium" if confidence < 70 else "low"


def open_gate(
    conn: Connection, packet: PacketVersion, *, title: str, description: str, supersede: bool, job_id: UUID
) -> Gate:
    """Make sure that exactly one gate of the packet's phase is pending and shows this packet.

    With `supersede` a pending gate ends as `revised` and a new one opens. Runs in the caller's transaction.
    """
    action = GATE_ACTIONS[packet.phase]
    risk = risk_of(packet.confidence)
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
