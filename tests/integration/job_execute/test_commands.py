"""`dagster job execute` inserts or names a job and runs it like any other; what others hold it leaves alone."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import dagster as dg
import psycopg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from studio import queue
from studio.database.connection import Database
from studio.paths import ROOT
from studio.tracing import ids
from tests.support.dagster import (
    DAGSTER_WARNINGS,
    JOB_NAME,
    JOB_TYPE,
    OWNER,
    STEPS,
    DagsterHome,
    defs,
    enqueue,
    events,
    run_of,
    steps,
    versions,
    wait_for,
)
from tests.support.job_execute import by_project, held_at, only_job
from tests.support.queue import LEASE, everything, statuses
from tests.support.sandbox import SandboxThread

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


# --- a run like any other


class Pickup:
    """Claims whatever is due, again and again, as the sensors of a busy installation do."""

    def __init__(self, db: Database) -> None:
        self.claimed: list[UUID] = []
        self.rounds = 0
        self._db = db
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Pickup:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.claimed += [job.id for job in queue.claim(self._db, "pickup", limit=100, lane=None, lease=LEASE)]
            self.rounds += 1


def test_the_command_inserts_claims_and_runs_a_job_that_pickup_never_gets(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID
) -> None:
    arguments = home.execute_arguments(by_project(project))
    with Pickup(database) as pickup:
        done = subprocess.run(
            [sys.executable, "-m", "dagster", *arguments], env=home.environment(), cwd=ROOT, capture_output=True
        )
    assert done.returncode == 0, done.stderr.decode()
    assert pickup.rounds > 100
    assert pickup.claimed == []

    job = only_job(database)
    # One transaction, as the database's clock stands still in one: pickup had no moment in which it could.
    assert job.created_at == job.started_at
    assert (job.status, job.attempts, job.claim_no, job.last_error) == ("completed", 1, 1, None)
    assert job.payload == {"projectId": str(project), "ownerClerkId": OWNER, "forceNewApproval": False}
    assert statuses(database, job.id) == ["queued", "running", "completed"]
    assert steps(database, job.id) == dict.fromkeys(STEPS, 1)
    assert {row["type"] for row in events(database, job.id)} == {
        *("status", "log", "delta", "tool_call", "tool_result", "artifact")
    }
    [packet] = versions(database, project)
    assert (packet["source_job_id"], packet["claim_no"], packet["model"]) == (job.id, 1, "sandbox")

    run = run_of(instance, database, job.id)
    assert run.status is DagsterRunStatus.SUCCESS
    assert {name: value for name, value in run.tags.items() if name.startswith("greenlight/")} == {
        "greenlight/job_id": str(job.id),
        "greenlight/project_id": str(project),
        "greenlight/job_type": JOB_TYPE,
        "greenlight/lane": "heavy",
        "greenlight/last_op": "announce",
        "greenlight/attempt": "1",
        "greenlight/claim_no": "1",
        "greenlight/trace_id": ids.of_claim(job.id, 1).hex,
    }
    [record] = instance.fetch_materializations(dg.AssetKey(["packets", "phase0"]), limit=5).records
    assert record.asset_materialization is not None
    assert {name: value.value for name, value in record.asset_materialization.metadata.items()} == {
        "recommendation": packet["packet"]["recommendation"],
        "confidence": packet["confidence"],
        "packet": f"greenlight projects show {project}",
        "packet_id": _packet_id(database, project),
        "packet_version_id": str(packet["id"]),
        "version": 1,
        "model": "sandbox",
        "cost_usd": "0.00",
        "model_calls": 5,
        "tokens": record.asset_materialization.metadata["tokens"].value,
        "duration_seconds": record.asset_materialization.metadata["duration_seconds"].value,
    }


def _packet_id(db: Database, project: UUID) -> str:
    row = db.fetch_one("select id from public.phase_packets where project_id = %s", [project])
    assert row is not None
    return str(row["id"])


def test_a_queued_job_is_run_by_its_id_and_a_completed_one_is_refused(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID
) -> None:
    job_id = enqueue(database, project, run_after=datetime.now(UTC) + timedelta(days=1))
    command = home.execute({"job_id": job_id}, APP_BASE_URL="https://studio.test/")
    assert command.wait() == 0, command.output()
    assert queue.get(database, job_id).status == "completed"
    before = everything(database, job_id)
    run = run_of(instance, database, job_id)
    # Where the pages are known, the packet's metadata links to the project's.
    [made] = instance.fetch_materializations(dg.AssetKey(["packets", "phase0"]), limit=5).records
    assert made.asset_materialization is not None
    link = made.asset_materialization.metadata["packet"]
    assert link == dg.MetadataValue.url(f"https://studio.test/projects/{project}")

    for config in ({"job_id": job_id}, by_project(project)):
        refused = home.execute(config)
        assert refused.wait() != 0
        assert f"Job {job_id} is completed. Re-execute its run in the Dagster UI" in refused.output()
        assert everything(database, job_id) == before
    assert len(versions(database, project)) == 1
    assert [found.status.value for found in instance.get_runs()] == ["FAILURE", "FAILURE", "SUCCESS"]
    assert run_of(instance, database, job_id).run_id == run.run_id


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "The run's configuration names no job. Give job_id, or project_id and payload."),
        ({"payload": {"ownerClerkId": OWNER}}, "The run's configuration names no job."),
        ({"job_id": "seven"}, "job_id 'seven' is not a UUID."),
        ({"job_id": str(uuid4())}, "There is no job "),
        ({"project_id": "seven", "payload": {}}, "project_id 'seven' is not a UUID."),
        ({"project_id": str(uuid4()), "payload": {"ownerClerkId": OWNER}}, "There is no such project."),
        ({"project_id": "THE PROJECT", "payload": {"owner": OWNER}}, "The payload does not fit phase0.generate_packet"),
        ({"project_id": "THE PROJECT", "payload": {"ownerClerkId": "a\x00b"}}, "contains a NUL character"),
        ({"job_id": "A CHAT"}, "is of type chat.reply, not phase0.generate_packet. Use the Dagster job of its type."),
    ],
)
def test_configuration_that_names_no_runnable_job_is_refused_clearly(
    config: dict[str, Any], message: str, instance: DagsterInstance, database: Database, project: UUID
) -> None:
    chat = _insert_chat(database, project)
    names = {"THE PROJECT": str(project), "A CHAT": str(chat)}
    result = defs.resolve_job_def(JOB_NAME).execute_in_process(
        instance=instance,
        run_config={
            name: names.get(value, value) if isinstance(value, str) else value for name, value in config.items()
        },
        raise_on_error=False,
    )
    assert not result.success
    [failed] = [event for event in result.all_events if event.is_step_failure]
    assert failed.step_key == "load_context"
    assert message in (failed.step_failure_data.user_failure_data.description or "")  # type: ignore[union-attr]
    # Nothing was inserted, and nothing claimed.
    assert only_job(database).id == chat
    assert statuses(database, chat) == ["queued"]


def _insert_chat(db: Database, project: UUID) -> UUID:
    row = db.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
        " values (%s, 'chat.reply', 'ceo', 'chat') returning id",
        [project],
    )
    assert row is not None
    return UUID(str(row["id"]))


# --- somebody else has it; cancel


def test_a_job_with_a_live_lease_is_refused_and_a_cancel_ends_job_and_run_promptly(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project))
    job = only_job(database)
    refused = home.execute({"job_id": job.id})
    assert refused.wait() != 0
    assert f"Job {job.id} is being run by run:{job.dagster_run_id} under claim 1." in refused.output()
    assert command.running
    assert (only_job(database).claim_no, only_job(database).status) == (1, "running")

    asked = time.monotonic()
    assert queue.cancel(database, job.id, "No longer wanted.") == "cancel_requested"
    assert wait_for(database, job.id, "canceled").last_error == "No longer wanted."
    command.wait()
    assert time.monotonic() - asked < 10
    assert run_of(instance, database, job.id).status is DagsterRunStatus.CANCELED
    assert statuses(database, job.id) == ["queued", "running", "canceled"]
    assert versions(database, project) == []


def test_a_cancel_is_obeyed_also_while_dagster_cannot_take_notes(
    home: DagsterHome, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project))
    with psycopg.connect(home.variables["GREENLIGHT_DAGSTER_DATABASE_URL"].replace("+psycopg2", "")) as conn:
        conn.execute("alter table event_logs rename to event_logs_of_yesterday")
    job = only_job(database)
    queue.cancel(database, job.id)
    wait_for(database, job.id, "canceled")
    command.wait()
