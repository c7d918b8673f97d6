"""Upkeep: what would otherwise grow for ever is deleted by age, in small batches.

Streamed text of ended jobs, finished Dagster runs with their events, expired scan results. Ticks are purged
by the daemon itself (`retention` in `dagster.yaml`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus

from resources.database import StudioDatabase
from studio import queue
from studio.database.connection import Database
from studio.settings import Settings, get_settings

CRON = "17 * * * *"
# One evaluation stays far within Dagster's limit of 60 s for a tick; the next hour takes the rest.
RUNS_PER_TICK = 200
DELTAS_PER_TICK = 50_000
DELTA_BATCH = 5_000

_ENDED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


def prune_deltas(db: Database, settings: Settings) -> int:
    """Delete streamed text of ended jobs; return how many events."""
    total = 0
    while total < DELTAS_PER_TICK:
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
    """Delete Dagster runs that ended before the retention, with their event logs; return how many."""
    before = datetime.now(UTC) - timedelta(days=settings.run_retention_days)
    records = instance.get_run_records(
        dg.RunsFilter(statuses=_ENDED, updated_before=before), limit=RUNS_PER_TICK, ascending=True
    )
    for record in records:
        instance.delete_run(record.dagster_run.run_id)
    return len(records)


def prune_caches(db: Database) -> int:
    """Delete expired scan results; return how many."""
    return db.execute("delete from public.domain_scan_cache where expires_at < now()")


def build_upkeep() -> dg.ScheduleDefinition:
    """Return the hourly upkeep schedule. It works in its own evaluation: a run would be one more to delete."""

    @dg.schedule(
        name="upkeep",
        cron_schedule=CRON,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        job_name="phase0_generate_packet",
        description="Deletes old streamed text, old runs and expired caches.",
    )
    def upkeep(context: dg.ScheduleEvaluationContext, studio_database: StudioDatabase) -> Iterator[dg.SkipReason]:
        db, settings = studio_database.get(), get_settings()
        reclaimed = queue.reclaim_stale(db)
        deltas, caches = prune_deltas(db, settings), prune_caches(db)
        runs = prune_runs(context.instance, settings)
        yield dg.SkipReason(f"Deleted {deltas} deltas, {runs} runs, {caches} cached scans; reclaimed {reclaimed} jobs.")

    return upkeep
