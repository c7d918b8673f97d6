"""Launching Phase 0: the same rules for every front end.

A launch is keyed as in the seed. A relaunch, with guidance or with a forced new approval, is keyed by the gate
it answers and the version that gate has, so that a second revision is not swallowed by the first. A decided gate
does not change any more, so that behind one the packet's current version belongs to the key. A gate that is
decided as `revised` relaunches on the server, under the version that was decided on (`studio.decisions`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studio.approvals import GATE_ACTIONS
from studio.database.connection import Connection
from studio.errors import Conflict, NotFound, PermissionRefused
from studio.job_types import SYSTEM_PROJECT_ID
from studio.queue import Enqueued, JobStatus, NewJob, Outcome, enqueue

JOB_TYPE = "phase0.generate_packet"
_REMEDIES = {
    "paused": "Make it active first (`greenlight projects resume`).",
    "killed": "A killed project stays so; create a new one from its idea.",
}


@dataclass(frozen=True)
class Launched:
    """The job of a launch. `started` says whether this launch put it into the queue."""

    job_id: UUID
    outcome: Outcome
    status: JobStatus

    @property
    def started(self) -> bool:
        """Whether the launch created or revived the job."""
        return self.outcome != "existing"


def launch(
    conn: Connection, project_id: UUID, *, guidance: str | None = None, force_new_approval: bool = False
) -> Launched:
    """Enqueue the project's Phase 0 in the caller's transaction.

    The same launch again returns the same job. Raises `NotFound`, `PermissionRefused` for a project that is
    not active, `Conflict` while another Phase 0 job of the project is queued or running, or where this very
    relaunch has been done with another wish.
    """
    guidance = guidance.strip() if guidance else None
    project = conn.execute(
        # The row lock makes two launches of one project take turns.
        "select owner_clerk_id, status from public.projects where id = %s for no key update",
        [project_id],
    ).fetchone()
    if project is None or project_id == SYSTEM_PROJECT_ID:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    if project["status"] != "active":
        raise PermissionRefused(f"Project {project_id} is {project['status']}.", _REMEDIES[project["status"]])
    payload: dict[str, Any] = {
        "projectId": str(project_id),
        "ownerClerkId": project["owner_clerk_id"],
        "forceNewApproval": force_new_approval,
    }
    if guidance:
        payload["revisionGuidance"] = guidance
    key = _relaunch_key(conn, project_id) if guidance or force_new_approval else None
    new = NewJob(JOB_TYPE, project_id, payload, key=key)
    enqueued: Enqueued = enqueue(conn, new)
    other = conn.execute(
        "select id, status from public.agent_jobs where project_id = %(project)s and job_type = %(type)s"
        " and (id <> %(job)s and status in ('queued', 'running') or id = %(job)s"
        # The same key, but another wish: it must not vanish behind the old one.
        " and (coalesce(payload ->> 'revisionGuidance', '') <> %(guidance)s"
        " or %(force)s and coalesce(payload ->> 'forceNewApproval', '') <> 'true')) limit 1",
        {
            "project": project_id,
            "type": JOB_TYPE,
            "job": enqueued.job_id,
            "guidance": guidance or "",
            "force": force_new_approval,
        },
    ).fetchone()
    if other is not None and other["status"] not in ("queued", "running"):
        raise Conflict(
            f"Phase 0 has been launched from here before, with another wish, as job {other['id']}, which is"
            f" {other['status']}.",
            "See what it made (`greenlight jobs show`), and decide the gate with your guidance.",
        )
    if other is not None:
        raise Conflict(
            f"Phase 0 of this project is already {other['status']} as job {other['id']}.",
            "Wait until it ends (`greenlight jobs tail`), or cancel it first.",
        )
    return Launched(enqueued.job_id, enqueued.outcome, enqueued.status)


def _relaunch_key(conn: Connection, project_id: UUID) -> str | None:
    """Return the key of a relaunch: the latest gate and its version; None (the seed's key) before any gate."""
    gate = conn.execute(
        "select a.id, a.version, a.status, k.version_id from public.approval_queue a"
        " left join public.phase_packets k on k.project_id = a.project_id and k.phase = 0"
        " where a.project_id = %s and a.action_type = %s order by a.created_at desc limit 1",
        [project_id, GATE_ACTIONS[0]],
    ).fetchone()
    if gate is None:
        return None
    key = f"phase0:{project_id}:{gate['id']}:{gate['version']}"
    return key if gate["status"] == "pending" else f"{key}:{gate['version_id']}"
