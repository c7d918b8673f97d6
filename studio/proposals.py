"""Proposals: asking a person whether the studio may act in the world.

An approval pins what it will carry out: the packet version, for a page the file with its hash, for a refinement the
words. Of an action type at most one is pending per project. What a person has denied, and what has been carried out,
is not proposed again for the same thing: the same packet version, another version that the same job made without
having been asked, or the same bytes. A version that a person asked for is a new thing; so is what a person asks for
by name (`asked_by`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, get_args
from uuid import UUID

from studio.approvals import hold_active_project
from studio.database.connection import Connection
from studio.errors import InvalidInput, NotFound, PermissionRefused
from studio.job_types import GUIDANCE_LIMIT
from studio.obstacles import obstacle
from studio.packets import versions
from studio.packets.actions import ActionType
from studio.packets.versions import PacketVersion
from studio.permissions import refusal
from studio.previews import preview
from studio.project_events import record
from studio.projects import get_in
from studio.text import canonical_json, clip, require_storable, sha256_hex, storable, storable_json

REFINE: ActionType = "refine_phase_assets"
# Below this a wish says nothing (domain specification §4, refine).
GUIDANCE_MINIMUM = 8
TITLE_LIMIT = 200
DESCRIPTION_LIMIT = 1000

# The titles of the table `action_types`, which a test compares.
TITLES: dict[str, str] = {
    "deploy_landing_page": "Publish the landing page",
    "send_welcome_email_sequence": "Send the welcome sequence",
    "activate_meta_ads_campaign": "Create the ad campaign, paused",
    "send_phase2_lifecycle_email": "Send the lifecycle mails",
    "trigger_phase3_repo_workflow": "Start the launch workflow of the repository",
    "trigger_phase3_deploy": "Trigger the deployment",
    REFINE: "Refine what a phase has made",
    "rollback_landing_page": "Go back to the earlier page",
}
DESCRIPTIONS: dict[str, str] = {
    "deploy_landing_page": "Publishes exactly the page that was reviewed.",
    "send_welcome_email_sequence": "Sends these mails to everybody who has confirmed an address, day by day.",
    "activate_meta_ads_campaign": "Creates a campaign at Meta within the cap, paused.",
    "send_phase2_lifecycle_email": "Sends these mails to everybody who has confirmed an address.",
    "trigger_phase3_repo_workflow": "Tells the repository to start its launch workflow.",
    "trigger_phase3_deploy": "Calls the deploy hook of the project.",
    REFINE: "Generates the packet of the phase anew, with this guidance.",
    "rollback_landing_page": "Puts out again the page that was published before the one whose check failed.",
}


@dataclass(frozen=True)
class Proposal:
    """What became of a proposal.

    `created`: it waits for a decision; `pending`: it did already; `refused`: the project may not; `denied_before`,
    `executed_before`: the same was decided before. `reason` says so in a sentence.
    """

    outcome: Literal["created", "pending", "refused", "denied_before", "executed_before"]
    approval_id: UUID | None
    reason: str
    action_type: str = ""


def propose(
    conn: Connection,
    project_id: UUID,
    action_type: str,
    *,
    phase: int,
    packet: PacketVersion | None,
    title: str,
    description: str,
    agent_source: str,
    asset_id: UUID | None = None,
    content_hash: str | None = None,
    payload: dict[str, Any] | None = None,
    job_id: UUID | None = None,
    asked_by: str | None = None,
    caused_by: str | None = None,
) -> Proposal:
    """Ask for an action in the caller's transaction, unless it is pending, forbidden or decided already.

    Without `packet`, or with one of another phase than the action's, the latest of the action's phase is pinned;
    without `asset_id` a page action pins the landing page that was chosen last. A pending approval that pins something
    older ends as `revised`. A refinement needs `payload["guidance"]` of 8 to 2,000 characters. `caused_by` is a person
    whose act led to it without asking for it by name. Raises `InvalidInput`, `NotFound` for an unknown project; what
    the project may not do, or what could not be carried out, is no error, but `refused`.
    """

    def answer(outcome: Any, approval_id: UUID | None, reason: str) -> Proposal:
        return Proposal(outcome, approval_id, reason, action_type)

    payload = dict(payload or {})
    try:
        hold_active_project(conn, project_id)
    except PermissionRefused as exc:
        return answer("refused", None, exc.message)
    kind = conn.execute("select * from public.action_types where action_type = %s", [action_type]).fetchone()
    if kind is None:
        raise InvalidInput(f"There is no action {action_type!r}.", f"One of: {', '.join(get_args(ActionType))}.")
    if (why := refusal(conn, project_id, action_type)) is not None:
        return answer("refused", None, why)
    pinned_phase = kind["phase"] if kind["phase"] is not None else phase
    if packet is None or packet.phase != pinned_phase or packet.project_id != project_id:
        packet = _latest(conn, project_id, pinned_phase)
    if packet is None:
        return answer("refused", None, f"There is no packet of phase {pinned_phase} yet.")
    if kind["pins"] == "publication":
        return answer("refused", None, "To go back to an earlier page is offered where a check of the page has failed.")
    if kind["pins"] == "guidance":
        payload["guidance"] = require_guidance(payload.get("guidance"))
        content_hash = sha256_hex(payload["guidance"])
    elif kind["pins"] == "page":
        page = _page(conn, project_id, asset_id, content_hash)
        if page is None:
            return answer("refused", None, "There is no landing page yet that could be published.")
        asset_id, content_hash = page["id"], page["content_hash"]
        if asked_by is not None and _is_live(conn, project_id, content_hash):
            return answer("refused", None, "This very page is published already.")
        payload["asset"] = {key: page[key] for key in ("filename", "storage_path", "size_bytes", "mime_type")}
    project = get_in(conn, project_id)
    if (why := obstacle(action_type, project, packet.packet)) is not None:
        return answer("refused", None, why)
    executes = preview(action_type, project, packet.packet, payload)
    if kind["pins"] == "packet":
        # Of what would be carried out, and no more: a new headline makes no new mails of the old ones.
        content_hash = sha256_hex(canonical_json(storable_json(executes)))

    superseded: UUID | None = None
    pending = conn.execute(
        "select id, packet_version_id, asset_id, content_hash from public.approval_queue"
        " where project_id = %s and action_type = %s and type = 'execution' and status = 'pending' for update",
        [project_id, action_type],
    ).fetchone()
    if pending is not None:
        older = pending["packet_version_id"] != packet.id or pending["content_hash"] not in (None, content_hash)
        if kind["pins"] == "guidance" or not older:
            return answer("pending", pending["id"], "It waits for a decision already.")
        _supersede(conn, [pending["id"]])
        superseded = pending["id"]
    if asked_by is None and (before := _decided(conn, packet, action_type, content_hash)) is not None:
        if before["status"] == "denied":
            return answer("denied_before", before["id"], "A person has said no to this already.")
        return answer("executed_before", before["id"], "This was approved before, and is done or under way.")

    whole = {
        **storable_json(payload),
        "phase": pinned_phase,
        "packet_version": packet.version,
        "packet_version_id": str(packet.id),
        "asset_id": None if asset_id is None else str(asset_id),
        "content_hash": content_hash,
        "executes": executes,
        "source": agent_source,
        "requested_by": asked_by or caused_by,
        "job_id": None if job_id is None else str(job_id),
    }
    row = conn.execute(
        "insert into public.approval_queue (project_id, packet_id, packet_version_id, asset_id, content_hash, phase,"
        " title, description, risk, type, action_type, payload, agent_source) values (%(project)s,"
        " (select id from public.phase_packets where project_id = %(project)s and phase = %(phase)s), %(version)s,"
        " %(asset)s, %(hash)s, %(phase)s, %(title)s, %(description)s, %(risk)s, 'execution', %(action)s,"
        " %(payload)s::jsonb, %(source)s)"
        # Somebody else may propose the same at this very moment.
        " on conflict (project_id, action_type) where type = 'execution' and status = 'pending' do nothing"
        " returning id",
        {
            "project": project_id,
            "version": packet.id,
            "asset": asset_id,
            "hash": content_hash,
            "phase": pinned_phase,
            "title": clip(storable(title), TITLE_LIMIT),
            "description": clip(storable(description), DESCRIPTION_LIMIT),
            "risk": kind["risk"],
            "action": action_type,
            "payload": json.dumps({key: value for key, value in whole.items() if value is not None}),
            "source": agent_source,
        },
    ).fetchone()
    if row is None:
        return answer("pending", None, "Somebody else has just asked the same.")
    record(
        conn,
        project_id,
        "approval.refine_requested" if action_type == REFINE else "approval.requested",
        title,
        {
            "approval_id": str(row["id"]),
            "action_type": action_type,
            "phase": pinned_phase,
            "packet_version": packet.version,
            "source": agent_source,
            "requested_by": asked_by or caused_by,
            "supersedes": None if superseded is None else str(superseded),
        },
    )
    return answer("created", row["id"], "It waits for a decision.")


def propose_for_phase(
    conn: Connection, packet: PacketVersion, *, landing: tuple[UUID, str] | None, job_id: UUID
) -> list[Proposal]:
    """Ask for the actions that a new packet of phase 1 to 3 makes possible, in the caller's transaction.

    `landing` is the drafted page: its asset and the SHA-256 of its bytes; without one no page is proposed. What was
    pending for an older packet of the phase ends as `revised`. Returns one answer per action of the phase.
    """
    actions = conn.execute(
        "select action_type, title, pins from public.action_types where phase = %s order by action_type", [packet.phase]
    ).fetchall()
    older = conn.execute(
        "select a.id from public.approval_queue a join public.action_types t using (action_type)"
        " where a.project_id = %s and t.phase = %s and a.type = 'execution' and a.status = 'pending'"
        " and a.packet_version_id is distinct from %s for update of a",
        [packet.project_id, packet.phase, packet.id],
    ).fetchall()
    _supersede(conn, [row["id"] for row in older])
    answers: list[Proposal] = []
    for action in actions:
        name: str = action["action_type"]
        if action["pins"] == "page" and landing is None:
            answers.append(Proposal("refused", None, "There is no landing page that could be published.", name))
            continue
        asset_id, content_hash = landing if action["pins"] == "page" and landing else (None, None)
        answers.append(
            propose(
                conn,
                packet.project_id,
                name,
                phase=packet.phase,
                packet=packet,
                title=action["title"],
                description=DESCRIPTIONS.get(name) or action["title"],
                agent_source="ceo_agent",
                asset_id=asset_id,
                content_hash=content_hash,
                job_id=job_id,
            )
        )
    return answers


def _latest(conn: Connection, project_id: UUID, phase: int) -> PacketVersion | None:
    row = conn.execute(
        "select version_id from public.phase_packets where project_id = %s and phase = %s", [project_id, phase]
    ).fetchone()
    return None if row is None else versions.get_in(conn, row["version_id"])


def require_guidance(value: Any) -> str:
    """Return what a refinement is to do, stripped; raise `InvalidInput` where that is no text of a usable length."""
    text = require_storable(value, "The guidance").strip() if isinstance(value, str) else ""
    if not GUIDANCE_MINIMUM <= len(text) <= GUIDANCE_LIMIT:
        raise InvalidInput(
            f"The guidance has {len(text)} characters; {GUIDANCE_MINIMUM} to {GUIDANCE_LIMIT:,} are allowed.",
            "Say in a sentence or more what should be different.",
        )
    return text


def _page(conn: Connection, project_id: UUID, asset_id: UUID | None, content_hash: str | None) -> dict[str, Any] | None:
    """Return the page's asset with its `content_hash`; raise where the given one is not the project's, or another."""
    if asset_id is None:
        found = conn.execute("select * from public.landing_draft(%s)", [project_id]).fetchone()
        if found is None:
            return None
    else:
        found = conn.execute(
            "select * from public.project_assets where id = %s and project_id = %s", [asset_id, project_id]
        ).fetchone()
        if found is None:
            raise NotFound(f"The project has no asset {asset_id}.", "Propose the page that was drafted.")
    stored = found["metadata"].get("sha256")
    if stored is None or content_hash not in (None, stored):
        raise InvalidInput(
            f"Asset {found['id']} does not hold the bytes with hash {content_hash}.",
            "Propose the page as it is stored.",
        )
    return {**found, "content_hash": stored}


def _is_live(conn: Connection, project_id: UUID, content_hash: str | None) -> bool:
    """Say whether the world sees a page with this hash now: to publish it again would change nothing."""
    row = conn.execute(
        "select 1 from public.page_publications where project_id = %s and withdrawn_at is null and content_hash = %s",
        [project_id, content_hash],
    ).fetchone()
    return row is not None


def _supersede(conn: Connection, approval_ids: list[UUID]) -> None:
    conn.execute(
        "update public.approval_queue set status = 'revised', version = version + 1, decided_by = 'system',"
        " decided_at = now(), resolved_at = now() where id = any (%s)",
        [approval_ids],
    )


def _decided(
    conn: Connection, packet: PacketVersion, action_type: str, content_hash: str | None
) -> dict[str, Any] | None:
    """Return the last decision on the same thing, where it was a no, or a yes that has not failed."""
    return conn.execute(
        "select a.id, a.status from public.approvals_of_the_same(%s, %s, %s, %s) a"
        " where a.status = 'denied' or a.status = 'approved' and a.execution_status <> 'failed'"
        " order by a.decided_at desc nulls last, a.id limit 1",
        [packet.project_id, action_type, packet.id, content_hash],
    ).fetchone()
