"""`phase.generate_packet` as a Dagster run: its ops in order, its artifacts in Dagster and in the event stream."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance, ExecuteInProcessResult

from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.queue import NewJob
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs, events, steps
from tests.support.phase0 import gates, rows
from tests.support.phases import JOB_TYPE, STEPS, Founding
from tests.support.sandbox import SandboxThread

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture
def founding(database: Database, instance: DagsterInstance) -> Founding:
    """Makes projects on the home's database; the runs bring a model of their own."""
    return Founding(database, get_settings(), model=None)  # type: ignore[arg-type]


def enqueued(founding: Founding, project_id: UUID, phase: int, **wish: Any) -> UUID:
    payload = {"projectId": str(project_id), "phase": phase, **wish}
    with founding.db.transaction() as conn:
        new = NewJob(JOB_TYPE, project_id, payload, key=f"{phase}:{sorted(wish)}:{len(queue.find(founding.db))}")
        return queue.enqueue(conn, new).job_id


def execute(instance: DagsterInstance, job_id: UUID) -> ExecuteInProcessResult:
    job = defs.resolve_job_def(JOB_TYPES[JOB_TYPE].dagster_job)
    return job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)


def test_a_run_makes_the_packet_and_shows_it(instance: DagsterInstance, founding: Founding) -> None:
    db = founding.db
    project_id = founding.in_phase(1, permissions={"email_send": True}, email="founder@example.org")
    job_id = enqueued(founding, project_id, 1)
    result = execute(instance, job_id)

    assert result.success
    assert queue.get(db, job_id).status == "completed"
    assert set(steps(db, job_id)) == {step.name for step in STEPS}
    version = founding.latest(project_id, 1)

    records = instance.fetch_materializations(AssetKey(["packets", "phase1"]), limit=5).records
    (shown,) = [record.asset_materialization for record in records]
    assert shown is not None
    assert shown.partition == str(project_id)
    metadata = {name: value.value for name, value in shown.metadata.items()}
    gate = next(row for row in gates(db, project_id) if row["type"] == "phase_advance")
    assert (metadata["version"], metadata["confidence"]) == (1, version.confidence)
    assert (metadata["recommendation"], metadata["approval_id"]) == (version.packet["recommendation"], str(gate["id"]))
    table = str(metadata["deliverables"])
    listed = founding.deliverables(project_id, 1)
    assert all(f"| {label} | " in table for label in listed)
    assert listed["Validation deck"]["storage_path"] in table
    assert "No image model is part of this installation" in table

    artifacts = {row["data"].get("asset_id"): row["data"] for row in events(db, job_id, "artifact")}
    stored = [entry for entry in listed.values() if entry["status"] == "stored"]
    for entry in stored:
        told = artifacts[entry["asset_id"]]
        assert (told["storage_path"], told["sha256"]) == (entry["storage_path"], entry["content_hash"])
    assert len(artifacts) == len(stored) + 1
    assert (get_settings().data_dir / "artifacts" / "project-assets" / stored[0]["storage_path"]).is_file()


def test_a_run_with_nothing_to_do_completes_quietly(
    instance: DagsterInstance, founding: Founding, model_server: SandboxThread
) -> None:
    project_id = founding.in_phase(3)
    assert execute(instance, enqueued(founding, project_id, 3)).success
    model_server.clear()
    again = enqueued(founding, project_id, 3)
    result = execute(instance, again)
    assert result.success
    assert queue.get(founding.db, again).status == "completed"
    assert list(steps(founding.db, again)) == ["load_context"]
    assert model_server.requests() == []
    said = [row["message"] for row in events(founding.db, again, "log")]
    assert any("generated already: version 1 waits at its gate" in message for message in said)
    assert events(founding.db, again, "artifact") == []


def test_a_run_that_fails_for_good_is_listed_by_its_phase(instance: DagsterInstance, founding: Founding) -> None:
    project_id = founding.in_phase(1)
    job_id = enqueued(founding, project_id, 3)
    assert not execute(instance, job_id).success
    job = queue.get(founding.db, job_id)
    assert job.status == "failed", "a phase that is not reached was tried again"
    assert "has not reached phase 3" in str(job.last_error)
    (task,) = rows(founding.db, "tasks", project_id)
    assert (task["description"], task["status"]) == ("phase3_failed", "failed")
