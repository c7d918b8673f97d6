"""Grants: a project may do more from now on, and is asked at once whether it shall.

Whoever turns a permission on wants what it is for. What the phases that are there have not been able to ask for, or
were refused, is proposed in the same transaction, so that nobody has to wait for another packet or another night.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio import proposals
from studio.database.connection import Connection, Database
from studio.permissions import ADS_CAP, SWITCHES, Limits, change_limits_in
from studio.proposals import Proposal
from studio.queue import transiently


@dataclass(frozen=True)
class Grant:
    """What is in force now, and what waits for a decision because of it."""

    limits: Limits
    proposed: tuple[Proposal, ...]


def change(
    db: Database,
    project_id: UUID,
    by: str,
    *,
    permissions: Mapping[str, bool | int | Decimal] | None = None,
    budget: Mapping[str, int] | None = None,
    reason: str | None = None,
) -> Grant:
    """Change permissions and spend caps, audited, and propose what they now allow, in a transaction of its own.

    Takes what `permissions.change_limits` takes, and raises what it raises. Only a change that turns something on
    proposes anything; in a project that is not active nothing is proposed, which is no error.
    """

    def work() -> Grant:
        with db.transaction() as conn:
            return change_in(conn, project_id, by, permissions=permissions, budget=budget, reason=reason)

    return transiently(work)


def change_in(
    conn: Connection,
    project_id: UUID,
    by: str,
    *,
    permissions: Mapping[str, bool | int | Decimal] | None = None,
    budget: Mapping[str, int] | None = None,
    reason: str | None = None,
) -> Grant:
    """Do the same as `change` in the caller's transaction."""
    # Held until the end, so that what is compared is what this very change finds.
    row = conn.execute(
        "select permissions from public.projects where id = %s for no key update", [project_id]
    ).fetchone()
    limits = change_limits_in(conn, project_id, by, permissions=permissions, budget=budget, reason=reason)
    if row is None or not _turned_on(row["permissions"], limits.permissions):
        return Grant(limits, ())
    answers = propose_reached(conn, project_id)
    return Grant(limits, tuple(answer for answer in answers if answer.outcome == "created"))


def propose_reached(
    conn: Connection, project_id: UUID, *, agent_source: str = "ceo_agent", job_id: UUID | None = None
) -> list[Proposal]:
    """Ask for the actions of every phase that has a packet, in the caller's transaction.

    Each pins the latest packet of its phase, or the landing page that was drafted last. Returns one answer per action,
    with the reason where it was not asked for: what is pending, was denied or was carried out is not asked for again,
    and a project that is not active is asked for nothing.
    """
    actions = conn.execute(
        "select t.action_type, t.title, t.phase from public.action_types t join public.phase_packets p"
        " on p.phase = t.phase and p.project_id = %s order by t.phase, t.action_type",
        [project_id],
    ).fetchall()
    return [
        proposals.propose(
            conn,
            project_id,
            action["action_type"],
            phase=action["phase"],
            packet=None,
            title=action["title"],
            description=proposals.DESCRIPTIONS.get(action["action_type"]) or action["title"],
            agent_source=agent_source,
            job_id=job_id,
        )
        for action in actions
    ]


def _turned_on(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if any(after.get(switch) is True and before.get(switch) is not True for switch in SWITCHES):
        return True
    # Ads are allowed by a cap as much as by their switch; a higher cap allows nothing that was not allowed before.
    return _dollars(after) > 0 >= _dollars(before)


def _dollars(permissions: Mapping[str, Any]) -> Decimal:
    return Decimal(str(permissions.get(ADS_CAP) or 0))
