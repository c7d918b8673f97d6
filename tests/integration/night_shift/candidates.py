"""Projects whose nights have candidates to settle, and the approvals that come of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from studio import decisions
from studio.database.connection import Database
from tests.support.night import DAY, Nights, draft, project, reader, rows, track

WELCOME, LIFECYCLE, ADS = "send_welcome_email_sequence", "send_phase2_lifecycle_email", "activate_meta_ads_campaign"
REFINE, LANDING = "refine_phase_assets", "deploy_landing_page"
REPO, DEPLOY = "trigger_phase3_repo_workflow", "trigger_phase3_deploy"
NEXT = DAY + timedelta(days=1)


def busy(db: Database, project_id: UUID) -> None:
    """Let the figures be such that no rule has anything to say."""
    track(db, project_id, "traffic", 5)
    track(db, project_id, "lead", 1)


def ready(db: Database, phase: int = 3, **columns: Any) -> UUID:
    """Return a project in which every action could be carried out, with quiet figures."""
    made = project(db, phase=phase, **columns)
    busy(db, made)
    reader(db, made)
    draft(db, made)
    return made


def approvals(db: Database, project_id: UUID) -> list[dict[str, Any]]:
    return [row for row in rows(db, "approval_queue", project_id) if row["type"] == "execution"]


def decide(nights: Nights, approval: dict[str, Any], decision: Any) -> None:
    decisions.decide(nights.db, approval["id"], decision, version=approval["version"], decided_by="founder")
