"""`research.generate_report` as a Dagster run: its ops, the report as an artifact, and a failure that is listed."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance

from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.model import spend
from studio.queue import NewJob
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs, events, make_project, steps
from tests.support.phase0 import rows
from tests.support.reports import JOB_TYPE, STEPS

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def enqueued(db: Database, project_id: UUID, **wish: object) -> UUID:
    payload = {"projectId": str(project_id), "topic": "Tools and sewing machines in city blocks", **wish}
    with db.transaction() as conn:
        return queue.enqueue(conn, NewJob(JOB_TYPE, project_id, payload)).job_id


def execute(instance: DagsterInstance, job_id: UUID) -> bool:
    job = defs.resolve_job_def(JOB_TYPES[JOB_TYPE].dagster_job)
    run = job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)
    return run.success


def test_a_run_makes_the_report_and_shows_it(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_PAGES_URL", "https://pages.example.org")
    monkeypatch.setenv("GREENLIGHT_LINK_SECRET", "a-secret-of-the-tests")
    get_settings.cache_clear()
    project_id = make_project(database)
    job_id = enqueued(database, project_id, format="pptx", maxSlides=3)
    assert execute(instance, job_id)
    assert queue.get(database, job_id).status == "completed"
    assert set(steps(database, job_id)) == set(STEPS)

    (record,) = instance.fetch_materializations(AssetKey(["reports", "pptx"]), limit=5).records
    shown = record.asset_materialization
    assert shown is not None
    assert shown.partition == str(project_id)
    metadata = {name: value.value for name, value in shown.metadata.items()}
    (row,) = database.fetch_all("select * from public.research_reports where job_id = %s", [job_id])
    assert (metadata["pages"], metadata["supported"]) == (row["pages"], row["claims_supported"]) == (3, 3)
    assert str(metadata["claims"]).count("| supported |") == 3
    assert "$61.2 billion" in str(metadata["claims"])
    (artifact,) = events(database, job_id, "artifact")
    assert artifact["data"]["asset_id"] == str(row["asset_id"])
    assert artifact["data"]["link"].startswith(f"https://pages.example.org/files/{metadata['storage_path']}?token=")
    file = get_settings().data_dir / "artifacts" / "project-assets" / str(metadata["storage_path"])
    assert file.read_bytes()[:2] == b"PK"
    assert {event["data"]["tool"] for event in events(database, job_id, "tool_call")} == {"web_search", "web_fetch"}


def test_a_run_that_fails_for_good_is_listed(instance: DagsterInstance, database: Database) -> None:
    project_id = make_project(database)
    with database.transaction() as conn:
        spend.set_budget(conn, project_id, Decimal(1), 1, 1)
    job_id = enqueued(database, project_id)
    assert not execute(instance, job_id)
    assert queue.get(database, job_id).status == "failed"
    tasks = {task["description"]: task for task in rows(database, "tasks", project_id)}
    assert set(tasks) == {"report_plan", "report_failed"}
    assert {(task["agent"], task["status"]) for task in tasks.values()} == {("research_agent", "failed")}
    assert "budget does not cover" in tasks["report_failed"]["detail"]
