"""The watcher: a job whose run has ended without it comes back, a job whose run goes on is left alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.events import EngineEventData
from dagster_shared.error import SerializableErrorInfo

from resources import run_tags
from resources.database import StudioDatabase
from sensors.waiting import POLLING
from sensors.watcher import build_watcher, reclaim_silent, watch_once
from studio import claims, queue
from studio.claims import Claim
from studio.database import connection
from studio.database.connection import Database
from studio.model import spend
from studio.model.prices import Usage
from studio.model.spend import Spender
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, defs, enqueue, forget_process
from tests.support.queue import (
    LEASE,
    InBackground,
    claim_foreign,
    claim_next,
    everything,
    expire_lease,
    last_status_event,
    make_project,
    separate_connection,
    statuses,
    take_over,
)
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

ENDINGS = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
GOING_ON = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]


Begin = Callable[..., "Held"]


class Held(NamedTuple):
    """A job, the claim that holds it, and the run that the claim was made for."""

    claim: Claim
    run_id: str

    @property
    def job_id(self) -> UUID:
        return self.claim.job_id


def launch(db: Database, instance: DagsterInstance, status: DagsterRunStatus = DagsterRunStatus.STARTING) -> Held:
    """Claim a new job and create the run that pickup asks for; nothing has started on the claim yet."""
    enqueue(db, make_project(db))
    claim = claim_next(db)
    return Held(claim, make_run(instance, claim, status))


def make_run(instance: DagsterInstance, claim: Claim, status: DagsterRunStatus) -> str:
    run = instance.create_run_for_job(
        job_def=defs.resolve_job_def(JOB_NAME), tags=run_tags.tags_of(claim.job), status=status
    )
    return run.run_id


def start(db: Database, instance: DagsterInstance, status: DagsterRunStatus = DagsterRunStatus.STARTED) -> Held:
    """As `launch`, and the run has taken the claim up."""
    held = launch(db, instance, status)
    return Held(claims.start(db, held.job_id, held.claim.claim_no, held.run_id, LEASE), held.run_id)


def status_in_dagster(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


# --- runs that have ended


@pytest.mark.parametrize("status", [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE])
def test_a_job_whose_run_ended_without_a_say_returns_to_the_queue(
    status: DagsterRunStatus, database: Database, instance: DagsterInstance
) -> None:
    held = start(database, instance, status)
    [line] = watch_once(database, instance)
    assert str(held.job_id) in line
    assert held.run_id in line
    job = queue.get(database, held.job_id)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 1)
    assert job.last_error == f"The process of run {held.run_id} was lost."
    assert last_status_event(database, held.job_id)["data"]["error"] == job.last_error
    assert statuses(database, held.job_id) == ["queued", "running", "queued"]
    assert claim_next(database).claim_no == 2


def test_a_run_whose_lease_ran_out_between_two_looks_is_ended_in_dagster_as_well(
    database: Database, instance: DagsterInstance
) -> None:
    held, unlaunched = start(database, instance), claim_new(database)
    for job_id in (held.job_id, unlaunched):
        expire_lease(database, job_id)
    assert reclaim_silent(database, instance) == 2
    assert status_in_dagster(instance, held.run_id) is DagsterRunStatus.FAILURE
    for job_id in (held.job_id, unlaunched):
        job = queue.get(database, job_id)
        assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 1)
        assert job.last_error == "The lease ran out: the worker is lost."
    assert reclaim_silent(database, instance) == 0


def claim_new(db: Database) -> UUID:
    """Claim a new job whose run is never launched."""
    enqueue(db, make_project(db))
    return claim_next(db).job_id


def test_a_job_whose_run_was_canceled_in_dagster_is_canceled(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.CANCELED)
    watch_once(database, instance)
    job = queue.get(database, held.job_id)
    assert (job.status, job.last_error) == ("canceled", "Canceled in Dagster.")
    assert statuses(database, held.job_id)[-1] == "canceled"


def test_a_run_that_died_while_it_was_being_canceled_cancels_its_job(
    database: Database, instance: DagsterInstance
) -> None:
    held = start(database, instance)
    run = instance.get_run_by_id(held.run_id)
    assert run is not None
    instance.report_run_canceling(run)
    # What the code server does when it finds that the process is gone.
    instance.report_run_failed(run)
    watch_once(database, instance)
    assert queue.get(database, held.job_id).status == "canceled"


@pytest.mark.parametrize("begin", [launch, start])
def test_a_run_that_is_being_canceled_in_dagster_has_its_job_canceled_by_its_holder_or_by_the_end_of_its_lease(
    begin: Begin, database: Database, instance: DagsterInstance
) -> None:
    held = begin(database, instance)
    run = instance.get_run_by_id(held.run_id)
    assert run is not None
    # A launcher that has lost the process can do no more than this.
    instance.report_run_canceling(run)
    watch_once(database, instance)
    job = queue.get(database, held.job_id)
    assert job.status == "running"
    assert job.cancel_requested_at is not None
    before = everything(database, held.job_id)
    assert watch_once(database, instance) == []
    assert everything(database, held.job_id) == before

    expire_lease(database, held.job_id)
    watch_once(database, instance)
    assert queue.get(database, held.job_id).status == "canceled"
    assert status_in_dagster(instance, held.run_id) is DagsterRunStatus.CANCELED


def test_the_reason_of_a_cancel_outlives_its_run(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.CANCELED)
    assert queue.cancel(database, held.job_id, "No longer wanted.") == "cancel_requested"
    watch_once(database, instance)
    job = queue.get(database, held.job_id)
    assert (job.status, job.last_error) == ("canceled", "No longer wanted.")


def test_a_cancel_that_was_asked_for_is_not_forgotten_by_a_crash(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.FAILURE)
    assert queue.cancel(database, held.job_id, "No longer wanted.") == "cancel_requested"
    watch_once(database, instance)
    assert queue.get(database, held.job_id).status == "canceled"


def test_a_run_that_failed_to_launch_gives_its_job_back_at_once(database: Database, instance: DagsterInstance) -> None:
    held = launch(database, instance, DagsterRunStatus.FAILURE)
    watch_once(database, instance)
    job = queue.get(database, held.job_id)
    assert (job.status, job.attempts, job.last_error) == ("queued", 0, f"Run {held.run_id} failed to launch.")


def test_a_job_that_takes_its_process_down_every_time_does_not_come_back_for_ever(
    database: Database, instance: DagsterInstance
) -> None:
    held = start(database, instance, DagsterRunStatus.FAILURE)
    rounds = 0
    while queue.get(database, held.job_id).status == "running":
        rounds += 1
        assert rounds < 20
        watch_once(database, instance)
        database.execute("update public.agent_jobs set run_after = now() where id = %s", [held.job_id])
        if queue.get(database, held.job_id).status == "queued":
            claim = claim_next(database)
            run_id = make_run(instance, claim, DagsterRunStatus.FAILURE)
            claims.start(database, claim.job_id, claim.claim_no, run_id, LEASE)
    # Five interruptions are free; then each counts as one of three attempts.
    assert rounds == 8
    assert queue.get(database, held.job_id).status == "failed"


# --- runs that go on


@pytest.mark.parametrize("status", GOING_ON)
@pytest.mark.parametrize("begin", [launch, start])
def test_a_job_whose_run_goes_on_is_left_alone(
    begin: Begin, status: DagsterRunStatus, database: Database, instance: DagsterInstance
) -> None:
    held = begin(database, instance, status)
    before = everything(database, held.job_id)
    assert watch_once(database, instance) == []
    assert everything(database, held.job_id) == before


@pytest.mark.parametrize("begin", [launch, start])
def test_a_run_that_its_launcher_cannot_reach_is_stopped_by_its_own_lease_keeper(
    begin: object, database: Database, instance: DagsterInstance
) -> None:
    # The code server was restarted under a living run: CANCELING is all that Dagster can do for it.
    assert callable(begin)
    held = begin(database, instance, DagsterRunStatus.CANCELING)
    watch_once(database, instance)
    job = queue.get(database, held.job_id)
    assert (job.status, job.cancel_requested_at is not None) == ("running", True)
    assert watch_once(database, instance) == []


def test_a_job_whose_run_waits_for_a_slot_is_canceled_with_it(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr(type(instance.run_launcher), "terminate", lambda _launcher, run_id: told.append(run_id))
    held = launch(database, instance)
    assert queue.cancel(database, held.job_id) == "cancel_requested"
    [line] = watch_once(database, instance)
    assert line == f"job {held.job_id}: canceled, before run {held.run_id} began"
    assert (queue.get(database, held.job_id).status, told) == ("canceled", [held.run_id])


def test_a_second_launch_that_fails_is_not_tried_again_at_once(database: Database, instance: DagsterInstance) -> None:
    held = launch(database, instance, DagsterRunStatus.FAILURE)
    assert len(watch_once(database, instance)) == 1
    again = claim_next(database)
    make_run(instance, again, DagsterRunStatus.FAILURE)
    assert watch_once(database, instance) == []
    assert queue.get(database, held.job_id).status == "running"
    expire_lease(database, held.job_id)
    assert len(watch_once(database, instance)) == 1
    assert queue.get(database, held.job_id).status == "queued"


def test_a_launch_that_failed_says_why(database: Database, instance: DagsterInstance) -> None:
    held = launch(database, instance)
    run = instance.get_run_by_id(held.run_id)
    assert run is not None
    error = SerializableErrorInfo("Error: no room for it\n", [], "Error")
    instance.report_engine_event("It went wrong.", run, EngineEventData.engine_error(error))
    instance.report_run_failed(run)
    watch_once(database, instance)
    why = f"Run {held.run_id} failed to launch. Error: no room for it"
    assert queue.get(database, held.job_id).last_error == why


def test_a_claim_whose_run_is_not_there_yet_is_left_alone(database: Database, instance: DagsterInstance) -> None:
    enqueue(database, make_project(database))
    claim = claim_next(database)
    assert watch_once(database, instance) == []
    assert queue.get(database, claim.job_id).status == "running"


@pytest.mark.parametrize("status", ENDINGS)
def test_the_run_of_an_earlier_claim_says_nothing_about_this_one(
    status: DagsterRunStatus, database: Database, instance: DagsterInstance
) -> None:
    first = launch(database, instance, status)
    second = take_over(database, first.claim)
    assert watch_once(database, instance) == []
    assert queue.get(database, first.job_id).claim_no == second.claim_no
    run_id = make_run(instance, second, DagsterRunStatus.STARTED)
    claims.start(database, first.job_id, second.claim_no, run_id, LEASE)
    assert watch_once(database, instance) == []
    assert queue.get(database, first.job_id).status == "running"


def test_a_second_run_of_the_same_claim_that_ended_quietly_says_nothing_about_the_first(
    database: Database, instance: DagsterInstance
) -> None:
    held = start(database, instance)
    make_run(instance, held.claim, DagsterRunStatus.SUCCESS)
    assert watch_once(database, instance) == []
    assert queue.get(database, held.job_id).status == "running"


def test_a_job_that_another_client_claimed_without_a_lease_is_left_alone(
    database: Database, instance: DagsterInstance
) -> None:
    job_id = enqueue(database, make_project(database))
    assert claim_foreign(database) == [job_id]
    assert watch_once(database, instance) == []
    assert queue.get(database, job_id).status == "running"


# --- leases


@pytest.mark.parametrize("begin", [launch, start])
def test_a_lease_that_ran_out_brings_the_job_back_and_ends_the_run_in_dagsters_books(
    begin: Begin, database: Database, instance: DagsterInstance
) -> None:
    # Process and code server died together, or nothing ever started: nobody has told Dagster.
    held = begin(database, instance)
    expire_lease(database, held.job_id)
    [line] = watch_once(database, instance)
    assert str(held.job_id) in line
    job = queue.get(database, held.job_id)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 1)
    assert job.last_error == f"The lease of run {held.run_id} ran out: its process is lost."
    assert status_in_dagster(instance, held.run_id) is DagsterRunStatus.FAILURE
    assert watch_once(database, instance) == []


def test_a_claim_whose_run_never_came_returns_when_its_lease_is_over(
    database: Database, instance: DagsterInstance
) -> None:
    enqueue(database, make_project(database))
    claim = claim_next(database)
    expire_lease(database, claim.job_id)
    assert watch_once(database, instance) == ["1 jobs whose lease ran out"]
    assert queue.get(database, claim.job_id).status == "queued"


def test_a_run_that_dagster_has_forgotten_is_caught_by_its_lease(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance)
    instance.delete_run(held.run_id)
    assert watch_once(database, instance) == []
    expire_lease(database, held.job_id)
    watch_once(database, instance)
    assert queue.get(database, held.job_id).status == "queued"


def test_what_a_lost_worker_had_reserved_is_settled(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.FAILURE)
    project = held.claim.job.project_id
    with database.transaction() as conn:
        spend.set_budget(conn, project, 1, 1_000_000, 10)
    spender = Spender(project, held.job_id, held.claim.claim_no)
    spend.reserve(database, spender, step="s", agent="a", model="m", micros=700, usage=Usage(100, 50))
    watch_once(database, instance)
    budget = spend.budget(database, project)
    assert (budget.spent_micros, budget.reserved_micros) == (700, 0)


# --- races


def test_the_last_word_of_the_run_itself_wins(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.SUCCESS)
    other = start(database, instance, DagsterRunStatus.FAILURE)
    with separate_connection(database) as run:
        with run.transaction():
            run.execute(
                "select public.complete_agent_job(%s, 'completed', null, %s)", [held.job_id, held.claim.claim_no]
            )
            watching = InBackground(lambda: watch_once(database, instance))
            # The watcher has read the job as running, and now wants to give it back.
            assert _blocked_session(database)
        lines = watching.result()
    assert statuses(database, held.job_id) == ["queued", "running", "completed"]
    # Losing one race does not keep the watcher from the others.
    assert [str(other.job_id) in line for line in lines] == [True]
    assert queue.get(database, other.job_id).status == "queued"


def _blocked_session(db: Database) -> int:
    def blocked() -> int:
        row = db.fetch_one(
            "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
        )
        return int(row["pid"]) if row else 0

    return eventually(blocked, what="the watcher waiting for the job")


# --- the sensor around it


def evaluate(instance: DagsterInstance) -> str | None:
    """Evaluate the watcher's sensor once; return what it says. It never asks for a run."""
    repository = defs.get_repository_def()
    resources = {"studio_database": StudioDatabase()}
    with dg.build_sensor_context(instance=instance, repository_def=repository, resources=resources) as context:
        tick = build_watcher(POLLING).evaluate_tick(context)
    assert not tick.run_requests
    return tick.skip_message


def test_a_tick_says_what_was_done(database: Database, instance: DagsterInstance) -> None:
    assert evaluate(instance) == "Every running job has its run."
    held = start(database, instance, DagsterRunStatus.FAILURE)
    assert evaluate(instance) == f"job {held.job_id}: queued, because run {held.run_id} is FAILURE"


def test_a_database_that_cannot_be_reached_is_no_failed_tick(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = start(database, instance, DagsterRunStatus.FAILURE)
    with monkeypatch.context() as patch:
        patch.setattr(connection, "POOL_TIMEOUT_SECONDS", 0.1)
        patch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/greenlight")
        forget_process()
        assert (evaluate(instance) or "").startswith("The queue cannot be read: ")
    forget_process()
    evaluate(instance)
    assert queue.get(database, held.job_id).status == "queued"


def test_a_connection_that_breaks_is_no_failed_tick(database: Database, instance: DagsterInstance) -> None:
    held = start(database, instance, DagsterRunStatus.FAILURE)
    with separate_connection(database) as other:
        with other.transaction():
            other.execute("select 1 from public.agent_jobs where id = %s for update", [held.job_id])
            tick = InBackground(lambda: evaluate(instance))
            database.execute("select pg_terminate_backend(%s)", [_blocked_session(database)])
        # What it was about to say is said again.
        assert (tick.result() or "").startswith(f"job {held.job_id}: queued")
    assert queue.get(database, held.job_id).status == "queued"
