"""The Celery application of a worker: the launcher's own, with the one task that its runs are sent as."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Celery
from dagster import DagsterInstance
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import unpack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME

from greenlight_dagster.workers import carrying, queues
from greenlight_dagster.workers.run_launcher import FleetRunLauncher
from studio.errors import StackError
from studio.job_types import Lane

log = logging.getLogger("greenlight.worker")


def launcher_of(instance: DagsterInstance) -> FleetRunLauncher:
    """Return the instance's launcher; raise `StackError` where it is one for this machine alone."""
    launcher = instance.run_launcher
    if not isinstance(launcher, FleetRunLauncher):
        raise StackError(
            f"The instance's runs are launched by {type(launcher).__name__}, which has no workers elsewhere.",
            "Set GREENLIGHT_BROKER_URL, here and where the daemon runs.",
        )
    return launcher


def make_app(instance: DagsterInstance, lane: Lane, worker_id: str) -> Celery:
    """Return the application with which a worker of `lane` takes its runs."""
    app = launcher_of(instance).celery
    # Only its own: a queue that is named here is consumed from.
    app.conf.task_queues = [queue for queue in app.conf.task_queues or () if queue.name == queues.queue_of_lane(lane)]

    @app.task(name=TASK_EXECUTE_JOB_NAME)  # type: ignore[untyped-decorator]
    def execute_job(execute_job_args_packed: Any) -> None:
        """Carry out a run."""
        run_id = run_of(execute_job_args_packed)
        began = time.monotonic()
        said = carrying.carry_out(run_id, worker_id, instance)
        log.info("run %s: %s (%.2f s)", run_id, said, time.monotonic() - began)

    return app


def run_of(packed: Any) -> str:
    """Return the id of the run that a message is about."""
    return str(unpack_value(packed, as_type=ExecuteRunArgs).run_id)
