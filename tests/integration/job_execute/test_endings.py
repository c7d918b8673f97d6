"""Whatever ends the process of a run by hand, its job goes on: given back, tried again, or resumed."""

from __future__ import annotations

import os
import signal
import threading
from uuid import UUID

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus

from jobs.factory import AgentOp, build_agent_job
from sensors.watcher import watch_once
from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from tests.support.dagster import (
    DAGSTER_WARNINGS,
    JOB_NAME,
    JOB_TYPE,
    MARKET,
    STEPS,
    SYNTHESIS,
    DagsterHome,
    defs,
    enqueue,
    run_of,
    steps,
    versions,
    wait_for,
)
from tests.support.job_execute import EACH_CALL_ONCE, by_project, held_at, only_job, titles
from tests.support.queue import claim_next, expire_lease, separate_connection, statuses
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


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


def test_a_run_whose_code_is_older_than_its_job_gives_it_back_for_a_newer_one(
    instance: DagsterInstance, database: Database, project: UUID
) -> None:
    job_id = enqueue(database, project)
    database.execute("update agent_jobs set payload_version = 2 where id = %s", [job_id])
    database.execute("update agent_job_types set payload_version = 2 where job_type = %s", [JOB_TYPE])
    job = build_agent_job(JOB_TYPES[JOB_TYPE], [AgentOp("work", "An op.", lambda _: "output")])
    resolved = dg.Definitions(jobs=[job], resources=defs.resources).resolve_job_def(JOB_NAME)
    result = resolved.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)
    assert not result.success
    found = queue.get(database, job_id)
    assert (found.status, found.attempts, found.interruptions) == ("queued", 0, 0)
    assert "is of version 2, and this code knows 1" in str(found.last_error)
    assert found.run_after > found.created_at


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
