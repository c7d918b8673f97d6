"""The pickup sensors, one per lane: they claim due jobs and launch one Dagster run per claim.

A claim is short until its run has started (`launch_lease_seconds`). Where the run never starts, or the tick's
answer is lost on its way to the daemon, the job returns to the queue by itself. A run key holds the claim
number and so never repeats.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import psycopg

from resources import run_tags
from resources.database import StudioDatabase
from studio import lanes, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import StudioError
from studio.job_types import JOB_TYPES, LANES, Lane, job_type, require_handler
from studio.queue import Job
from studio.settings import Settings, get_settings

log = logging.getLogger(__name__)

# The daemon looks again after whole seconds only; its own loop adds up to five.
INTERVAL_SECONDS = 1


def claim_for_launch(db: Database, lane: Lane, settings: Settings) -> Iterator[dg.RunRequest]:
    """Claim what fits into the lane's free slots and yield a run request for each job that has a handler."""
    limit = lanes.limits(settings)[lane]
    jobs = queue.claim(
        db,
        f"{settings.worker_id}:{lane}",
        limit=settings.worker_claim_batch,
        lane=lane,
        lease=timedelta(seconds=settings.launch_lease_seconds),
        slots=limit.slots,
        project_limit=limit.per_project,
    )
    for job in jobs:
        if (request := _request(db, job)) is not None:
            yield request


def _request(db: Database, job: Job) -> dg.RunRequest | None:
    try:
        kind = require_handler(job_type(job.job_type))
    except StudioError as exc:
        _refuse(db, job, str(exc))
        return None
    return dg.RunRequest(run_key=run_tags.run_key(job), job_name=kind.dagster_job, tags=run_tags.tags_of(job))


def _refuse(db: Database, job: Job, error: str) -> None:
    try:
        Claim(db, job).fail(error, permanent=True, retry_base=timedelta(0))
    except (StudioError, psycopg.Error) as exc:
        # The other jobs of the tick are launched all the same; this one's short lease ends by itself.
        log.warning("Job %s could not be refused: %s", job.id, exc)


def build_pickup_sensor(lane: Lane, jobs: list[dg.JobDefinition]) -> dg.SensorDefinition:
    """Return the pickup sensor of a lane; any of `jobs` may be asked for."""

    @dg.sensor(
        name=f"pickup_{lane}",
        jobs=jobs,
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Claims due jobs of the {lane} lane and launches a run for each.",
    )
    def pickup(studio_database: StudioDatabase) -> Iterator[dg.RunRequest | dg.SkipReason]:
        try:
            requests = list(claim_for_launch(studio_database.get(), lane, get_settings()))
        except (StudioError, psycopg.OperationalError) as exc:
            # A restarting database is no reason for a failed tick; the next one finds it.
            yield dg.SkipReason(f"The queue cannot be read: {exc}")
            return
        if not requests:
            yield dg.SkipReason("No job is due.")
        yield from requests

    return pickup


def build_pickup_sensors(jobs: list[dg.JobDefinition]) -> list[dg.SensorDefinition]:
    """Return one pickup sensor per lane."""
    known = {kind.dagster_job for kind in JOB_TYPES.values() if kind.has_handler}
    return [build_pickup_sensor(lane, [job for job in jobs if job.name in known]) for lane in LANES]
