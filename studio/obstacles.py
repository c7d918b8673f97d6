"""Obstacles: why an action that a project may do could still not be carried out with what its approval would pin.

Asked before a person is: what is certain to fail is nothing to say yes to.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from studio.errors import InvalidInput
from studio.packets.limits import planned_ads
from studio.permissions import ADS_CAP
from studio.projects import Project
from studio.providers import github

# Meta counts in cents.
CENT = Decimal("0.01")
NO_ADS = (
    "The Phase 2 packet runs no ads: they were not permitted, or had no cap, when it was made. Have Phase 2 revised, so"
    " that it plans paid acquisition within the cap."
)


def obstacle(action_type: str, project: Project, packet: Mapping[str, Any]) -> str | None:
    """Return why the action would fail with this packet of its phase, and what to do; None where nothing is known.

    What the project is not permitted is not asked here; see `permissions.refusal`.
    """
    if action_type == "activate_meta_ads_campaign":
        # First, because a packet that is made anew would have this cap.
        if Decimal(str(project.permissions.get(ADS_CAP) or 0)) < CENT:
            return "The project's cap for ads is less than a cent a day. Raise it."
        if planned_ads(packet) < CENT:
            return NO_ADS
    if action_type == "trigger_phase3_repo_workflow":
        try:
            github.repository(project.repo_url or "")
        except InvalidInput as exc:
            return f"{exc.message} No workflow can be started anywhere else."
    return None
