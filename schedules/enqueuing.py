"""A schedule that enqueues: what its tick has put into the queue is its skip reason.

A tick does that itself. A Dagster run in between could be lost on the way, and its tick would count as done all
the same. Keys come from the moment the tick was scheduled for, so that it may come late or twice.
"""

from collections.abc import Callable
from datetime import datetime

import dagster as dg

from resources.database import StudioDatabase
from studio.database.connection import Connection, Database
from studio.database.patience import patiently
from studio.job_types import JOB_TYPES
from studio.queue import Enqueued, transiently


def build_schedule(
    name: str, job_type: str, cron: str, description: str, enqueue: Callable[[Database, datetime], str]
) -> dg.ScheduleDefinition:
    """Return a schedule, running by default, whose ticks call `enqueue` and show what it says.

    `job_type` names whose Dagster job the schedule is shown with; cron expressions are in UTC.
    """

    @dg.schedule(
        name=name,
        job_name=JOB_TYPES[job_type].dagster_job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=description,
    )
    def tick(context: dg.ScheduleEvaluationContext, studio_database: StudioDatabase) -> dg.SkipReason:
        return dg.SkipReason(enqueue(studio_database.get(), context.scheduled_execution_time))

    return tick


def one_job(enqueue: Callable[[Connection, datetime], Enqueued]) -> Callable[[Database, datetime], str]:
    """Return what `build_schedule` wants from a function that enqueues one job in a transaction."""

    def in_transaction(db: Database, scheduled: datetime) -> str:
        def once() -> Enqueued:
            with db.transaction() as conn:
                return enqueue(conn, scheduled)

        done = patiently(lambda: transiently(once))
        return f"Job {done.job_id}: {done.outcome}, {done.status}."

    return in_transaction
