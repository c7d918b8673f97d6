"""The watcher: brings jobs back whose run crashed, failed to launch, or was canceled in the Dagster UI.

A run ends its job itself. A job that is still running after its run has ended has lost its worker. Two signs
tell of it: the state of the run in Dagster (at once), and a lease that ran out (in any case).
"""

import logging
from collections.abc import Iterator
from typing import NamedTuple

import dagster as dg
import psycopg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from sqlalchemy.exc import SQLAlchemyError

from resources import run_tags
from resources.database import StudioDatabase
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import DatabaseError, LeaseLost, StudioError
from studio.queue import Job

log = logging.getLogger(__name__)

INTERVAL_SECONDS = 1


class Held(NamedTuple):
    """A job that a claim with a lease holds; `lapsed` where the lease has run out."""

    job: Job
    lapsed: bool


def held_jobs(db: Database) -> list[Held]:
    """Return the jobs that a claim with a lease holds."""
    return [
        Held(queue.job_from_row(row), row["lapsed"])
        for row in db.fetch_all(
            "select *, leased_until < now() as lapsed from public.agent_jobs"
            " where status = 'running' and leased_until is not null order by id"
        )
    ]


def run_of(instance: DagsterInstance, job: Job) -> DagsterRun | None:
    """Return the run that carries out the job's current claim, or the one that was launched for it; else None."""
    if job.dagster_run_id is not None:
        return instance.get_run_by_id(job.dagster_run_id)
    launched = instance.get_runs(
        dg.RunsFilter(tags={run_tags.JOB_ID: str(job.id), run_tags.CLAIM_NO: str(job.claim_no)}), limit=1
    )
    return launched[0] if launched else None


def watch_once(db: Database, instance: DagsterInstance) -> list[str]:
    """Bring back every job whose run has ended without it, and every job whose lease ran out; say what was done."""
    done: list[str] = []
    for held in held_jobs(db):
        try:
            said = _look_after(db, instance, held)
        except LeaseLost:
            continue  # the run's own last word came in between
        except (DatabaseError, psycopg.OperationalError):
            raise  # no use in asking for the next one
        except (StudioError, psycopg.Error) as exc:
            # The others are looked after all the same; this one has its lease.
            log.warning("Job %s could not be looked after: %s", held.job.id, exc)
            said = f"job {held.job.id} could not be looked after: {exc}"
        if said is not None:
            done.append(said)
    if reclaimed := queue.reclaim_stale(db):
        done.append(f"{reclaimed} jobs whose lease ran out")
    return done


def _look_after(db: Database, instance: DagsterInstance, held: Held) -> str | None:
    job, lapsed = held
    run = run_of(instance, job)
    if run is None:
        return None
    if run.status is DagsterRunStatus.CANCELING and not lapsed and job.cancel_requested_at is None:
        # A launcher that has lost the run cannot interrupt it; the run's own lease keeper can.
        queue.cancel(db, job.id, "Canceled in Dagster.")
        return None
    if not (run.is_finished or lapsed):
        return None
    claim = Claim(db, job)
    if _was_to_be_canceled(instance, run):
        claim.cancel("Canceled in Dagster.")
        status = "canceled"
    else:
        status = claim.release(_why(job, run))
    if not run.is_finished:
        # Its server is gone as well, so nobody else will ever end it in Dagster's books.
        _end(instance, run)
    return f"job {job.id}: {status}, because run {run.run_id} is {run.status.value}"


def _was_to_be_canceled(instance: DagsterInstance, run: DagsterRun) -> bool:
    """Whether somebody canceled the run, also one whose process died before it could obey."""
    if run.status is DagsterRunStatus.FAILURE:
        return bool(instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_CANCELING))
    return run.status in (DagsterRunStatus.CANCELING, DagsterRunStatus.CANCELED)


def _end(instance: DagsterInstance, run: DagsterRun) -> None:
    if run.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(run, "The run's process was lost while it was being canceled.")
    else:
        instance.report_run_failed(run, "The run's process was lost: its lease ran out.")


def _why(job: Job, run: DagsterRun) -> str:
    if not run.is_finished:
        return f"The lease of run {run.run_id} ran out: its process is lost."
    if job.dagster_run_id is None:
        return f"Run {run.run_id} failed to launch."
    return f"The process of run {run.run_id} was lost."


def build_watcher() -> dg.SensorDefinition:
    """Return the watcher sensor."""

    @dg.sensor(
        name="watcher",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings jobs of crashed, unlaunched and canceled runs back to the queue.",
    )
    def watcher(context: dg.SensorEvaluationContext, studio_database: StudioDatabase) -> Iterator[dg.SkipReason]:
        try:
            done = watch_once(studio_database.get(), context.instance)
        except (StudioError, psycopg.OperationalError, SQLAlchemyError) as exc:
            yield dg.SkipReason(f"The queue cannot be read: {exc}")
            return
        for line in done:
            context.log.info(line)
        yield dg.SkipReason("; ".join(done) or "Every running job has its run.")

    return watcher
