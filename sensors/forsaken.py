"""Runs that Dagster still waits for although their claim is over: nobody is left who would end them.

A run ends itself, or whoever brings its job back ends it. Between the two lie a job that comes back by its lease alone,
a message that a broker has lost, and a crash right after a job was brought back: then the run would be open for ever.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from resources import run_tags
from studio.database.connection import Database

log = logging.getLogger(__name__)

# It is a list of what is open in Dagster, a few dozen at most, so often that a person hardly sees what it ends.
SWEEP_SECONDS = 10.0
_OPEN = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class Forsaken:
    """Ends what has been forsaken for `grace_seconds`: a run whose job has just ended is about to end itself."""

    def __init__(self, grace_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._grace_seconds = grace_seconds
        self._clock = clock
        self._since: dict[str, float] = {}
        self._swept = -SWEEP_SECONDS

    def sweep(self, db: Database, instance: DagsterInstance) -> list[str]:
        """End the runs that are forsaken for long enough, and say which; look only every `SWEEP_SECONDS`."""
        now = self._clock()
        if now - self._swept < SWEEP_SECONDS:
            return []
        self._swept = now
        forsaken = {run.run_id: run for run in forsaken_runs(db, instance)}
        self._since = {run_id: self._since.get(run_id, now) for run_id in forsaken}
        done = []
        for run_id, since in self._since.items():
            if now - since >= self._grace_seconds:
                _end(instance, forsaken[run_id])
                done.append(f"run {run_id} is ended: its claim of job {forsaken[run_id].tags[run_tags.JOB_ID]} is over")
        return done


def forsaken_runs(db: Database, instance: DagsterInstance) -> list[DagsterRun]:
    """Return the open runs that pickup has asked for under a claim that is no longer current."""
    # What a person executes anew takes a claim of its own, when it begins.
    opened = [run for run in instance.get_runs(dg.RunsFilter(statuses=_OPEN)) if run_tags.is_of_pickup(run)]
    if not opened:
        return []
    held = {
        (row["id"], row["claim_no"])
        for row in db.fetch_all(
            "select id::text as id, claim_no::text as claim_no from public.agent_jobs"
            " where status = 'running' and id::text = any (%s)",
            [[run.tags[run_tags.JOB_ID] for run in opened]],
        )
    }
    return [run for run in opened if (run.tags[run_tags.JOB_ID], run.tags.get(run_tags.CLAIM_NO, "")) not in held]


def _end(instance: DagsterInstance, run: DagsterRun) -> None:
    # It may have ended since it was listed.
    now = instance.get_run_by_id(run.run_id)
    if now is None or now.is_finished:
        return
    if now.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(now, "Its claim is over, and nobody has carried the cancel out.")
    else:
        instance.report_run_failed(now, "Its claim is over, and nobody carries it out.")
