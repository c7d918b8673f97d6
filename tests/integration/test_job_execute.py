"""`dagster job execute`: a run by hand is a run like any other, and whatever ends its process, the job goes on.

Each run is a real process; the model's faults hold it where the test wants it.
"""

from __future__ import annotations

import os
import signal
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

from jobs.factory import AgentOp, build_agent_job
from sensors.watcher import watch_once
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.paths import ROOT
from tests.support.dagster import (
    DAGSTER_WARNINGS,
    JOB_NAME,
    JOB_TYPE,
    MARKET,
    OWNER,
    STEPS,
    SYNTHESIS,
    DagsterHome,
    defs,
    enqueue,
    events,
    make_project,
    run_of,
    steps,
    versions,
    wait_for,
    wait_for_call,
)
from tests.support.forks import Command
from tests.support.queue import LEASE, claim_next, everything, expire_lease, separate_connection, statuses, take_over
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

# A lease that a test can wait for, and that a busy machine keeps all the same.
SHORT_LEASE = {"GREENLIGHT_LEASE_SECONDS": "4", "GREENLIGHT_LEASE_RENEW_SECONDS": "0.5"}
LONG = 120.0


def titles(model: SandboxThread) -> list[str | None]:
    """Return what the model was asked for so far; None is a search."""
    return sorted((entry["schema_title"] for entry in model.requests()), key=str)


EACH_CALL_ONCE = ["CompetitorFindings", "MarketFindings", None, None, "Phase0Synthesis"]


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database)


def by_project(project: UUID, **payload: Any) -> dict[str, Any]:
    return {"project_id": project, "payload": {"ownerClerkId": OWNER, **payload}}


def only_job(db: Database) -> queue.Job:
    [job] = queue.find(db)
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


# --- what ends a process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_run_gives_its_job_back_and_burns_no_attempt(
    number: signal.Signals,
    home: DagsterHome,
    instance: DagsterInstance,
    database: Database,
    project: UUID,
    model_server: SandboxThread,
) -> None:
    command = held_at(home, model_server, by_project(project))
    command.send(number)
    job = wait_for(database, only_job(database).id, "queued")
    assert (job.attempts, job.interruptions, job.last_error) == (0, 1, "The run was interrupted.")
    command.wait()
    assert run_of(instance, database, job.id).status is DagsterRunStatus.FAILURE
    assert statuses(database, job.id) == ["queued", "running", "queued"]
    assert claim_next(database).claim_no == 2


def test_an_interrupt_between_two_ops_counts_as_an_interruption_too(
    instance: DagsterInstance, database: Database, project: UUID
) -> None:
    job_id = enqueue(database, project)
    with separate_connection(database) as holder, holder.transaction():

        def lock(*_: object) -> None:
            # From here on the next op's input cannot be read.
            holder.execute("lock table public.agent_job_steps in access exclusive mode")
            threading.Thread(target=interrupt, daemon=True).start()

        def interrupt() -> None:
            eventually(
                lambda: database.fetch_one(
                    "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
                ),
                what="the input being read",
            )
            os.kill(os.getpid(), signal.SIGINT)

        ops = [
            AgentOp("first", "An op.", lambda _: "output", after=lock),
            AgentOp("second", "An op.", lambda _, output: output, needs=["first"]),
        ]
        job = build_agent_job(JOB_TYPES[JOB_TYPE], ops)
        resolved = dg.Definitions(jobs=[job], resources=defs.resources).resolve_job_def(JOB_NAME)
        result = resolved.execute_in_process(
            instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False
        )
    assert not result.success
    found = queue.get(database, job_id)
    assert (found.status, found.attempts, found.interruptions) == ("queued", 0, 1)
    assert found.last_error == "The run was interrupted."


def test_a_run_that_takes_too_long_fails_the_attempt_and_is_tried_again(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project), WORKER_JOB_TIMEOUT_MS="2500")
    command.wait()
    job = only_job(database)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 1, 0)
    assert job.last_error == "The run took longer than its 2.5 s."
    assert run_of(instance, database, job.id).status is DagsterRunStatus.FAILURE


def test_a_killed_run_is_resumed_without_paying_twice(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project))
    finished = steps(database, only_job(database).id)
    assert finished == dict.fromkeys(STEPS[:3], 1)
    assert titles(model_server) == EACH_CALL_ONCE
    command.kill()

    # Nobody tells Dagster: it is the lease that ends.
    job = only_job(database)
    first = job.dagster_run_id
    assert watch_once(database, instance) == []
    expire_lease(database, job.id)
    watch_once(database, instance)
    job = queue.get(database, job.id)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 1)
    assert job.last_error == f"The lease of run {first} ran out: its process is lost."

    again = home.execute({"job_id": job.id})
    assert again.wait() == 0, again.output()
    assert queue.get(database, job.id).status == "completed"
    # The call that was under way is made again; no other is.
    assert titles(model_server) == sorted([*EACH_CALL_ONCE, SYNTHESIS], key=str)
    assert steps(database, job.id) == {**dict.fromkeys(STEPS, 2), **finished}
    assert len(versions(database, project)) == 1
    assert _calls(database, job.id) == {1: 5, 2: 1}


def test_a_run_killed_between_two_model_calls_of_one_step_repeats_neither(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project), MARKET)
    job = only_job(database)
    # The other half of the research has got to its end meanwhile.
    eventually(lambda: "research/competitors_findings" in _parts(database, job.id), what="the other half")
    command.kill()
    expire_lease(database, job.id)
    watch_once(database, instance)
    again = home.execute({"job_id": job.id})
    assert again.wait() == 0, again.output()
    assert titles(model_server) == sorted([*EACH_CALL_ONCE, MARKET], key=str)


def _parts(db: Database, job_id: UUID) -> set[str]:
    return {row["step"] for row in db.fetch_all("select step from public.agent_job_steps where job_id = %s", [job_id])}


def _calls(db: Database, job_id: UUID) -> dict[int, int]:
    """Return how many model calls were made under each claim."""
    rows = db.fetch_all(
        "select claim_no, count(*) as n from public.model_calls where job_id = %s group by claim_no", [job_id]
    )
    return {row["claim_no"]: row["n"] for row in rows}


# --- zombies


def test_a_run_that_lost_its_lease_stops_and_changes_nothing(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project))
    job = only_job(database)
    zombie = queue.get(database, job.id)
    successor = take_over(database, Claim(database, zombie))
    before = everything(database, job.id)
    command.wait()
    after = everything(database, job.id)
    # The ledger knows of the call that was under way; nothing else has changed.
    assert {name: rows for name, rows in after.items() if name not in ("calls", "budgets")} == {
        name: rows for name, rows in before.items() if name not in ("calls", "budgets")
    }
    job = queue.get(database, job.id)
    assert (job.status, job.claim_no, job.locked_by) == ("running", successor.claim_no, "successor")
    assert instance.get_run_by_id(str(zombie.dagster_run_id)).status is DagsterRunStatus.FAILURE  # type: ignore[union-attr]
    assert watch_once(database, instance) == []
    successor.complete()


def test_a_process_that_slept_through_its_lease_wakes_up_to_nothing(
    home: DagsterHome, instance: DagsterInstance, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    command = held_at(home, model_server, by_project(project), **SHORT_LEASE)
    job = only_job(database)
    command.send(signal.SIGSTOP)
    try:
        eventually(lambda: watch_once(database, instance), what="the lease running out")
        again = home.execute({"job_id": job.id})
        assert again.wait() == 0, again.output()
        before = everything(database, job.id)
    finally:
        command.send(signal.SIGCONT)
    # The watchdog's clock has gone on meanwhile: the process does not even get to try.
    assert command.wait() != 0
    assert "Timeout" in command.output()
    assert everything(database, job.id) == before
    assert queue.get(database, job.id).status == "completed"
    assert len(versions(database, project)) == 1


# --- the database goes away for a moment


def test_every_connection_may_break_in_mid_run(
    home: DagsterHome, database: Database, project: UUID, model_server: SandboxThread
) -> None:
    model_server.fault("hang", match=SYNTHESIS, seconds=2)
    command = home.execute(by_project(project), **SHORT_LEASE)
    wait_for_call(model_server, SYNTHESIS)
    with psycopg.connect(database.url, autocommit=True) as conn:
        for _ in range(5):
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()")
            time.sleep(0.1)
    assert command.wait() == 0, command.output()
    job = only_job(database)
    assert (job.status, job.attempts, job.claim_no) == ("completed", 1, 1)
    assert titles(model_server) == EACH_CALL_ONCE
    assert len(versions(database, project)) == 1
