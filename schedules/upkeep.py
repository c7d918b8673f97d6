"""Upkeep: what would otherwise grow for ever is deleted by age, in small batches.

Streamed text of ended jobs, finished Dagster runs with their events, scans and their cached results, files that no row
names, uploads that never came.
Ticks are purged by the daemon itself (`retention` in `dagster.yaml`).
"""

from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus

from resources.database import StudioDatabase
from studio import assets, queue, uploads
from studio.database.connection import Database
from studio.errors import StorageError
from studio.job_types import SYSTEM_PROJECT_ID
from studio.settings import Settings, get_settings
from studio.storage import storage_from_settings

CRON = "17 * * * *"
# Small enough that a run takes seconds; the next hour takes the rest.
RUNS_PER_SWEEP = 500
DELTAS_PER_SWEEP = 100_000
DELTA_BATCH = 5_000
# A page asks for its scan within the minute; a week is for whoever looks into what went wrong.
SCAN_JOB_LIFE = timedelta(days=7)

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def prune_deltas(db: Database, settings: Settings) -> int:
    """Delete streamed text of ended jobs; return how many events."""
    total = 0
    while total < DELTAS_PER_SWEEP:
        row = db.fetch_one(
            "select public.prune_agent_job_deltas(%s, %s) as n",
            [timedelta(hours=settings.delta_retention_hours), DELTA_BATCH],
        )
        gone = int(row["n"]) if row else 0
        total += gone
        if gone < DELTA_BATCH:
            break
    return total


def prune_runs(instance: DagsterInstance, settings: Settings) -> int:
    """Delete Dagster runs that ended before the retention, with events and captured output; return how many."""
    before = datetime.now(UTC) - timedelta(days=settings.run_retention_days)
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_before=before), limit=RUNS_PER_SWEEP, ascending=True
    )
    for record in records:
        run_id = record.dagster_run.run_id
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        instance.delete_run(run_id)
    return len(records)


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


@dg.op(description="Delete streamed text of ended jobs, old runs, expired scans and stray files; bring lost jobs back.")
def sweep(context: dg.OpExecutionContext, studio_database: StudioDatabase) -> None:
    """Do the upkeep once and say what was done."""
    db, settings = studio_database.get(), get_settings()
    context.add_output_metadata(
        {
            "reclaimed_jobs": queue.reclaim_stale(db),
            "deleted_deltas": prune_deltas(db, settings),
            "deleted_runs": prune_runs(context.instance, settings),
            "deleted_scans": prune_scans(db),
            "deleted_files": sweep_files(db, settings),
        }
    )


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
