"""The pickup sensors, some per lane: they claim due jobs and launch one Dagster run per claim.

An evaluation waits until a job is due and a slot of its lane is free (`sensors.waiting`); the sensors of a lane
relay each other. A claim is short until its run has started (`launch_lease_seconds`). Where the run never
starts, or the tick's answer is lost on its way to the daemon, the job returns to the queue by itself. A run key
holds the claim number and so never repeats.
"""

import logging
from collections.abc import Iterator
from datetime import timedelta

import dagster as dg
import psycopg

from resources import run_tags
from resources.database import StudioDatabase
from sensors.relays import RELAYS, pickup_name
from sensors.waiting import Pace, Wait, Waited
from studio import fleet, lanes, queue
from studio.claims import Claim
from studio.database import schema
from studio.database.connection import Database
from studio.errors import StudioError
from studio.job_types import JOB_TYPES, LANES, Lane, job_type, require_handler, require_version
from studio.lanes import LaneLimit
from studio.queue import Job
from studio.settings import Settings, get_settings

log = logging.getLogger(__name__)


def claim_for_launch(db: Database, lane: Lane, settings: Settings) -> Iterator[dg.RunRequest]:
    """Claim what fits into the lane's free slots and yield a run request for each job that has a handler.

    Raise `MigrationError` where this release cannot work on the database.
    """
    schema.require_usable_once(db)
    limit = free_slots(db, lane, settings)
    jobs = queue.claim(
        db,
        f"{settings.worker_id}:{lane}",
        limit=settings.worker_claim_batch,
        lane=lane,
        lease=timedelta(seconds=settings.launch_lease_seconds),
        slots=limit.slots,
        project_limit=limit.per_project,
        owner_limit=limit.per_owner,
    )
    for job in jobs:
        if (request := _request(db, job)) is not None:
            yield request


def free_slots(db: Database, lane: Lane, settings: Settings) -> LaneLimit:
    """Return how many jobs of the lane may run at once: by the settings, or in a fleet by what its workers offer.

    What a worker that is cut off, draining, or without its broker could take is not offered: a claim would wait in
    vain, and its short lease end.
    """
    limit = lanes.limits(settings)[lane]
    if settings.broker_url is None:
        return limit
    slots = fleet.claimable_slots(db, lane, settings.worker_heartbeat_seconds)
    return limit._replace(slots=slots, per_project=max(1, min(slots, settings.worker_project_limit)))


def _request(db: Database, job: Job) -> dg.RunRequest | None:
    try:
        kind = require_handler(job_type(job.job_type))
        require_version(kind, job.payload_version)
    except StudioError as exc:
        _refuse(db, job, str(exc))
        return None
    return dg.RunRequest(run_key=run_tags.run_key(job), job_name=kind.dagster_job, tags=run_tags.tags_of(job))


def _refuse(db: Database, job: Job, error: str) -> None:
    """Fail a job that nobody can run; one that a later release has registered meanwhile goes back to the queue."""
    try:
        Claim(db, job).hand_back(error)
    except (StudioError, psycopg.Error) as exc:
        # The other jobs of the tick are launched all the same; this one's short lease ends by itself.
        log.warning("Job %s could not be refused: %s", job.id, exc)


def build_pickup_sensor(lane: Lane, number: int, jobs: list[dg.JobDefinition], pace: Pace) -> dg.SensorDefinition:
    """Return the pickup sensor `number` (from 1) of a lane; any of `jobs` may be asked for."""

    @dg.sensor(
        name=pickup_name(lane, number),
        jobs=jobs,
        minimum_interval_seconds=pace.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Claims due jobs of the {lane} lane and launches a run for each. One of {RELAYS[lane]}.",
    )
    def pickup(studio_database: StudioDatabase) -> Iterator[dg.RunRequest | dg.SkipReason]:
        settings, db = get_settings(), studio_database.get()
        wait = Wait(f"pickup_{lane}", studio_database.listener(), pace)
        found = wait.until(
            lambda: list(claim_for_launch(db, lane, settings)) or None,
            lane=lane,
            next_look=lambda: queue.seconds_until_due(db),
        )
        if isinstance(found, Waited):
            yield dg.SkipReason(found.why)
        else:
            yield from found

    return pickup


def build_pickup_sensors(jobs: list[dg.JobDefinition], pace: Pace) -> list[dg.SensorDefinition]:
    """Return the pickup sensors of every lane."""
    known = {kind.dagster_job for kind in JOB_TYPES.values() if kind.has_handler}
    launchable = [job for job in jobs if job.name in known]
    return [
        build_pickup_sensor(lane, number, launchable, pace) for lane in LANES for number in range(1, RELAYS[lane] + 1)
    ]
