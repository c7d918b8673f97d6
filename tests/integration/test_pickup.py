"""Pickup: one evaluation of a lane's sensor claims what is due and asks for one run per claim, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from dagster import DagsterInstance

from studio import lanes, queue
from studio.database import connection
from studio.database.connection import Database
from studio.job_types import JOB_TYPES, LANES, Lane
from studio.settings import get_settings
from studio.tracing import ids
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, JOB_TYPE, enqueue, forget_process
from tests.support.job_types import NOT_YET
from tests.support.pickups import LANE, asked_for, evaluate
from tests.support.queue import (
    InBackground,
    claim_next,
    expire_lease,
    insert_foreign,
    last_status_event,
    make_project,
    separate_connection,
    statuses,
)
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures", "tests.support.job_types"]
pytestmark = DAGSTER_WARNINGS

# --- what is asked for


def test_a_due_job_becomes_one_run_request(instance: DagsterInstance, database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    tick = evaluate(instance)
    [request] = tick.run_requests or []
    assert request.job_name == JOB_NAME
    assert request.run_key == f"{job_id}:1"
    own = {name: value for name, value in request.tags.items() if name.startswith("greenlight/")}
    assert own == {
        "greenlight/job_id": str(job_id),
        "greenlight/project_id": str(project),
        "greenlight/job_type": JOB_TYPE,
        "greenlight/attempt": "1",
        "greenlight/claim_no": "1",
        "greenlight/trace_id": ids.of_claim(job_id, 1).hex,
    }
    assert request.run_config == {}
    job = queue.get(database, job_id)
    assert (job.status, job.claim_no, job.locked_by) == ("running", 1, f"greenlight:{LANE}")


def test_a_claimed_job_is_not_asked_for_again(instance: DagsterInstance, database: Database) -> None:
    enqueue(database, make_project(database))
    evaluate(instance)
    again = evaluate(instance)
    assert (again.run_requests, again.skip_message) == ([], "No job is due.")


def test_each_claim_of_a_job_has_a_run_key_of_its_own(instance: DagsterInstance, database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    keys = []
    for _ in range(3):
        keys += asked_for(evaluate(instance))
        # The run never starts, and the launch lease runs out.
        expire_lease(database, job_id)
        assert queue.reclaim_stale(database) == 1
    assert keys == [f"{job_id}:{claim}" for claim in (1, 2, 3)]
    assert queue.get(database, job_id).attempts == 0


def test_a_claim_is_short_until_its_run_has_started(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_LAUNCH_LEASE_SECONDS", "7")
    get_settings.cache_clear()
    job_id = enqueue(database, make_project(database))
    evaluate(instance)
    row = database.fetch_one("select leased_until - locked_at as lease from public.agent_jobs where id = %s", [job_id])
    assert row == {"lease": timedelta(seconds=7)}


def test_a_lane_leaves_the_jobs_of_other_lanes_alone(instance: DagsterInstance, database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    for lane in LANES:
        if lane != LANE:
            assert evaluate(instance, lane).skip_message == "No job is due."
    assert asked_for(evaluate(instance)) == [f"{job_id}:1"]


def test_a_job_waits_for_its_time(instance: DagsterInstance, database: Database) -> None:
    enqueue(database, make_project(database), run_after=datetime.now(UTC) + timedelta(hours=1))
    assert evaluate(instance).skip_message == "No job is due."


# --- slots


def test_free_slots_of_the_settings_bound_a_tick(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_HEAVY_CONCURRENCY", "3")
    get_settings.cache_clear()
    jobs = [enqueue(database, make_project(database)) for _ in range(5)]
    assert asked_for(evaluate(instance)) == [f"{job_id}:1" for job_id in jobs[:3]]
    assert asked_for(evaluate(instance)) == []
    database.execute("select public.complete_agent_job(%s, 'completed', null, 1)", [jobs[0]])
    assert asked_for(evaluate(instance)) == [f"{jobs[3]}:1"]


def test_one_project_gets_no_more_than_its_limit(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_HEAVY_CONCURRENCY", "5")
    monkeypatch.setenv("GREENLIGHT_PROJECT_CONCURRENCY", "2")
    get_settings.cache_clear()
    greedy, other = make_project(database), make_project(database)
    many = [enqueue(database, greedy, key=f"key-{number}") for number in range(4)]
    one = enqueue(database, other)
    assert asked_for(evaluate(instance)) == [f"{job_id}:1" for job_id in (*many[:2], one)]


def test_a_batch_bounds_a_tick(instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_HEAVY_CONCURRENCY", "9")
    monkeypatch.setenv("WORKER_CLAIM_BATCH", "2")
    get_settings.cache_clear()
    for _ in range(3):
        enqueue(database, make_project(database))
    assert [len(asked_for(evaluate(instance))) for _ in range(3)] == [2, 1, 0]


# --- what nobody can run


@pytest.mark.parametrize(
    ("job_type", "lane", "error"),
    [
        ("astrology.cast", "standard", "There is no job type 'astrology.cast'. Known job types: "),
        (NOT_YET, "heavy", f"Job type '{NOT_YET}' has no handler yet. Can be enqueued today: "),
    ],
)
def test_a_job_that_nobody_can_run_fails_at_once_and_says_why(
    job_type: str,
    lane: Lane,
    error: str,
    type_without_handler: str,
    instance: DagsterInstance,
    database: Database,
) -> None:
    project = make_project(database)
    _registry(database)
    job_id = insert_foreign(database, project, job_type)
    tick = evaluate(instance, lane)
    assert (tick.run_requests, tick.skip_message) == ([], "No job is due.")
    job = queue.get(database, job_id)
    assert (job.status, job.attempts, job.max_attempts) == ("failed", 1, 3)
    assert (job.last_error or "").startswith(error)
    assert statuses(database, job_id) == ["queued", "running", "failed"]
    assert last_status_event(database, job_id)["data"]["error"] == job.last_error


def test_a_job_that_nobody_can_run_does_not_hold_up_the_others(instance: DagsterInstance, database: Database) -> None:
    project = make_project(database)
    database.execute("update public.agent_job_lanes set slots = 9, project_limit = 9")
    bad = insert_foreign(database, project, "astrology.cast")
    database.execute("update public.agent_jobs set lane = %s, priority = 999 where id = %s", [LANE, bad])
    good = enqueue(database, project)
    assert asked_for(evaluate(instance)) == [f"{good}:1"]
    assert queue.get(database, bad).status == "failed"


def test_a_refusal_that_breaks_does_not_hold_up_the_others(instance: DagsterInstance, database: Database) -> None:
    project = make_project(database)
    database.execute("update public.agent_job_lanes set slots = 9, project_limit = 9")
    bad = insert_foreign(database, project, "astrology.cast")
    database.execute("update public.agent_jobs set lane = %s, priority = 999 where id = %s", [LANE, bad])
    good = enqueue(database, project)
    with database.transaction() as conn:
        conn.execute(
            "create function public.refuse() returns trigger language plpgsql as $$"
            " begin raise exception 'no' using errcode = '55P03'; end $$"
        )
        conn.execute(
            "create trigger refuse before update on public.agent_jobs for each row when (new.status = 'failed')"
            " execute function public.refuse()"
        )
    assert asked_for(evaluate(instance)) == [f"{good}:1"]
    # Its launch never comes, so its short lease brings it back.
    assert queue.get(database, bad).status == "running"


def _registry(db: Database) -> None:
    with db.transaction() as conn:
        lanes.synchronize_registry(conn, JOB_TYPES.values(), {})


# --- a database that is away


def test_a_database_that_cannot_be_reached_is_no_failed_tick(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id = enqueue(database, make_project(database))
    with monkeypatch.context() as patch:
        patch.setattr(connection, "POOL_TIMEOUT_SECONDS", 0.1)
        patch.setenv("DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/greenlight")
        forget_process()
        tick = evaluate(instance)
    assert not tick.run_requests
    assert (tick.skip_message or "").startswith("The queue cannot be read: The database at 127.0.0.1:1/greenlight")
    assert "secret" not in (tick.skip_message or "")
    forget_process()
    assert asked_for(evaluate(instance)) == [f"{job_id}:1"]


def test_a_database_that_restarts_during_the_claim_is_no_failed_tick(
    instance: DagsterInstance, database: Database
) -> None:
    job_id = enqueue(database, make_project(database))
    with separate_connection(database) as holder:
        with holder.transaction():
            # The claim waits for its turn in the lane.
            holder.execute("select pg_advisory_xact_lock(hashtext('greenlight.claim'), hashtext(%s))", [LANE])
            tick = InBackground(lambda: evaluate(instance))
            claimer = _waiting_session(database)
            database.execute("select pg_terminate_backend(%s)", [claimer])
            skipped = tick.result()
    assert (skipped.skip_message or "").startswith("The queue cannot be read: The connection to the database broke")
    assert asked_for(evaluate(instance)) == [f"{job_id}:1"]


def test_a_schema_that_is_not_there_yet_is_no_failed_tick(instance: DagsterInstance, database: Database) -> None:
    with database.transaction() as conn:
        conn.execute("alter function public.claim_agent_jobs rename to claim_agent_jobs_of_tomorrow")
    assert "Run `greenlight db migrate`" in (evaluate(instance).skip_message or "")


def _waiting_session(db: Database) -> int:
    def blocked() -> Any:
        row = db.fetch_one(
            "select pid from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and wait_event = 'advisory'"
        )
        return row and row["pid"]

    return int(eventually(blocked, what="the claim waiting for its turn"))


# --- who else claims


def test_pickup_passes_over_a_job_that_another_worker_holds(instance: DagsterInstance, database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    with separate_connection(database) as other:
        with other.transaction():
            other.execute("select 1 from public.agent_jobs where id = %s for update", [job_id])
            assert evaluate(instance).skip_message == "No job is due."
    held = claim_next(database, lane=LANE)
    assert held.job_id == job_id
    assert evaluate(instance).skip_message == "No job is due."
