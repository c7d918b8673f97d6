"""The watcher: brings jobs back whose run crashed, failed to launch, or was canceled in the Dagster UI.

A run ends its job itself. A job that is still running after its run has ended has lost its worker. Two signs
tell of it: the state of the run in Dagster (at once), and a lease that ran out (in any case).
"""

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

import dagster as dg
import psycopg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus
from sqlalchemy.exc import SQLAlchemyError

from resources import run_tags
from resources.database import StudioDatabase
from sensors.forsaken import Forsaken
from sensors.relays import WATCHER
from sensors.waiting import NOTHING_DUE, Pace, Wait, Waited
from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import DatabaseError, LeaseLost, StudioError
from studio.queue import Job
from studio.reclaims import reclaim
from studio.settings import Settings, get_settings
from studio.tracing import ids, lost
from studio.tracing.copies import copy_closed
from studio.tracing.redaction import Redactor

log = logging.getLogger(__name__)

# While a job is held, its run is looked at this often.
WATCH_SECONDS = 1.0
# As the queue itself says it.
LEASE_LOST = "The lease ran out: the worker is lost."

_NOT_BEGUN = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING)


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
    if reclaimed := reclaim_silent(db, instance):
        done.append(f"{reclaimed} jobs whose lease ran out")
    return done


def reclaim_silent(db: Database, instance: DagsterInstance) -> int:
    """Bring back the jobs whose lease ran out just now, or had no run; return how many. End their runs and traces."""
    reclaimed = reclaim(db)
    for job in reclaimed.lapsed:
        run = run_of(instance, job)
        if run is None:
            continue
        _close_trace(db, job, LEASE_LOST, queue.get(db, job.id).status)
        if not run.is_finished:
            # On another machine there is no launcher that would see its process end, and say so.
            _end(instance, run)
    return reclaimed.jobs


def look_after_run(db: Database, instance: DagsterInstance, run_id: str) -> str | None:
    """Bring back the job that the run `run_id` held, where the run has ended without it; say what was done."""
    row = db.fetch_one(
        "select *, leased_until < now() as lapsed from public.agent_jobs"
        " where status = 'running' and leased_until is not null and (dagster_run_id = %(run)s"
        " or dagster_run_id is null and id::text = %(job)s and claim_no::text = %(claim)s)",
        _claim_of(instance, run_id),
    )
    try:
        return None if row is None else _look_after(db, instance, Held(queue.job_from_row(row), row["lapsed"]))
    except LeaseLost:
        return None


def _claim_of(instance: DagsterInstance, run_id: str) -> dict[str, str | None]:
    run = instance.get_run_by_id(run_id)
    tags = run.tags if run is not None else {}
    return {"run": run_id, "job": tags.get(run_tags.JOB_ID), "claim": tags.get(run_tags.CLAIM_NO)}


def _look_after(db: Database, instance: DagsterInstance, held: Held) -> str | None:
    job, lapsed = held
    run = run_of(instance, job)
    if run is None:
        return None
    if job.cancel_requested_at is not None and job.dagster_run_id is None and run.status in _NOT_BEGUN:
        # It waits for a slot of the launcher, and there is nobody in it yet who could notice.
        Claim(db, job).cancel()
        _close_trace(db, job, "The job was canceled before its run began.", "canceled")
        instance.run_launcher.terminate(run.run_id)
        return f"job {job.id}: canceled, before run {run.run_id} began"
    if run.status is DagsterRunStatus.CANCELING and not lapsed and job.cancel_requested_at is None:
        # A launcher that has lost the run cannot interrupt it; the run's own lease keeper can.
        queue.cancel(db, job.id, "Canceled in Dagster.")
        return None
    if not (run.is_finished or lapsed):
        return None
    if job.dagster_run_id is None and job.interruptions and not lapsed:
        # A launcher that refuses would refuse a whole queue within seconds: the rest of the short claim is a pause.
        return None
    claim = Claim(db, job)
    if _was_to_be_canceled(instance, run):
        why, status = "Canceled in Dagster.", "canceled"
        claim.cancel(why)
    else:
        why = _why(instance, job, run)
        status = claim.release(why)
    _close_trace(db, job, why, status)
    if not run.is_finished:
        # Its server is gone as well, so nobody else will ever end it in Dagster's books.
        _end(instance, run)
    return f"job {job.id}: {status}, because run {run.run_id} is {run.status.value}"


def _close_trace(db: Database, job: Job, why: str, outcome: str) -> None:
    settings = get_settings()
    if not settings.trace_enabled:
        return
    try:
        with db.transaction() as conn:
            lost.close(
                conn,
                job,
                why,
                outcome=outcome,
                redactor=Redactor.from_settings(settings),
                alive_at=_alive_at(job, settings),
            )
        copy_closed(db, settings, [ids.of_claim(job.id, job.claim_no)])
    except (StudioError, psycopg.Error) as exc:
        # The job is back in any case; a sweep closes what is open.
        log.warning("The trace of job %s could not be closed: %s", job.id, exc)


def _alive_at(job: Job, settings: Settings) -> datetime | None:
    """Return when the job's run last renewed its lease; None where it has not begun."""
    if job.leased_until is None or job.dagster_run_id is None:
        return None
    return job.leased_until - timedelta(seconds=settings.lease_seconds)


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


def _why(instance: DagsterInstance, job: Job, run: DagsterRun) -> str:
    if not run.is_finished:
        return f"The lease of run {run.run_id} ran out: its process is lost."
    if job.dagster_run_id is None:
        return f"Run {run.run_id} failed to launch. {_launch_error(instance, run)}".strip()
    return f"The process of run {run.run_id} was lost."


def _launch_error(instance: DagsterInstance, run: DagsterRun) -> str:
    """Return what Dagster has noted of a launch that failed, or an empty string."""
    for entry in instance.all_logs(run.run_id, of_type=DagsterEventType.ENGINE_EVENT):
        error = entry.dagster_event and entry.dagster_event.engine_event_data.error
        if error:
            return " ".join(error.message.split())
    return ""


def build_watcher(pace: Pace) -> dg.SensorDefinition:
    """Return the watcher sensor."""
    settings = get_settings()
    heartbeat = settings.worker_heartbeat_seconds if settings.broker_url is not None else None
    forsaken = Forsaken(settings.lease_seconds, heartbeat_seconds=heartbeat)

    @dg.sensor(
        name=WATCHER,
        minimum_interval_seconds=pace.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Brings jobs of crashed, unlaunched and canceled runs back to the queue.",
    )
    def watcher(context: dg.SensorEvaluationContext, studio_database: StudioDatabase) -> Iterator[dg.SkipReason]:
        db, instance = studio_database.get(), context.instance
        wait = Wait(WATCHER, studio_database.listener(), pace, gap=WATCH_SECONDS)
        try:
            done = wait.until(
                lambda: watch_once(db, instance) + forsaken.sweep(db, instance) or None,
                next_look=lambda: _seconds_until_next_watch(db),
            )
        except SQLAlchemyError as exc:
            yield dg.SkipReason(f"Dagster's runs cannot be read: {exc}")
            return
        if isinstance(done, Waited):
            yield dg.SkipReason("Every running job has its run." if done.why == NOTHING_DUE else done.why)
            return
        for line in done:
            context.log.info(line)
        yield dg.SkipReason("; ".join(done))

    return watcher


def _seconds_until_next_watch(db: Database) -> float | None:
    """Return when to look again: soon while a job is held or about to be, else when somebody enqueues one."""
    row = db.fetch_one(
        "select exists (select from public.agent_jobs where status = 'running')"
        " or exists (select from public.agent_jobs where status = 'queued' and waits_until is null) as busy"
    )
    return WATCH_SECONDS if row is not None and row["busy"] else None
