"""`approval.execute` as a Dagster run: what it leaves in the event stream and the asset catalog, and how it fails."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.settings import get_settings
from tests.support.actions import GITHUB_TOKEN, Stage, hook_client
from tests.support.approvals import HOOK, REPOSITORY
from tests.support.dagster import DAGSTER_WARNINGS, defs, events
from tests.support.providers import Providers

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture
def stage(home: Any, database: Database, all_providers: Providers, monkeypatch: pytest.MonkeyPatch) -> Stage:
    """A studio whose settings are those of the run's environment."""
    all_providers.clear()
    monkeypatch.setenv("GITHUB_TOKEN", GITHUB_TOKEN)
    monkeypatch.setenv("GREENLIGHT_GITHUB_URL", all_providers.url)
    get_settings.cache_clear()
    return Stage(database, get_settings(), all_providers, hook_client(all_providers.hook_address))


def execute(instance: DagsterInstance, job_id: UUID) -> ExecuteInProcessResult:
    job = defs.resolve_job_def(JOB_TYPES["approval.execute"].dagster_job)
    return job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)


def test_a_run_does_it_and_shows_what_it_did(stage: Stage, instance: DagsterInstance) -> None:
    _, approval = stage.approved(REPOSITORY)
    job_id = stage.job(approval).id
    assert execute(instance, job_id).success
    assert (stage.job(approval).status, stage.status(approval)) == ("completed", "completed")
    assert stage.happened(approval) == 1
    (record,) = instance.fetch_materializations(AssetKey(["executions", REPOSITORY]), limit=5).records
    shown = record.asset_materialization
    assert shown is not None
    assert shown.partition == str(approval.project_id)
    assert shown.description == stage.executed(approval)["detail"] == "The launch workflow of acme/shop is started"
    values = {name: value.value for name, value in shown.metadata.items()}
    assert (values["approval_id"], values["repository"]) == (str(approval.id), "acme/shop")
    (artifact,) = events(stage.db, job_id, "artifact")
    assert artifact["data"]["approval_id"] == str(approval.id)
    (call,) = events(stage.db, job_id, "tool_call")
    assert call["data"]["tool"] == "repository_dispatch"
    assert GITHUB_TOKEN not in str(call)


def test_a_run_that_cannot_says_why_and_its_job_can_be_retried(
    stage: Stage, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    company, approval = stage.approved(HOOK)
    job_id = stage.job(approval).id
    assert not execute(instance, job_id).success
    assert (stage.job(approval).status, stage.status(approval)) == ("failed", "failed")
    # At once: no further attempt could help.
    assert stage.job(approval).attempts == 1
    assert "VERCEL_DEPLOY_HOOK_URL" in (stage.job(approval).last_error or "")
    assert [e["message"] for e in company.events("execution.failed")] == [stage.job(approval).last_error]
    failed = {row["description"]: row["error"] for row in company.rows("tasks") if row["status"] == "failed"}
    assert set(failed) == {"approval_execution_failed", f"execute_{HOOK}"}
    assert queue.retry(stage.db, job_id).outcome == "revived"
    assert stage.status(approval) == "queued"


def test_a_run_whose_outcome_nobody_knows_is_held(stage: Stage, instance: DagsterInstance) -> None:
    _, approval = stage.approved(REPOSITORY)
    stage.providers.fault("drop", done=True)
    assert not execute(instance, stage.job(approval).id).success
    assert (stage.job(approval).status, stage.status(approval)) == ("failed", "unknown")
    assert "greenlight outbox resolve" in (stage.job(approval).last_error or "")
