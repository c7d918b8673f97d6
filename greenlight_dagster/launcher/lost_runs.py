"""What is said to Dagster and to the queue of a run whose process was lost."""

from __future__ import annotations

import logging

import psycopg
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy.exc import SQLAlchemyError

from resources.database import StudioDatabase
from sensors.watcher import look_after_run
from studio.errors import StudioError

log = logging.getLogger("greenlight.launcher.worker")


def report(instance: DagsterInstance, run_id: str, why: str) -> None:
    """End the run `run_id` in Dagster's books, where it has not ended itself, and bring its job back."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return
    if not run.is_finished:
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run, why)
        else:
            instance.report_run_failed(run, why)
    try:
        look_after_run(StudioDatabase().get(), instance, run_id)
    except (StudioError, psycopg.Error, SQLAlchemyError) as exc:
        # The watcher does it in its next round.
        log.warning("the job of run %s could not be looked after: %s", run_id, exc)
