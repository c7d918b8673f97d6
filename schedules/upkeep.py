"""Upkeep: what would otherwise grow for ever is deleted by age, in small batches.

Streamed text of ended jobs, and later, where the settings say so, all of their events; finished Dagster runs with their
events, traces here and at InsForge and before them their inputs and outputs, errors and alerts that are long over,
scans and their cached results, files that no row names, uploads that never came. Ticks are purged by the daemon itself
(`retention` in `dagster.yaml`).

What may be much goes until its time is over, and the next hour takes the rest: the clock bounds a sweep, not a number,
so that it keeps up with as much as the machine can delete. A sweep may be stopped at any moment: what is deleted at
once is one transaction, or goes in an order in which the next sweep finds what is left of it.
"""

import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from time import monotonic

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus

from resources.database import StudioDatabase
from resources.job_trace import collecting
from studio import assets, fleet, queue, uploads
from studio.database.connection import Database
from studio.errors import StorageError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.operations import alerts, copy_retention, event_partitions, issues, retention
from studio.settings import Settings, get_settings
from studio.storage import storage_from_settings
from studio.tracing import span
from studio.tracing.context import TraceContext

log = logging.getLogger(__name__)

# How much was done by what, or why it could not be.
Done = dict[str, int | str]

CRON = "17 * * * *"
# For so long runs, streamed text and whole jobs' events are deleted in a sweep, each; docs/retention.md has the rates.
# All together, with traces, a sweep has ended long before the next.
SECONDS_PER_SWEEP = 300.0
# So many are looked for at a time.
RUN_BATCH = 50
DELTA_BATCH = 5_000
EVENT_BATCH = 5_000
# A page asks for its scan within the minute; a week is for whoever looks into what went wrong.
SCAN_JOB_LIFE = timedelta(days=7)

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def prune_deltas(db: Database, settings: Settings) -> int:
    """Delete streamed text of ended jobs, as far as the time of a sweep goes; return how many events."""
    total = 0
    until = monotonic() + SECONDS_PER_SWEEP
    while monotonic() < until:
        row = db.fetch_one(
            "select public.prune_agent_job_deltas(%s, %s) as n",
            [timedelta(hours=settings.delta_retention_hours), DELTA_BATCH],
        )
        gone = int(row["n"]) if row else 0
        total += gone
        if gone < DELTA_BATCH:
            break
    return total


def tend_partitions(db: Database, settings: Settings) -> Done:
    """Drop the event table's old partitions and make those of the coming months; nothing where it has none.

    Return how many were dropped. It is done as the schema's owner where the settings know his address.
    """
    if not event_partitions.is_partitioned(db):
        return {}
    kept = settings.event_retention_days
    with contextlib.ExitStack() as stack:
        if settings.migrate_url is not None:
            db = stack.enter_context(Database.of_owner(settings, "greenlight-dagster"))
        try:
            dropped = [] if kept is None else event_partitions.drop_older(db, timedelta(days=kept))
        finally:
            event_partitions.prepare_ahead(db)
    return {"dropped_partitions": len(dropped)}


def prune_events(db: Database, settings: Settings) -> Done:
    """Delete the events of jobs that ended long ago, where the settings say after how long; return what went."""
    if settings.event_retention_days is None:
        return {}
    kept = timedelta(days=settings.event_retention_days)
    events = jobs = 0
    until = monotonic() + SECONDS_PER_SWEEP
    while monotonic() < until:
        row = db.fetch_one("select * from public.prune_agent_job_events(%s, %s)", [kept, EVENT_BATCH])
        if row is None or row["events"] == row["jobs"] == 0:
            break
        events, jobs = events + row["events"], jobs + row["jobs"]
    return {"deleted_events": events, "jobs_without_events": jobs}


def prune_runs(instance: DagsterInstance, settings: Settings) -> int:
    """Delete Dagster runs that ended before the retention, the oldest first, as far as the time of a sweep goes.

    Their events and captured output go with them. Return how many.
    """
    before = datetime.now(UTC) - timedelta(days=settings.run_retention_days)
    ended = dg.RunsFilter(statuses=_ENDED, updated_before=before)
    total = 0
    until = monotonic() + SECONDS_PER_SWEEP
    while monotonic() < until:
        records = instance.get_run_records(ended, limit=RUN_BATCH, ascending=True)
        for record in records:
            if monotonic() >= until:
                break
            _delete_run(instance, record.dagster_run.run_id)
            total += 1
        if len(records) < RUN_BATCH:
            break
    return total


def _delete_run(instance: DagsterInstance, run_id: str) -> None:
    """Delete a run, its row last: of one whose row is gone nobody would find the rest, if this were broken off."""
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.event_log_storage.delete_events(run_id)
    instance.run_storage.delete_run(run_id)


def prune_scans(db: Database) -> int:
    """Delete expired scan results, and the jobs of scans that nobody waits for any more; return how many."""
    cached = db.execute("delete from public.domain_scan_cache where expires_at < now()")
    # Anybody may ask for a scan: their jobs must not pile up as founders' own may.
    return cached + db.execute(
        "delete from public.agent_jobs where project_id = %s and job_type = 'onboarding.scan'"
        " and status in ('completed', 'failed', 'canceled') and completed_at < now() - %s",
        [SYSTEM_PROJECT_ID, SCAN_JOB_LIFE],
    )


def sweep_files(db: Database, settings: Settings) -> int | str:
    """Forget uploads that never came, and delete old files that no row names.

    Return how many, or why the storage could not be looked through.
    """
    try:
        storage = storage_from_settings(settings)
        return uploads.sweep_pending(db, storage) + assets.sweep(db, storage)
    except StorageError as exc:
        # What else is due is none the worse for it, and the next hour looks again.
        return str(exc)


def sweep_traces(db: Database, settings: Settings) -> Done:
    """Delete old traces, and before them their inputs and outputs; return how many of which."""
    swept = retention.sweep(db, settings)
    return {
        "deleted_traces": swept.traces,
        "deleted_spans": swept.spans,
        "cleared_payloads": swept.payloads,
        "kept_slow_traces": swept.kept_slow,
    }


@dg.op(
    description="Delete streamed text of ended jobs, old runs and traces, expired scans and stray files;"
    " bring lost jobs back."
)
def sweep(context: dg.OpExecutionContext, studio_database: StudioDatabase) -> None:
    """Do the upkeep once and say what was done; where something of it failed, fail when all else is done."""
    db, settings = studio_database.get(), get_settings()
    done: Done = {}
    try:
        with collecting(settings, db), TraceContext("upkeep", dagster_run_id=context.run_id):
            _do_all(db, settings, context.instance, done)
    except Exception as exc:
        # A step that fails has no output to tell of what was done all the same.
        raise dg.Failure(f"{type(exc).__name__}: {exc}", metadata=done) from exc
    context.add_output_metadata(done)


def _do_all(db: Database, settings: Settings, instance: DagsterInstance, done: Done) -> None:
    """Do all works, each whatever becomes of the others, and note in `done` what was done.

    Raise what went wrong first, after all of it.
    """
    errors_kept = timedelta(days=settings.trace_error_days)
    works: dict[str, Callable[[], Done | int | str]] = {
        "reclaimed_jobs": lambda: queue.reclaim_stale(db),
        "deleted_deltas": lambda: prune_deltas(db, settings),
        # A partition as a whole first, and not row by row.
        "dropped_partitions": lambda: tend_partitions(db, settings),
        "deleted_events": lambda: prune_events(db, settings),
        "deleted_runs": lambda: prune_runs(instance, settings),
        "deleted_scans": lambda: prune_scans(db),
        "deleted_files": lambda: sweep_files(db, settings),
        "forgotten_issues": lambda: issues.prune(db, errors_kept),
        "forgotten_alerts": lambda: alerts.prune(db, errors_kept),
        "deleted_traces": lambda: sweep_traces(db, settings),
        "forgotten_takes": lambda: fleet.prune(db, timedelta(days=settings.run_retention_days)),
        "deleted_copies": lambda: copy_retention.sweep(db, settings),
    }
    failures: list[Exception] = []
    for what, work in works.items():
        try:
            with span(f"step:{what}"):
                did = work()
        except Exception as exc:
            log.exception("Upkeep: %s failed", what)
            failures.append(exc)
        else:
            done |= did if isinstance(did, dict) else {what: did}
    if failures:
        raise failures[0]


@dg.job(
    description="Deletes what would otherwise grow for ever.",
    executor_def=dg.in_process_executor,
    tags={"greenlight/upkeep": "true"},
)
def upkeep() -> None:
    """Run the upkeep."""
    sweep()


upkeep_schedule = dg.ScheduleDefinition(
    name="upkeep_hourly",
    job=upkeep,
    cron_schedule=CRON,
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Runs the upkeep every hour.",
)
