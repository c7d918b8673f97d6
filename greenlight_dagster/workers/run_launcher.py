"""`FleetRunLauncher`: hands runs to the workers of several machines, set in `dagster.celery.yaml`.

It is dagster-celery's launcher, with four differences. The queue of a run is that of its lane. A message is known by
its run's id, so that nothing has to be written after it has been sent. What has become of a run is asked of the
database, where the workers write it, and not of a result backend. And a cancel reaches a run that nobody has begun.

What is private to dagster-celery in here, so that the version is pinned and `tests/unit/test_celery_contract.py` looks
at it: that `__init__` makes the application as `celery`, and what its task is called and takes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from typing import Any

from celery.exceptions import OperationalError
from dagster import DagsterRun, Field, StringSource
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.events import EngineEventData
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClassData, pack_value
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from kombu.exceptions import OperationalError as BrokerError

from greenlight_dagster.workers import interrupts, queues
from resources.database import StudioDatabase
from studio import fleet
from studio.settings import get_settings

log = logging.getLogger(__name__)

# Whoever ends a run that no worker has taken, takes it first.
CANCELED_BY = "run-launcher"


class FleetRunLauncher(CeleryRunLauncher):
    """Sends each run to the queue of its lane, where one of the fleet's workers takes it."""

    def __init__(self, broker: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Raise `SettingsError` for a broker that is not supported."""
        super().__init__(
            default_queue=queues.queue_of_lane(queues.DEFAULT_LANE),
            broker=broker,
            config_source=queues.configuration(broker),
            inst_data=inst_data,
        )

    @classmethod
    def config_type(cls) -> Any:
        """Return what `dagster.celery.yaml` may say of it."""
        return {
            "broker": Field(
                StringSource, description="The URL of the broker: redis://host:6379/0, or amqp://user:password@host//."
            ),
        }

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> FleetRunLauncher:
        """Return the launcher that `config_value` describes."""
        return cls(inst_data=inst_data, **config_value)

    # --- what Dagster asks

    def launch_run(self, context: LaunchRunContext) -> None:
        """Send the run to its lane's queue; raise `DagsterLaunchFailedError` where the broker cannot be reached."""
        run = context.dagster_run
        if run.job_code_origin is None:
            raise _failure(f"Run {run.run_id} does not say where its code is.")
        message = ExecuteRunArgs(
            job_origin=run.job_code_origin,
            run_id=run.run_id,
            instance_ref=self._instance.get_ref(),
            set_exit_code_on_failure=True,
        )
        queue = queues.queue_of_run(run)
        try:
            # By name: dagster-celery's own way would register its task anew with every run.
            self.celery.send_task(
                TASK_EXECUTE_JOB_NAME,
                kwargs={"execute_job_args_packed": pack_value(message)},
                queue=queue,
                task_id=run.run_id,
            )
        except (OperationalError, BrokerError, OSError) as exc:
            raise _failure(f"Run {run.run_id} cannot be launched: the broker cannot be reached. {exc}") from exc
        self._instance.report_engine_event(
            f"Handed to the queue {queue} of the broker.", run, EngineEventData({"queue": queue}), cls=type(self)
        )

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, wherever it goes on, or end it where nobody has begun it; False where it has ended."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        # Atomic: either a worker has it, or nobody ever will.
        if fleet.take(_database(), run_id, CANCELED_BY, os.uname().nodename, os.getpid()):
            fleet.end_take(_database(), run_id, CANCELED_BY, "canceled before it began")
            run = self._instance.get_run_by_id(run_id)
            if run is not None and not run.is_finished:
                self._instance.report_run_canceled(run, "It was canceled before it began.")
            return True
        found = fleet.take_of(_database(), run_id)
        try:
            if found is not None and found.ending is None:
                interrupts.interrupt(self.celery, run_id, found.worker_id)
        except (OperationalError, BrokerError, OSError) as exc:
            # The run's own lease keeper asks the database every second.
            log.warning("The broker could not pass on that run %s is canceled: %s", run_id, exc)
        return True

    @property
    def supports_resume_run(self) -> bool:
        """No: the queue retries."""
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: workers write down what they take, and how that ends."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return what has become of the run's process."""
        found = fleet.take_of(_database(), run.run_id)
        if found is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "It waits at the broker, or for a worker to take it.")
        where = f"process {found.pid} of worker {found.worker_id}"
        if found.ending is not None:
            return CheckRunHealthResult(WorkerStatus.FAILED, f"It was with {where}: {found.ending}.")
        heartbeat = get_settings().worker_heartbeat_seconds
        lives = any(w.worker_id == found.worker_id and w.lives for w in fleet.workers(_database(), heartbeat))
        if not lives:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, f"It is with {where}, which is silent.", transient=True)
        return CheckRunHealthResult(WorkerStatus.RUNNING, f"It is with {where}.", run_worker_id=found.worker_id)

    def get_run_worker_debug_info(self, run: DagsterRun, include_container_logs: bool | None = True) -> str | None:
        """Return who has taken the run."""
        return self.check_run_worker_health(run).msg


def _failure(message: str) -> DagsterLaunchFailedError:
    return DagsterLaunchFailedError(message)  # type: ignore[no-untyped-call]


def _database() -> Any:
    return StudioDatabase().get()
