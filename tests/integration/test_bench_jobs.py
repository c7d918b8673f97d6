"""The jobs that do nothing: each runs in its lane like any other, and leaves the moment at which its op began."""

from __future__ import annotations

import time
from uuid import uuid4

import dagster as dg
import pytest
from dagster import DagsterInstance

from greenlight_dagster.bench.history import forget_runs
from resources import run_tags
from resources.database import StudioDatabase
from sensors.pickup import build_pickup_sensor
from sensors.waiting import POLLING
from studio import queue
from studio.database.connection import Database
from studio.job_types import BENCH_STARTED_AT, LANES, Lane
from studio.queue import NewJob
from tests.support.dagster import DAGSTER_WARNINGS, defs
from tests.support.queue import make_project, statuses

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.mark.parametrize("lane", LANES)
def test_a_run_completes_the_job_and_says_when_it_began(
    lane: str, instance: DagsterInstance, database: Database
) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        job_id = queue.enqueue(conn, NewJob(f"bench.{lane}", project, {"sample": 7})).job_id
        before = time.time()
    job = defs.resolve_job_def(f"bench_{lane}")
    assert job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}).success

    [step] = database.fetch_all("select step, output from public.agent_job_steps where job_id = %s", [job_id])
    assert step["step"] == f"noop_{lane}"
    assert before <= step["output"][BENCH_STARTED_AT] <= time.time()
    assert statuses(database, job_id) == ["queued", "running", "completed"]


def test_the_runs_of_a_measurement_are_forgotten_and_no_others(instance: DagsterInstance, database: Database) -> None:
    measured, other = make_project(database), make_project(database)
    job = defs.resolve_job_def("bench_standard")
    for project in (measured, measured, other):
        with database.transaction() as conn:
            job_id = queue.enqueue(conn, NewJob("bench.standard", project, key=str(uuid4()))).job_id
        assert job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}).success
    assert forget_runs(instance, [measured]) == 2
    [left] = instance.get_runs()
    assert left.tags[run_tags.PROJECT_ID] == str(other)
    assert forget_runs(instance, [measured]) == 0


def test_a_run_that_has_not_ended_is_left(instance: DagsterInstance) -> None:
    project = uuid4()
    job = defs.resolve_job_def("bench_standard")
    instance.create_run_for_job(job, tags={run_tags.PROJECT_ID: str(project)})
    assert forget_runs(instance, [project], patience=0) == 0
    assert len(instance.get_runs()) == 1


@pytest.mark.parametrize("lane", LANES)
def test_the_lanes_own_pickup_asks_for_its_run(lane: Lane, instance: DagsterInstance, database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        queue.enqueue(conn, NewJob(f"bench.{lane}", project))
    repository = defs.get_repository_def()
    resources = {"studio_database": StudioDatabase()}
    with dg.build_sensor_context(instance=instance, repository_def=repository, resources=resources) as context:
        tick = build_pickup_sensor(lane, 1, [*repository.get_all_jobs()], POLLING).evaluate_tick(context)
    assert [request.job_name for request in tick.run_requests or []] == [f"bench_{lane}"]
