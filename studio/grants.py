"""Grants: a project may do more from now on, and is asked at once whether it shall.

Whoever turns a permission on wants what it is for. What the phases that are there have not been able to ask for, or
were refused, is proposed in the same transaction, so that nobody has to wait for another packet or another night.
Ads that the Phase 2 packet was made without are not proposed, but a revision of the packet that plans them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio import proposals
from studio.database.connection import Connection, Database
from studio.obstacles import NO_ADS
from studio.permissions import ADS_CAP, SWITCHES, Limits, change_limits_in, refusal
from studio.proposals import Proposal
from studio.queue import transiently

# The studio proposes, as of a packet that it has just made; who turned the permission on is the proposal's `caused_by`.
SOURCE = "ceo_agent"


@dataclass(frozen=True)
class Grant:
    """What is in force now, what waits for a decision because of it, and what should but cannot.

    `withheld` are the actions that the change itself has permitted and that are still refused, each with its reason:
    what they would carry out is not there yet, or could not be carried out.
    """

    limits: Limits
    proposed: tuple[Proposal, ...]
    withheld: tuple[Proposal, ...] = ()


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
    actions = _reached(conn, project_id)
    forbidden = {name for name in actions if refusal(conn, project_id, name) is not None}
    limits = change_limits_in(conn, project_id, by, permissions=permissions, budget=budget, reason=reason)
    if row is None or not _turned_on(row["permissions"], limits.permissions):
        return Grant(limits, ())
    answers = _propose(conn, project_id, actions.values(), by)
    withheld = tuple(
        answer
        for answer in answers
        if answer.outcome == "refused"
        and answer.action_type in forbidden
        and refusal(conn, project_id, answer.action_type) is None
    )
    if any(answer.reason == NO_ADS for answer in withheld):
        answers.append(_plan_ads(conn, project_id, limits, by))
    return Grant(limits, tuple(answer for answer in answers if answer.outcome == "created"), withheld)


def _reached(conn: Connection, project_id: UUID) -> dict[str, dict[str, Any]]:
    """Return the actions of every phase that has a packet, by name."""
    actions = conn.execute(
        "select t.action_type, t.title, t.phase from public.action_types t join public.phase_packets p"
        " on p.phase = t.phase and p.project_id = %s order by t.phase, t.action_type",
        [project_id],
    ).fetchall()
    return {action["action_type"]: action for action in actions}


def _propose(conn: Connection, project_id: UUID, actions: Iterable[dict[str, Any]], by: str) -> list[Proposal]:
    """Ask for the actions, and return one answer for each, with the reason where it was not asked for.

    Each pins the latest packet of its phase, or the landing page that was drafted last. What is pending, was denied or
    was carried out is not asked for again, and a project that is not active is asked for nothing.
    """
    return [
        proposals.propose(
            conn,
            project_id,
            action["action_type"],
            phase=action["phase"],
            packet=None,
            title=action["title"],
            description=proposals.DESCRIPTIONS.get(action["action_type"]) or action["title"],
            agent_source=SOURCE,
            caused_by=by,
        )
        for action in actions
    ]


def _plan_ads(conn: Connection, project_id: UUID, limits: Limits, by: str) -> Proposal:
    """Ask whether the Phase 2 packet shall be made anew, with ads."""
    cap = format(_dollars(limits.permissions), "f")
    return proposals.propose(
        conn,
        project_id,
        proposals.REFINE,
        phase=2,
        packet=None,
        title="Plan paid ads in Phase 2",
        description="Ads are permitted now, but the Phase 2 packet was made without them. Approved, this makes it anew"
        " with ads, and the campaign is proposed then.",
        agent_source=SOURCE,
        payload={
            "guidance": f"Ads are permitted now, for at most ${cap} a day. Plan paid acquisition within this cap:"
            " target audiences, creative angles, and a kill switch that stops the campaign. Propose the campaign among"
            " the actions. Leave the rest as it is, except where it says that there are no ads."
        },
        caused_by=by,
    )


def _turned_on(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    if any(after.get(switch) is True and before.get(switch) is not True for switch in SWITCHES):
        return True
    # Ads are allowed by a cap as much as by their switch; a higher cap allows nothing that was not allowed before.
    return _dollars(after) > 0 >= _dollars(before)


def _dollars(permissions: Mapping[str, Any]) -> Decimal:
    return Decimal(str(permissions.get(ADS_CAP) or 0))
