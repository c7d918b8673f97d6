"""Runs that Dagster still waits for although their claim is over: nobody is left who would end them.

A run ends itself, or whoever brings its job back ends it. Between the two lie a job that comes back by its lease alone,
a message that a broker has lost, and a crash right after a job was brought back: then the run would be open for ever.

In a fleet that goes for runs that hold no job as well, such as the upkeep's, or what a person executes anew and nobody
has begun: of those the worker tells that took them, or that nobody ever did.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import NamedTuple

import dagster as dg
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus

from resources import run_tags
from studio import fleet
from studio.database.connection import Database

log = logging.getLogger(__name__)

# Longer than a run waits for a process of its lane, which the longest of jobs may have.
UNTAKEN_SECONDS = 3600.0
SWEEPER = "watcher"
# It is a list of what is open in Dagster, a few dozen at most, so often that a person hardly sees what it ends.
SWEEP_SECONDS = 10.0
_OPEN = [
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]


class Forsaken:
    """Ends what has been forsaken for `grace_seconds`: a run whose job has just ended is about to end itself.

    With `heartbeat_seconds` there is a fleet, whose workers are heard of so often.
    """

    def __init__(
        self,
        grace_seconds: float,
        clock: Callable[[], float] = time.monotonic,
        *,
        heartbeat_seconds: float | None = None,
    ) -> None:
        self._grace_seconds = grace_seconds
        self._heartbeat_seconds = heartbeat_seconds
        self._clock = clock
        self._since: dict[str, float] = {}
        self._swept = -SWEEP_SECONDS

    def sweep(self, db: Database, instance: DagsterInstance) -> list[str]:
        """End the runs that are forsaken for long enough, and say which; look only every `SWEEP_SECONDS`."""
        now = self._clock()
        if now - self._swept < SWEEP_SECONDS:
            return []
        self._swept = now
        opened = instance.get_runs(dg.RunsFilter(statuses=_OPEN))
        found = _without_claim(db, [run for run in opened if run_tags.is_of_pickup(run)])
        if self._heartbeat_seconds is not None:
            others = _held_by_nobody(db, [run for run in opened if not run_tags.is_of_pickup(run)])
            found += _without_worker(db, others, self._heartbeat_seconds)
            found += _never_taken(db, others)
        self._since = {one.run.run_id: self._since.get(one.run.run_id, now) for one in found}
        done = []
        for one in found:
            if now - self._since[one.run.run_id] < max(self._grace_seconds, one.patience_seconds):
                continue
            if one.patience_seconds and not _take(db, one.run):
                continue
            _end(instance, one.run, one.why)
            done.append(f"run {one.run.run_id} is ended: {one.why}")
        return done


class _Found(NamedTuple):
    """A run that is forsaken, why, and for how long it may be so at least."""

    run: DagsterRun
    why: str
    patience_seconds: float = 0.0


def _without_claim(db: Database, runs: list[DagsterRun]) -> list[_Found]:
    """Return the runs that pickup has asked for under a claim that is no longer current."""
    if not runs:
        return []
    held = {
        (row["id"], row["claim_no"])
        for row in db.fetch_all(
            "select id::text as id, claim_no::text as claim_no from public.agent_jobs"
            " where status = 'running' and id::text = any (%s)",
            [[run.tags[run_tags.JOB_ID] for run in runs]],
        )
    }
    return [
        _Found(run, f"its claim of job {run.tags[run_tags.JOB_ID]} is over")
        for run in runs
        if (run.tags[run_tags.JOB_ID], run.tags.get(run_tags.CLAIM_NO, "")) not in held
    ]


def _held_by_nobody(db: Database, runs: list[DagsterRun]) -> list[DagsterRun]:
    """Return the runs that hold no job: of those that do, the lease tells."""
    if not runs:
        return []
    rows = db.fetch_all(
        "select dagster_run_id from public.agent_jobs where status = 'running' and dagster_run_id = any (%s)",
        [[run.run_id for run in runs]],
    )
    holding = {row["dagster_run_id"] for row in rows}
    return [run for run in runs if run.run_id not in holding]


def _without_worker(db: Database, runs: list[DagsterRun], heartbeat_seconds: float) -> list[_Found]:
    lost = fleet.without_worker(db, [run.run_id for run in runs], heartbeat_seconds) if runs else {}
    return [_Found(run, lost[run.run_id]) for run in runs if run.run_id in lost]


def _never_taken(db: Database, runs: list[DagsterRun]) -> list[_Found]:
    handed = [run for run in runs if run.status in (DagsterRunStatus.STARTING, DagsterRunStatus.CANCELING)]
    waiting = set(fleet.untaken(db, [run.run_id for run in handed])) if handed else set()
    return [_Found(run, "no worker has taken it", UNTAKEN_SECONDS) for run in handed if run.run_id in waiting]


def _take(db: Database, run: DagsterRun) -> bool:
    """Make sure that nobody will ever take the run; False where somebody has, just now."""
    return fleet.take(db, run.run_id, SWEEPER, "", None) and fleet.end_take(db, run.run_id, SWEEPER, "never taken")


def _end(instance: DagsterInstance, run: DagsterRun, why: str) -> None:
    # It may have ended since it was listed.
    now = instance.get_run_by_id(run.run_id)
    if now is None or now.is_finished:
        return
    if now.status is DagsterRunStatus.CANCELING:
        instance.report_run_canceled(now, f"Nobody has carried the cancel out: {why}.")
    else:
        instance.report_run_failed(now, f"Nobody carries it out: {why}.")
