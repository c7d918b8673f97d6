"""The Dagster runs that measuring leaves behind: hundreds of entries that nobody wants to see in the UI."""

from __future__ import annotations

import time
from collections.abc import Iterable
from uuid import UUID

import dagster as dg
from dagster import DagsterInstance

from resources import run_tags

# A run writes its last events when its job has long been completed.
PATIENCE_SECONDS = 10.0
POLL_SECONDS = 0.25


def forget_runs(instance: DagsterInstance, projects: Iterable[UUID], patience: float = PATIENCE_SECONDS) -> int:
    """Delete the ended runs of `projects` with events and captured output; return how many.

    A run that has not ended after `patience` seconds is left to the upkeep schedule.
    """
    deadline = time.monotonic() + patience
    gone = 0
    for project in projects:
        filters = dg.RunsFilter(tags={run_tags.PROJECT_ID: str(project)})
        while runs := instance.get_runs(filters):
            ended = [run for run in runs if run.is_finished]
            for run in ended:
                instance.compute_log_manager.delete_logs(prefix=[run.run_id])
                instance.delete_run(run.run_id)
            gone += len(ended)
            if len(ended) < len(runs):
                if time.monotonic() > deadline:
                    break
                time.sleep(POLL_SECONDS)
    return gone
