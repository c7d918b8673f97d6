"""What an approval will carry out, in the words a reviewer reads before saying yes.

Taken from the pinned packet version alone, part by part as the action takes it; what a packet of another client
lacks is left out, never filled in.
"""

from __future__ import annotations

from typing import Any

from studio.projects import Project

# The event that a repository's launch workflow listens to (domain specification §7).
REPOSITORY_EVENT = "greenlight_phase3_launch"


def preview(action_type: str, project: Project, packet: dict[str, Any], payload: dict[str, Any]) -> dict[str, Any]:
    """Return what the action would do with the packet, as plain JSON without empty entries."""
    parts: dict[str, Any] = {}
    if action_type == "send_welcome_email_sequence":
        parts = {
            "to": "everybody who has confirmed an address, and who will",
            "emails": _part(packet, "email_sequence", "emails"),
        }
    elif action_type == "send_phase2_lifecycle_email":
        parts = {
            "to": "everybody who has confirmed an address by then",
            "emails": _part(packet, "lifecycle_email", "emails"),
        }
    elif action_type == "activate_meta_ads_campaign":
        parts = {
            "campaign": "created paused: a person starts it at Meta",
            "dollars_a_day_at_most": _part(packet, "paid_acquisition", "budget_cap_per_day"),
            "cap_of_the_project": project.permissions.get("ads_budget_cap"),
            "audiences": _part(packet, "paid_acquisition", "target_audiences"),
            "angles": _part(packet, "paid_acquisition", "creative_angles"),
            "kill_switch": _part(packet, "paid_acquisition", "kill_switch"),
        }
    elif action_type == "trigger_phase3_repo_workflow":
        parts = {
            "repository": project.repo_url,
            "event": REPOSITORY_EVENT,
            "merge_policy": _part(packet, "merge_policy"),
            "checklist": _part(packet, "launch_checklist"),
        }
    elif action_type == "trigger_phase3_deploy":
        parts = {"call": "the project's deploy hook", "checklist": _part(packet, "launch_checklist")}
    elif action_type == "deploy_landing_page":
        parts = {
            "page": "exactly the file that has the hash of this approval",
            "headline": _part(packet, "landing_page", "headline"),
        }
    elif action_type == "refine_phase_assets":
        parts = {"guidance": payload.get("guidance")}
    return {key: value for key, value in parts.items() if value not in (None, "", [], {})}


def _part(packet: Any, *path: str) -> Any:
    for key in path:
        packet = packet.get(key) if isinstance(packet, dict) else None
    return packet
