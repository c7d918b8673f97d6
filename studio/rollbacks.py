"""Rollbacks as approvals: where a check of a published page has failed, a person is asked whether to go back.

The approval pins the publication that failed and the one that would come back. Where the page has been changed
meanwhile, nothing is asked, and nothing is carried out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studio import pages
from studio.approvals import hold_active_project
from studio.database.connection import Connection
from studio.errors import PermissionRefused
from studio.permissions import refusal
from studio.project_events import record
from studio.proposals import Proposal
from studio.text import clip, storable

ACTION = "rollback_landing_page"
TITLE = "Go back to the earlier page"
DESCRIPTION_CHARS = 1000


@dataclass(frozen=True)
class Evidence:
    """What such an approval rests on: the look at the page, by its job, and the checks that failed in it."""

    job_id: UUID | None
    failed: tuple[str, ...]


def evidence_of(action_type: str, payload: Mapping[str, Any]) -> Evidence | None:
    """Return what an approval to go back rests on; None for every other action. Other clients may have written it."""
    if action_type != ACTION:
        return None
    try:
        job_id = UUID(str(payload.get("job_id")))
    except ValueError:
        job_id = None
    failed = payload.get("failed")
    return Evidence(job_id, tuple(map(str, failed)) if isinstance(failed, list) else ())


def propose_rollback(
    conn: Connection, project_id: UUID, *, publication_no: int, failed: Sequence[str], job_id: UUID | None
) -> Proposal:
    """Ask whether to go back from publication `publication_no`, whose checks `failed`, in the caller's transaction.

    `refused` where the project may not, the page is another one by now, or there is no earlier one; `denied_before`
    where a person has said no to this already.
    """

    def answer(outcome: Any, approval_id: UUID | None, reason: str) -> Proposal:
        return Proposal(outcome, approval_id, reason, ACTION)

    try:
        hold_active_project(conn, project_id)
    except PermissionRefused as exc:
        return answer("refused", None, exc.message)
    if (why := refusal(conn, project_id, ACTION)) is not None:
        return answer("refused", None, why)
    now = pages.current(conn, project_id)
    if now is None or now.publication_no != publication_no:
        return answer("refused", None, f"Publication {publication_no} is not what the world sees any more.")
    target = pages.before(conn, project_id)
    if target is None:
        return answer("refused", None, "There is no earlier page to go back to.")
    said = _said(conn, project_id, publication_no)
    if said is not None:
        return answer(*said)
    to = target.publication_no
    checks = ", ".join(name.replace("_", " ") for name in failed)
    description = clip(
        storable(f"The check of publication {publication_no} failed: {checks}. This puts publication {to} out again."),
        DESCRIPTION_CHARS,
    )
    payload = {
        "from": publication_no,
        "to": to,
        "failed": list(failed),
        "content_hash": target.content_hash,
        "executes": {
            "page": f"publication {to}, as it was published on {target.published_at:%Y-%m-%d}",
            "instead_of": f"publication {publication_no}",
            "failed_checks": list(failed),
        },
        "source": "page_check",
        "job_id": None if job_id is None else str(job_id),
    }
    row = conn.execute(
        "insert into public.approval_queue (project_id, phase, title, description, risk, type, action_type, payload,"
        " content_hash, agent_source) values (%s, 1, %s, %s, 'medium', 'execution', %s, %s::jsonb, %s, 'page_check')"
        " on conflict (project_id, action_type) where type = 'execution' and status = 'pending' do nothing"
        " returning id",
        [project_id, TITLE, description, ACTION, json.dumps(payload), target.content_hash],
    ).fetchone()
    if row is None:
        return answer("pending", None, "Somebody else has just asked the same.")
    record(
        conn,
        project_id,
        "approval.requested",
        TITLE,
        {
            "approval_id": str(row["id"]),
            "action_type": ACTION,
            "phase": 1,
            "source": "page_check",
            "publication_no": publication_no,
            "to": to,
        },
    )
    return answer("created", row["id"], "It waits for a decision.")


def _said(conn: Connection, project_id: UUID, publication_no: int) -> tuple[Any, UUID, str] | None:
    """Return what was said of this very rollback before; an older question, about a page that is gone, is ended."""
    rows = conn.execute(
        "select id, status, execution_status, payload -> 'from' as publication_no from public.approval_queue"
        " where project_id = %s and action_type = %s and type = 'execution' order by created_at desc, id for update",
        [project_id, ACTION],
    ).fetchall()
    for row in rows:
        if row["publication_no"] != publication_no:
            if row["status"] == "pending":
                conn.execute(
                    "update public.approval_queue set status = 'revised', version = version + 1,"
                    " decided_by = 'system', decided_at = now(), resolved_at = now() where id = %s",
                    [row["id"]],
                )
        elif row["status"] == "pending":
            return "pending", row["id"], "It waits for a decision already."
        elif row["status"] == "denied":
            return "denied_before", row["id"], "A person has said no to this already."
        elif row["status"] == "approved" and row["execution_status"] != "failed":
            return "executed_before", row["id"], "This was approved before, and is done or under way."
    return None
