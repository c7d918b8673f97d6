"""Rollbacks as approvals: where a check of a published page has failed, a person is asked whether to go back.

The approval pins the publication that failed and the one that would come back. Where the page has been changed
meanwhile, nothing is asked, nothing is carried out, and a question that waits is ended.
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

    What the earlier page failed as well, when it was checked, is said. `refused` where the project may not, the page is
    another one by now, or there is no earlier one that is different; `denied_before` where a person has said no to this
    already.
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
    if target.content_hash == now.content_hash:
        return answer("refused", None, f"The earlier page, publication {target.publication_no}, is the very same.")
    end_outdated(conn, project_id)
    said = _said(conn, project_id, publication_no)
    if said is not None:
        return answer(*said)
    to = target.publication_no
    also = _failed_too(conn, project_id, to, failed)
    told = f"The check of publication {publication_no} failed: {_words(failed)}. This puts publication {to} out again"
    if also:
        which = "the same" if len(also) == len(failed) else _words(also)
        told += f", which failed {which} as well when it was checked"
    description = clip(storable(f"{told}."), DESCRIPTION_CHARS)
    payload = {
        "from": publication_no,
        "to": to,
        "failed": list(failed),
        "content_hash": target.content_hash,
        "executes": {
            "page": f"publication {to}, as it was published on {target.published_at:%Y-%m-%d}",
            "instead_of": f"publication {publication_no}",
            "failed_checks": list(failed),
            **({"failed_there_as_well": also} if also else {}),
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


def end_outdated(conn: Connection, project_id: UUID) -> None:
    """End the question whether to go back from a page that the world does not see any more, and say so in an event.

    In the caller's transaction, which holds the project's row: the one that has put another page out, for instance.
    """
    now = pages.current(conn, project_id)
    if now is None:
        return
    ended = conn.execute(
        "update public.approval_queue set status = 'revised', version = version + 1, decided_by = 'system',"
        " decided_at = now(), resolved_at = now() where project_id = %s and action_type = %s and type = 'execution'"
        " and status = 'pending' and payload -> 'from' is distinct from to_jsonb(%s::integer)"
        " returning id, payload -> 'from' as publication_no",
        [project_id, ACTION, now.publication_no],
    ).fetchall()
    for row in ended:
        record(
            conn,
            project_id,
            "approval.outdated",
            f"{TITLE}: nothing is left to decide about publication {row['publication_no']}, as publication"
            f" {now.publication_no} is what the world sees by now",
            {
                "approval_id": str(row["id"]),
                "action_type": ACTION,
                "from": row["publication_no"],
                "publication_no": now.publication_no,
            },
        )


def _said(conn: Connection, project_id: UUID, publication_no: int) -> tuple[Any, UUID, str] | None:
    """Return what was said of this very rollback before."""
    rows = conn.execute(
        "select id, status, execution_status from public.approval_queue where project_id = %s and action_type = %s"
        " and type = 'execution' and payload -> 'from' = to_jsonb(%s::integer)"
        " order by created_at desc, id for update",
        [project_id, ACTION, publication_no],
    ).fetchall()
    for row in rows:
        if row["status"] == "pending":
            return "pending", row["id"], "It waits for a decision already."
        if row["status"] == "denied":
            return "denied_before", row["id"], "A person has said no to this already."
        if row["status"] == "approved" and row["execution_status"] != "failed":
            return "executed_before", row["id"], "This was approved before, and is done or under way."
    return None


def _failed_too(conn: Connection, project_id: UUID, publication_no: int, failed: Sequence[str]) -> list[str]:
    """Return which of these checks a publication has failed when each was last made, under whatever number it was."""
    rows = conn.execute(
        "select distinct on (r.value ->> 'check') r.value ->> 'check' as name, r.value ->> 'outcome' as outcome"
        " from public.page_checks c cross join lateral jsonb_array_elements(c.results) r"
        " where c.project_id = %(project)s and c.publication_no in (select u.publication_no"
        "  from public.page_publications u where u.project_id = %(project)s"
        "  and %(no)s in (u.publication_no, u.restores_no))"
        " and r.value ->> 'check' = any(%(checks)s) and r.value ->> 'outcome' in ('passed', 'failed')"
        " order by r.value ->> 'check', c.checked_at desc, c.job_id",
        {"project": project_id, "no": publication_no, "checks": list(failed)},
    ).fetchall()
    there = {row["name"] for row in rows if row["outcome"] == "failed"}
    return [name for name in failed if name in there]


def _words(checks: Sequence[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in checks)
