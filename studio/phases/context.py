"""What an attempt at phase 1, 2 or 3 begins with: whether it may, and what its agents are told."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from studio import kpis
from studio.approvals import GATE_ACTIONS
from studio.claims import Json
from studio.errors import InvalidInput
from studio.job_types import PhasePayload
from studio.packets import versions
from studio.packets.digest import digest
from studio.packets.evidence import passages
from studio.packets.phase3 import PROTECTED_BRANCH
from studio.packets.versions import PacketVersion
from studio.phases.common import Attempt
from studio.projects import Project

# A prompt that lists more is read less well; the newest phase's come first.
SOURCES = 40

# What every model call of a phase is told, in this order; what a step adds comes after.
TOLD = ("project", "idea", "company", "memory", "permissions", "figures", "packets", "guidance")


def load(attempt: Attempt, payload: PhasePayload) -> dict[str, Json]:
    """Return the facts of a phase; with `already`, where its gate shows a packet and nobody asked for another one.

    Raises `InvalidInput` for a phase that the project has not reached, or has passed, `PermissionRefused` where the
    project is not active.
    """
    project = attempt.active_project()
    _require_phase(project, payload)
    already = None if _wished(payload) else _shown(attempt, payload.phase)
    if already is not None:
        attempt.progress.log(
            f"Phase {payload.phase} is generated already: version {already.version} waits at its gate. Nothing is done."
        )
        return {"already": already.version}
    earlier = [found for phase in range(payload.phase) if (found := versions.latest(attempt.db, project.id, phase))]
    prior = versions.latest(attempt.db, project.id, payload.phase) if payload.revision_guidance else None
    missing = sorted(set(range(payload.phase)) - {version.phase for version in earlier})
    if missing:
        attempt.progress.log(f"There is no packet of phase {', '.join(map(str, missing))} to build on.")
    with attempt.db.connection() as conn:
        figures = kpis.kpis(conn, project.id)
    return {
        "already": None,
        **attempt.common_facts(project),
        "permissions": {
            **project.permissions,
            "runtime_mode": project.runtime_mode,
            "protected_branch": PROTECTED_BRANCH,
        },
        "figures": {name: _plain(value) for name, value in dataclasses.asdict(figures).items()},
        "packets": {f"phase_{version.phase}": digest(version.packet) for version in earlier} or None,
        "passages": [
            source.model_dump() for source in passages(version.packet for version in reversed(earlier))[:SOURCES]
        ],
        "guidance": payload.revision_guidance,
        "prior_version_id": str(prior.id) if prior else None,
    }


def told(context: Json) -> dict[str, Any]:
    """Return what every model call of the phase is told of `context`."""
    return {name: context[name] for name in TOLD}


def _wished(payload: PhasePayload) -> bool:
    return payload.force_regenerate or payload.revision_guidance is not None


def _require_phase(project: Project, payload: PhasePayload) -> None:
    if project.phase < payload.phase:
        raise InvalidInput(
            f"Project {project.id} is in phase {project.phase} and has not reached phase {payload.phase}.",
            f"Approve the gate of phase {project.phase} first; that generates the next packet by itself.",
        )
    if project.phase > payload.phase and not _wished(payload):
        raise InvalidInput(
            f"Project {project.id} is in phase {project.phase}; its phase {payload.phase} is decided.",
            "Set forceRegenerate, or give guidance, to make the packet of a passed phase anew.",
        )


def _shown(attempt: Attempt, phase: int) -> PacketVersion | None:
    """Return the latest packet where its gate is pending and another job has opened it.

    A job whose own gate stands there is executed again on purpose.
    """
    row = attempt.db.fetch_one(
        "select a.packet_version_id from public.approval_queue a join public.phase_packets p"
        " on p.project_id = a.project_id and p.phase = a.phase and p.version_id = a.packet_version_id"
        " where a.project_id = %s and a.phase = %s and a.action_type = %s and a.type = 'phase_advance'"
        " and a.status = 'pending' and a.payload ->> 'job_id' is distinct from %s",
        [attempt.project_id, phase, GATE_ACTIONS[phase], str(attempt.claim.job_id)],
    )
    return versions.get(attempt.db, row["packet_version_id"]) if row else None


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value
