"""A run whose claim is over does not stay open in Dagster for ever, whoever has brought its job back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance, DagsterRunStatus

from resources import run_tags
from sensors.forsaken import SWEEP_SECONDS, UNTAKEN_SECONDS, Forsaken
from studio import claims, fleet, queue
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, defs, enqueue
from tests.support.queue import LEASE, claim_next, expire_lease, make_project

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

GRACE_SECONDS = 60.0
HEARTBEAT_SECONDS = 5.0
WORKER = "standard@here"
OPEN = [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sweep_of_fleet(database: Database, instance: DagsterInstance, clock: Clock) -> Callable[[], list[str]]:
    """Sweep twice, long enough after another, where runs go to workers."""
    forsaken = Forsaken(GRACE_SECONDS, clock, heartbeat_seconds=HEARTBEAT_SECONDS)

    def due() -> list[str]:
        clock.now += SWEEP_SECONDS
        assert forsaken.sweep(database, instance) == [], "it is ended at once"
        clock.now += GRACE_SECONDS
        return forsaken.sweep(database, instance)

    return due


@pytest.fixture
def sweep(database: Database, instance: DagsterInstance, clock: Clock) -> Callable[[], list[str]]:
    """Sweep when it is due again."""
    forsaken = Forsaken(GRACE_SECONDS, clock)

    def due() -> list[str]:
        clock.now += SWEEP_SECONDS
        return forsaken.sweep(database, instance)

    return due


def launch(db: Database, instance: DagsterInstance, status: DagsterRunStatus, **tags: str) -> tuple[Claim, str]:
    """Claim a new job and create the run that pickup asks for."""
    enqueue(db, make_project(db))
    claim = claim_next(db)
    given = {**run_tags.tags_of(claim.job), run_tags.RUN_KEY: run_tags.run_key(claim.job), **tags}
    run = instance.create_run_for_job(job_def=defs.resolve_job_def(JOB_NAME), tags=given, status=status)
    return claim, run.run_id


def status_of(instance: DagsterInstance, run_id: str) -> DagsterRunStatus:
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run.status


@pytest.mark.parametrize("status", OPEN)
def test_a_run_whose_job_came_back_by_its_lease_is_ended_after_a_while(
    status: DagsterRunStatus,
    database: Database,
    instance: DagsterInstance,
    clock: Clock,
    sweep: Callable[[], list[str]],
) -> None:
    claim, run_id = launch(database, instance, status)
    expire_lease(database, claim.job_id)
    # As the upkeep does, and the watcher where the lease ends between two of its looks.
    assert queue.reclaim_stale(database) == 1
    assert sweep() == []
    assert status_of(instance, run_id) is status
    clock.now += GRACE_SECONDS
    [said] = sweep()
    assert run_id in said
    ended = DagsterRunStatus.CANCELED if status is DagsterRunStatus.CANCELING else DagsterRunStatus.FAILURE
    assert status_of(instance, run_id) is ended
    assert sweep() == []


@pytest.mark.parametrize("begun", [False, True])
def test_a_run_whose_claim_is_current_is_left_alone(
    begun: bool, database: Database, instance: DagsterInstance, clock: Clock, sweep: Callable[[], list[str]]
) -> None:
    claim, run_id = launch(database, instance, DagsterRunStatus.STARTED)
    if begun:
        claims.start(database, claim.job_id, claim.claim_no, run_id, LEASE)
    for _ in range(3):
        assert sweep() == []
        clock.now += GRACE_SECONDS
    assert status_of(instance, run_id) is DagsterRunStatus.STARTED


def test_a_run_of_an_earlier_claim_is_ended_while_the_next_one_goes_on(
    database: Database, instance: DagsterInstance, clock: Clock, sweep: Callable[[], list[str]]
) -> None:
    claim, run_id = launch(database, instance, DagsterRunStatus.STARTING)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    again = claim_next(database)
    assert again.claim_no == 2
    sweep()
    clock.now += GRACE_SECONDS
    assert len(sweep()) == 1
    assert status_of(instance, run_id) is DagsterRunStatus.FAILURE
    assert queue.get(database, claim.job_id).status == "running"


def test_a_run_that_ends_itself_in_time_is_not_touched(
    database: Database, instance: DagsterInstance, clock: Clock, sweep: Callable[[], list[str]]
) -> None:
    claim, run_id = launch(database, instance, DagsterRunStatus.STARTED)
    claim.complete()
    assert sweep() == []
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.handle_run_event(run_id, DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name))
    clock.now += GRACE_SECONDS
    assert sweep() == []
    assert status_of(instance, run_id) is DagsterRunStatus.SUCCESS


def test_what_a_person_executes_anew_is_left_alone(
    database: Database, instance: DagsterInstance, clock: Clock, sweep: Callable[[], list[str]]
) -> None:
    # It has the tags of the run it repeats, but Dagster gives it no run key of its own claim.
    claim, run_id = launch(database, instance, DagsterRunStatus.NOT_STARTED, **{run_tags.RUN_KEY: "another:1"})
    claim.complete()
    sweep()
    clock.now += GRACE_SECONDS
    assert sweep() == []
    assert status_of(instance, run_id) is DagsterRunStatus.NOT_STARTED


def test_it_looks_only_now_and_then(database: Database, instance: DagsterInstance, clock: Clock) -> None:
    claim, _ = launch(database, instance, DagsterRunStatus.STARTING)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    forsaken = Forsaken(0.0, clock)
    assert len(forsaken.sweep(database, instance)) == 1
    claim, _ = launch(database, instance, DagsterRunStatus.STARTING)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    assert forsaken.sweep(database, instance) == []
    clock.now += SWEEP_SECONDS
    assert len(forsaken.sweep(database, instance)) == 1


# --- a fleet's runs that hold no job


def of_nobody(instance: DagsterInstance, status: DagsterRunStatus) -> str:
    return instance.create_run_for_job(job_def=defs.resolve_job_def("upkeep"), status=status).run_id


def heard_of(db: Database, status: str = "running", host: str = "a", seconds_ago: float = 0.0) -> None:
    details = {"lane": "standard", "slots": 1, "host": host, "process": "1:1", "running": 0, "done": 0, "build": "r1"}
    fleet.report(db, WORKER, status, details, None)  # type: ignore[arg-type]
    db.execute("update worker_heartbeats set last_seen_at = now() - make_interval(secs => %s)", [seconds_ago])


@pytest.mark.parametrize("status", [DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING])
@pytest.mark.parametrize("gone", ["silent", "stopped", "forgotten", "on another machine", "its take has ended"])
def test_a_run_whose_worker_is_gone_is_ended(
    status: DagsterRunStatus,
    gone: str,
    database: Database,
    instance: DagsterInstance,
    sweep_of_fleet: Callable[[], list[str]],
) -> None:
    run_id = of_nobody(instance, status)
    fleet.take(database, run_id, WORKER, "a", 1)
    if gone == "silent":
        heard_of(database, seconds_ago=HEARTBEAT_SECONDS * fleet.HEARTBEATS_OF_A_LIFE + 1)
    elif gone == "stopped":
        heard_of(database, status="stopped")
    elif gone == "on another machine":
        heard_of(database, host="b")
    elif gone == "its take has ended":
        heard_of(database)
        fleet.end_take(database, run_id, WORKER, "lost: it was killed")
    [said] = sweep_of_fleet()
    assert run_id in said
    ended = DagsterRunStatus.CANCELED if status is DagsterRunStatus.CANCELING else DagsterRunStatus.FAILURE
    assert status_of(instance, run_id) is ended


@pytest.mark.parametrize("status", ["running", "draining", "error"])
def test_a_run_whose_worker_lives_goes_on(
    status: str, database: Database, instance: DagsterInstance, sweep_of_fleet: Callable[[], list[str]]
) -> None:
    run_id = of_nobody(instance, DagsterRunStatus.STARTED)
    fleet.take(database, run_id, WORKER, "a", 1)
    heard_of(database, status=status)
    assert sweep_of_fleet() == []
    assert status_of(instance, run_id) is DagsterRunStatus.STARTED


def test_a_run_that_holds_a_job_is_a_matter_of_its_lease(
    database: Database, instance: DagsterInstance, sweep_of_fleet: Callable[[], list[str]]
) -> None:
    # Executed anew by a person: it has claimed by itself.
    claim, run_id = launch(database, instance, DagsterRunStatus.STARTED, **{run_tags.RUN_KEY: "another:1"})
    claims.start(database, claim.job_id, claim.claim_no, run_id, LEASE)
    fleet.take(database, run_id, WORKER, "a", 1)
    assert sweep_of_fleet() == []
    assert status_of(instance, run_id) is DagsterRunStatus.STARTED


def test_a_run_that_a_broker_has_lost_is_ended_after_an_hour_and_never_begins(
    database: Database, instance: DagsterInstance, clock: Clock
) -> None:
    forsaken = Forsaken(GRACE_SECONDS, clock, heartbeat_seconds=HEARTBEAT_SECONDS)
    lost = of_nobody(instance, DagsterRunStatus.STARTING)
    # Somebody executes it on the command line, and not by a worker.
    by_hand = of_nobody(instance, DagsterRunStatus.STARTED)
    assert forsaken.sweep(database, instance) == []
    clock.now += UNTAKEN_SECONDS - 1
    later = of_nobody(instance, DagsterRunStatus.STARTING)
    assert forsaken.sweep(database, instance) == []
    clock.now += SWEEP_SECONDS
    [said] = forsaken.sweep(database, instance)
    assert lost in said
    assert status_of(instance, lost) is DagsterRunStatus.FAILURE
    assert not fleet.take(database, lost, WORKER, "a", 1)
    assert status_of(instance, by_hand) is DagsterRunStatus.STARTED
    assert fleet.take(database, later, WORKER, "a", 1)


def test_one_machine_leaves_runs_that_hold_no_job_to_its_launcher(
    database: Database, instance: DagsterInstance, clock: Clock, sweep: Callable[[], list[str]]
) -> None:
    run_id = of_nobody(instance, DagsterRunStatus.STARTED)
    for _ in range(3):
        assert sweep() == []
        clock.now += UNTAKEN_SECONDS
    assert status_of(instance, run_id) is DagsterRunStatus.STARTED
