"""Runs by hand: what they are told, and how one is held where a test wants it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studio import queue
from studio.database.connection import Database
from tests.support.dagster import OWNER, SYNTHESIS, DagsterHome
from tests.support.forks import Command
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

# A lease that a test can wait for, and that a busy machine keeps all the same.
SHORT_LEASE = {"GREENLIGHT_LEASE_SECONDS": "4", "GREENLIGHT_LEASE_RENEW_SECONDS": "0.5"}
# For this long the model holds a run that is to be met at its work.
LONG = 120.0
EACH_CALL_ONCE = ["CompetitorFindings", "MarketFindings", None, None, "Phase0Synthesis"]


def titles(model: SandboxThread) -> list[str | None]:
    """Return what the model was asked for so far; None is a search."""
    return sorted((entry["schema_title"] for entry in model.requests()), key=str)


def by_project(project: UUID, **payload: Any) -> dict[str, Any]:
    return {"project_id": project, "payload": {"ownerClerkId": OWNER, **payload}}


def only_job(db: Database) -> queue.Job:
    # The mail that tells of it is a job of the studio's own.
    [job] = [job for job in queue.find(db) if job.job_type != "email.process_due"]
    return job


def held_at(
    home: DagsterHome, model: SandboxThread, config: dict[str, Any], title: str = SYNTHESIS, **settings: str
) -> Command:
    """Execute the job, and return when its process waits for the model's answer to `title`."""
    model.fault("hang", match=title, seconds=LONG)
    before = len(model.requests(title=title))
    command = home.execute(config, **settings)
    eventually(lambda: len(model.requests(title=title)) > before or not command.running, what=f"the call for {title}")
    assert command.running, command.output()
    return command
