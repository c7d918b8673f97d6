"""Typed next steps: what a packet proposes to do in the world, by the type of the action that would do it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from studio.packets.fields import Line, PacketModel

# The executable actions of the domain specification §4 and §7.
ActionType = Literal[
    "deploy_landing_page",
    "send_welcome_email_sequence",
    "activate_meta_ads_campaign",
    "send_phase2_lifecycle_email",
    "trigger_phase3_repo_workflow",
    "trigger_phase3_deploy",
    "refine_phase_assets",
]

# Which of them a packet of a phase may propose. Whether one is permitted is the database's to say (`action_refusal`).
PHASE_ACTIONS: dict[int, tuple[ActionType, ...]] = {
    1: ("deploy_landing_page", "send_welcome_email_sequence", "refine_phase_assets"),
    2: ("activate_meta_ads_campaign", "send_phase2_lifecycle_email", "refine_phase_assets"),
    3: ("trigger_phase3_repo_workflow", "trigger_phase3_deploy", "refine_phase_assets"),
}


class ProposedAction(PacketModel):
    """A next step that the studio could carry out itself, once a person has approved it."""

    action_type: ActionType
    description: Line = Field(description="What would be done, in one sentence")
    reason: Line = Field(description="Why now; only from what the packet and the figures say")
