"""Re-execution, as the Dagster UI does it: what is cleared, what is kept, and what is not done a second time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from resources import run_tags
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from tests.support.dagster import (
    COMPETITORS,
    DAGSTER_WARNINGS,
    MARKET,
    STEPS,
    SYNTHESIS,
    DagsterHome,
    enqueue,
    events,
    make_project,
    run_of,
    steps,
    versions,
)
from tests.support.dagster_ui import Clicks, ForkingLauncher, in_process
from tests.support.queue import claim_next, everything, statuses
from tests.support.sandbox import SandboxThread

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture
def instance(home: DagsterHome) -> Iterator[DagsterInstance]:
    """The instance of a home whose launcher forks the processes of runs."""
    home.configure(run_launcher={"module": "tests.support.dagster_ui", "class": "ForkingLauncher"})
    ForkingLauncher.home, ForkingLauncher.commands = home, {}
    with DagsterInstance.from_config(str(home.folder)) as opened:
        yield opened


@pytest.fixture
def ui(instance: DagsterInstance) -> Iterator[Clicks]:
    with in_process(instance) as clicks:
        yield clicks


@pytest.fixture
def job_id(database: Database) -> UUID:
    return enqueue(database, make_project(database))


def finish(instance: DagsterInstance, run_id: str) -> DagsterRun:
    """Wait for the run's process, and return the run."""
    command = ForkingLauncher.commands[run_id]
    command.wait()
    print(command.output())
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run


def run_queued(ui: Clicks, instance: DagsterInstance, db: Database) -> DagsterRun:
    """Claim the job that is due and run it, as pickup does; return its run, which has ended."""
    return finish(instance, ui.launch({}, picked_up(claim_next(db))))


def picked_up(claim: Claim) -> dict[str, str]:
    """Return the tags of the run that the daemon launches for a claim of pickup."""
    return {**run_tags.tags_of(claim.job), run_tags.RUN_KEY: run_tags.run_key(claim.job)}


def packets(db: Database, job_id: UUID) -> list[int]:
    return [row["version"] for row in versions(db, queue.get(db, job_id).project_id)]


def gates(db: Database) -> list[dict[str, Any]]:
    return db.fetch_all(
        "select a.status, a.version, v.version as packet from public.approval_queue a"
        " join public.phase_packet_versions v on v.id = a.packet_version_id order by a.created_at"
    )


def mails(db: Database) -> int:
    # The welcome of a new owner belongs to no project.
    row = db.fetch_one("select count(*)::int as n from public.email_jobs where project_id <> %s", [SYSTEM_PROJECT_ID])
    assert row is not None
    return int(row["n"])


def greenlight_tags(run: DagsterRun) -> dict[str, str]:
    wanted = (run_tags.JOB_ID, run_tags.ATTEMPT, run_tags.CLAIM_NO)
    return {name: value for name, value in run.tags.items() if name in wanted}


def test_all_steps_of_a_completed_run_make_a_new_result_and_no_second_mail(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    first = run_queued(ui, instance, database)
    assert first.status is DagsterRunStatus.SUCCESS
    assert ui.offers_to_resume(first.run_id)
    calls = len(model_server.requests())

    again = finish(instance, ui.reexecute(first, "ALL_STEPS"))
    assert again.status is DagsterRunStatus.SUCCESS
    assert again.parent_run_id == first.run_id
    assert greenlight_tags(again) == {run_tags.JOB_ID: str(job_id), run_tags.ATTEMPT: "1", run_tags.CLAIM_NO: "2"}
    job = queue.get(database, job_id)
    assert (job.status, job.claim_no, job.dagster_run_id) == ("completed", 2, again.run_id)
    assert statuses(database, job_id) == ["queued", "running", "completed", "running", "completed"]
    assert steps(database, job_id) == dict.fromkeys(STEPS, 2)
    assert len(model_server.requests()) == 2 * calls
    assert packets(database, job_id) == [1, 2]
    assert gates(database) == [{"status": "pending", "version": 2, "packet": 2}]
    assert mails(database) == 1
    packets_shown = [row["data"] for row in events(database, job_id, "artifact") if "packet_id" in row["data"]]
    assert [data["version"] for data in packets_shown] == [1, 2]


def test_from_failure_what_is_finished_is_kept_and_nothing_is_paid_twice(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    # Half of a step is done when the other half fails.
    model_server.fault("status", match=MARKET, status=529)
    first = run_queued(ui, instance, database)
    assert first.status is DagsterRunStatus.FAILURE
    assert ui.offers_to_resume(first.run_id)
    # The queue would try again by itself; a person is quicker.
    assert queue.get(database, job_id).status == "queued"
    # Nothing has failed yet that a founder would need to know.
    assert tasks(database) == {"phase0_init": "completed", "phase0_research": "queued"}

    again = finish(instance, ui.reexecute(first, "FROM_FAILURE"))
    assert again.status is DagsterRunStatus.SUCCESS
    assert set(again.step_keys_to_execute or ()) == set(STEPS[2:])
    assert greenlight_tags(again) == {run_tags.JOB_ID: str(job_id), run_tags.ATTEMPT: "2", run_tags.CLAIM_NO: "2"}
    assert queue.get(database, job_id).status == "completed"
    assert steps(database, job_id) == {**dict.fromkeys(STEPS[:2], 1), **dict.fromkeys(STEPS[2:], 2)}
    asked = [entry["schema_title"] for entry in model_server.requests()]
    assert sorted(asked, key=str) == [COMPETITORS, MARKET, MARKET, None, None, SYNTHESIS]
    assert packets(database, job_id) == [1]
    assert mails(database) == 1
    assert set(tasks(database).values()) == {"completed"}


def test_a_run_that_fails_for_good_is_listed_with_its_reason(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    model_server.fault("status", match=SYNTHESIS, status=401)
    assert run_queued(ui, instance, database).status is DagsterRunStatus.FAILURE
    job = queue.get(database, job_id)
    assert (job.status, job.attempts) == ("failed", 1)
    assert tasks(database) == {
        "phase0_init": "completed",
        "phase0_research": "completed",
        "phase0_synthesis": "failed",
        "phase0_failed": "failed",
    }
    errors = database.fetch_all("select distinct error from public.tasks where status = 'failed'")
    assert [row["error"] for row in errors] == [job.last_error]


def tasks(db: Database) -> dict[str, str]:
    return {row["description"]: row["status"] for row in db.fetch_all("select description, status from public.tasks")}


def test_a_live_lease_refuses_and_afterwards_all_steps_of_the_failed_run_begin_anew(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    model_server.fault("status", match=SYNTHESIS, status=529)
    first = run_queued(ui, instance, database)
    held = claim_next(database, "pickup")
    before = everything(database, job_id)
    for strategy in ("ALL_STEPS", "FROM_FAILURE"):
        refused = finish(instance, ui.reexecute(first, strategy))
        assert refused.status is DagsterRunStatus.FAILURE
        [said] = failures(instance, refused)
        assert f"Job {job_id} is being run by pickup under claim 2. Wait until it ends, or cancel it first." in said
    assert everything(database, job_id) == before

    held.cancel()
    again = finish(instance, ui.reexecute(first, "ALL_STEPS"))
    assert again.status is DagsterRunStatus.SUCCESS
    assert steps(database, job_id) == dict.fromkeys(STEPS, 3)
    assert len(model_server.requests()) == 2 * 5
    assert packets(database, job_id) == [1]


def failures(instance: DagsterInstance, run: DagsterRun) -> list[str]:
    """Return what the run's log says of its failed steps: all messages of the error and of its causes."""
    texts = []
    for entry in instance.all_logs(run.run_id):
        if entry.dagster_event is not None and entry.dagster_event.is_step_failure:
            error, chain = entry.dagster_event.step_failure_data.error, ""
            while error is not None:
                error, chain = error.cause, f"{chain}{error.message}"
            texts.append(chain)
    return texts


def test_from_a_selected_op_on_the_ops_before_it_are_kept(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    first = run_queued(ui, instance, database)
    model_server.clear()
    again = finish(instance, ui.reexecute_steps(first, STEPS[3:]))
    assert again.status is DagsterRunStatus.SUCCESS
    assert queue.get(database, job_id).status == "completed"
    assert [entry["schema_title"] for entry in model_server.requests()] == [SYNTHESIS]
    assert steps(database, job_id) == {**dict.fromkeys(STEPS[:3], 1), **dict.fromkeys(STEPS[3:], 2)}
    assert packets(database, job_id) == [1, 2]
    assert gates(database) == [{"status": "pending", "version": 2, "packet": 2}]
    assert mails(database) == 1


def test_a_run_of_the_launchpad_is_re_executed_and_one_of_some_ops_is_refused(
    ui: Clicks, instance: DagsterInstance, database: Database
) -> None:
    project = make_project(database)
    first = finish(instance, ui.launch({"project_id": project, "payload": {"ownerClerkId": "anna"}}))
    assert first.status is DagsterRunStatus.SUCCESS
    [job] = queue.find(database, project_id=project)
    again = finish(instance, ui.reexecute(first, "ALL_STEPS"))
    assert again.status is DagsterRunStatus.SUCCESS
    assert [found.id for found in queue.find(database, project_id=project)] == [job.id]
    assert packets(database, job.id) == [1, 2]

    # A re-execution of the re-execution, whose tags say claim 2.
    before = queue.get(database, job.id)
    third = finish(instance, ui.reexecute_steps(again, ["synthesize"]))
    assert third.status is DagsterRunStatus.FAILURE
    assert any("leaves out announce, with which the job ends" in said for said in failures(instance, third))
    assert queue.get(database, job.id) == before
    assert before.status == "completed"
    assert packets(database, job.id) == [1, 2]


def test_tags_that_came_along_into_the_launchpad_name_the_job_and_a_duplicate_launch_ends_quietly(
    ui: Clicks, instance: DagsterInstance, database: Database, job_id: UUID, model_server: SandboxThread
) -> None:
    model_server.fault("status", match=SYNTHESIS, status=401)
    claim = claim_next(database)
    first = finish(instance, ui.launch({}, picked_up(claim)))
    assert queue.get(database, job_id).status == "failed"

    # The same run key once more: pickup's claim is over, so there is nothing to do.
    before = everything(database, job_id)
    duplicate = finish(instance, ui.launch({}, picked_up(claim)))
    assert duplicate.status is DagsterRunStatus.SUCCESS
    assert everything(database, job_id) == before
    assert run_of(instance, database, job_id).run_id == first.run_id

    tags = {name: value for name, value in first.tags.items() if name.startswith("greenlight/")}
    again = finish(instance, ui.launch({}, tags))
    assert again.status is DagsterRunStatus.SUCCESS
    assert greenlight_tags(again) == {run_tags.JOB_ID: str(job_id), run_tags.ATTEMPT: "1", run_tags.CLAIM_NO: "2"}
    assert steps(database, job_id) == {**dict.fromkeys(STEPS[:3], 1), **dict.fromkeys(STEPS[3:], 2)}

    before = everything(database, job_id)
    [said] = failures(instance, finish(instance, ui.launch({}, tags)))
    assert f"Job {job_id} is completed. Re-execute its run" in said
    assert everything(database, job_id) == before
