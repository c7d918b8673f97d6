"""Dagster's side of a restore: which claim numbers its runs have used, and runs that nobody carries out any more.

Dagster's database may be older than the studio's, newer, or gone: it is only asked, and only runs are ended in it.
"""

from __future__ import annotations

import psycopg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from resources import run_tags
from studio.database.connection import CONNECT_TIMEOUT_SECONDS

_OPEN = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_HIGHEST = "select max(value::bigint) from run_tags where key = %s and value ~ '^[0-9]{1,18}$'"


def highest_claim(dagster_url: str) -> int:
    """Return the highest claim number that a run of the studio carries; 0 where there is none.

    `dagster_url` is the libpq URL of Dagster's database. Raises `psycopg.OperationalError` where it is away.
    """
    try:
        # Behind a pooler nothing may be prepared, and here nothing is repeated.
        with psycopg.connect(dagster_url, connect_timeout=CONNECT_TIMEOUT_SECONDS, prepare_threshold=None) as conn:
            row = conn.execute(_HIGHEST, [run_tags.CLAIM_NO]).fetchone()
    except psycopg.errors.UndefinedTable:
        return 0
    return int(row[0] or 0) if row else 0


def end_open_runs(instance: DagsterInstance, why: str) -> int:
    """Report every run of a job that has not ended as failed, for `why`; return how many. Nothing may be at work."""
    ended = 0
    while runs := instance.get_runs(RunsFilter(statuses=_OPEN), limit=100):
        for run in runs:
            if run.status is DagsterRunStatus.CANCELING:
                instance.report_run_canceled(run, why)
            else:
                instance.report_run_failed(run, why)
            ended += 1
    return ended
