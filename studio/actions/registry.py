"""Which actions there are: the one list that the execution reads. Whether one is permitted is SQL's to say."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from studio.actions import (
    activate_meta_ads_campaign,
    deploy_landing_page,
    refine_phase_assets,
    rollback_landing_page,
    send_phase2_lifecycle_email,
    send_welcome_email_sequence,
    trigger_phase3_deploy,
    trigger_phase3_repo_workflow,
)
from studio.actions.context import ActionContext, Outcome
from studio.errors import InvalidInput


class Action(NamedTuple):
    """An action: in whose name it is listed, whose packet it carries out (None: any), and what does it."""

    agent: str
    phase: int | None
    perform: Callable[[ActionContext], Outcome]


# By the types of `studio.packets.actions`; domain specification §4 and §7.
ACTIONS: dict[str, Action] = {
    "deploy_landing_page": Action("engineering_agent", 1, deploy_landing_page.perform),
    "send_welcome_email_sequence": Action("outreach_agent", 1, send_welcome_email_sequence.perform),
    "activate_meta_ads_campaign": Action("growth_agent", 2, activate_meta_ads_campaign.perform),
    "send_phase2_lifecycle_email": Action("outreach_agent", 2, send_phase2_lifecycle_email.perform),
    "trigger_phase3_repo_workflow": Action("engineering_agent", 3, trigger_phase3_repo_workflow.perform),
    "trigger_phase3_deploy": Action("engineering_agent", 3, trigger_phase3_deploy.perform),
    "refine_phase_assets": Action("ceo_agent", None, refine_phase_assets.perform),
    "rollback_landing_page": Action("engineering_agent", None, rollback_landing_page.perform),
}


def action(name: str) -> Action:
    """Return the action of this name; raise `InvalidInput` that lists the known ones."""
    try:
        return ACTIONS[name]
    except KeyError:
        raise InvalidInput(f"There is no action {name!r}.", f"Known: {', '.join(ACTIONS)}.") from None
