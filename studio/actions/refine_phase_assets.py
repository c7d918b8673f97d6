"""`refine_phase_assets`: have a phase's packet generated again, with what should be different."""

from __future__ import annotations

from typing import Any

from studio import projects
from studio.actions.context import ActionContext, Outcome
from studio.database.connection import Connection
from studio.errors import InvalidInput
from studio.proposals import require_guidance
from studio.queue import NewJob, enqueue
from studio.text import sha256_hex


def perform(context: ActionContext) -> Outcome:
    """Enqueue the generation with the approved guidance; a second attempt finds the same job."""
    phase = _phase(context)
    guidance = _guidance(context)

    def generate(conn: Connection) -> dict[str, Any]:
        enqueued = enqueue(conn, _job(conn, context, phase, guidance))
        return {"job_id": str(enqueued.job_id), "outcome": enqueued.outcome, "phase": phase}

    done = context.once("enqueue", generate)
    return Outcome(f"The packet of phase {done['phase']} is generated again, as job {done['job_id']}", done)


def _job(conn: Connection, context: ActionContext, phase: int, guidance: str) -> NewJob:
    approval = context.approved.id
    if phase == 0:
        owner = projects.get_in(conn, context.project_id).owner_clerk_id
        payload = {"ownerClerkId": owner, "revisionGuidance": guidance, "forceNewApproval": True}
        return NewJob("phase0.generate_packet", context.project_id, payload, key=f"phase0-refine:{approval}")
    payload = {"phase": phase, "forceRegenerate": True, "revisionGuidance": guidance}
    return NewJob("phase.generate_packet", context.project_id, payload, key=f"phase-refine:{phase}:{approval}")


def _phase(context: ActionContext) -> int:
    phase = context.approved.payload.get("target_phase", context.approved.phase)
    if isinstance(phase, bool) or not isinstance(phase, int) or not 0 <= phase <= 3:
        raise InvalidInput(f"There is no phase {phase!r} to refine.", "Have it proposed anew for phase 0 to 3.")
    return phase


def _guidance(context: ActionContext) -> str:
    said = context.approved.payload.get("guidance") or context.approved.payload.get("improvement_guidance")
    guidance = require_guidance(said)
    pinned = context.approved.content_hash
    if pinned is not None and pinned not in (sha256_hex(str(said)), sha256_hex(guidance)):
        raise InvalidInput("The guidance is not the one that was approved.", "Have it proposed anew.")
    return guidance
