"""What a packet may say of the studio's own doings: the project's permissions and facts go before any plan.

A model plans; whether ads run and for how much, where the product runs, which branch is protected, and which actions
may be proposed at all is not its to say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import BaseModel

from studio.packets.actions import PHASE_ACTIONS
from studio.packets.phase3 import PROTECTED_BRANCH
from studio.projects import Project


class Dropped(BaseModel):
    """A proposed action that was taken out of a packet, and why."""

    action_type: str
    reason: str


def forced(phase: int, packet: dict[str, Any], project: Project) -> dict[str, Any]:
    """Return the packet with the project's permissions and facts in the place of what a plan says of them."""
    if phase == 2:
        cap = Decimal(str(project.permissions["ads_budget_cap"]))
        enabled = project.permissions["ads_enabled"] is True and cap > 0
        paid = {**packet["paid_acquisition"], "enabled": enabled, "budget_cap_per_day": float(cap)}
        return {**packet, "paid_acquisition": paid}
    if phase == 3:
        review = {**packet["architecture_review"], "runtime_mode": project.runtime_mode}
        policy = {**packet["merge_policy"], "protected_branch": PROTECTED_BRANCH, "review_required": True}
        return {**packet, "architecture_review": review, "merge_policy": policy}
    return packet


def planned_ads(packet: Mapping[str, Any]) -> Decimal:
    """Return the dollars a day for which a Phase 2 packet runs ads; 0 where it runs none, or does not say for what."""
    paid = packet.get("paid_acquisition")
    if not isinstance(paid, dict) or paid.get("enabled") is not True:
        return Decimal(0)
    try:
        cap = Decimal(str(paid.get("budget_cap_per_day")))
    except InvalidOperation:
        return Decimal(0)
    return cap if cap.is_finite() and cap > 0 else Decimal(0)


def without_forbidden(
    phase: int, packet: dict[str, Any], refusal: Callable[[str], str | None]
) -> tuple[dict[str, Any], list[Dropped]]:
    """Return the packet with only those proposed actions that belong to its phase and are permitted, and the others.

    `refusal` says why an action is not permitted now, None where it is.
    """
    synopsis = packet["reasoning_synopsis"]
    kept: list[dict[str, Any]] = []
    dropped: list[Dropped] = []
    for action in synopsis["proposed_actions"]:
        kind = action["action_type"]
        reason = (
            f"it is no action of Phase {phase}"
            if kind not in PHASE_ACTIONS[phase]
            else "it is proposed already"
            if any(other["action_type"] == kind for other in kept)
            else refusal(kind)
        )
        if reason is None:
            kept.append(action)
        else:
            dropped.append(Dropped(action_type=kind, reason=reason))
    return {**packet, "reasoning_synopsis": {**synopsis, "proposed_actions": kept}}, dropped
