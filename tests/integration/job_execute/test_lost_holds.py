"""A run by hand that has lost its job, or its database for a moment, does no harm."""

from __future__ import annotations

import signal
import time
from uuid import UUID

import psycopg
from dagster import DagsterInstance, DagsterRunStatus

from sensors.watcher import watch_once
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.dagster import DAGSTER_WARNINGS, SYNTHESIS, DagsterHome, versions, wait_for_call
from tests.support.job_execute import EACH_CALL_ONCE, SHORT_LEASE, by_project, held_at, only_job, titles
from tests.support.queue import everything, take_over
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


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
