"""One evaluation of a lane's pickup sensor, as the daemon lets the code server do it."""

from __future__ import annotations

import dagster as dg
from dagster import DagsterInstance
from dagster._core.definitions.sensor_definition import SensorExecutionData

from resources.database import StudioDatabase
from sensors.pickup import build_pickup_sensor
from sensors.waiting import POLLING
from studio.job_types import JOB_TYPES, Lane
from tests.support.dagster import JOB_TYPE, defs

LANE = JOB_TYPES[JOB_TYPE].lane


def evaluate(instance: DagsterInstance, lane: Lane = LANE) -> SensorExecutionData:
    """Evaluate the lane's sensor once."""
    repository = defs.get_repository_def()
    resources = {"studio_database": StudioDatabase()}
    with dg.build_sensor_context(instance=instance, repository_def=repository, resources=resources) as context:
        sensor = build_pickup_sensor(lane, 1, [*repository.get_all_jobs()], POLLING)
        return sensor.evaluate_tick(context)


def asked_for(tick: SensorExecutionData) -> list[str | None]:
    """Return the run keys that a tick asks for."""
    return [request.run_key for request in tick.run_requests or []]
