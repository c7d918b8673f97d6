"""What `greenlight_dagster.workers` knows of dagster-celery and Celery by heart is still so."""

from __future__ import annotations

import inspect
import warnings

import pytest
from celery import bootsteps, signals
from celery.worker import control, request, state
from dagster._core.launcher import RunLauncher
from dagster._grpc.types import ExecuteRunArgs
from dagster_celery import tasks
from dagster_celery.config import TASK_EXECUTE_JOB_NAME
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_QUEUE_TAG

from greenlight_dagster.workers import interrupts, queues
from greenlight_dagster.workers.run_launcher import FleetRunLauncher
from studio.errors import SettingsError

BROKER = "redis://nowhere.invalid:6379/0"


def test_the_launcher_is_dagster_celerys() -> None:
    launcher = FleetRunLauncher(BROKER)
    assert isinstance(launcher, CeleryRunLauncher)
    assert launcher.celery.conf.task_acks_late is True
    assert launcher.celery.conf.worker_prefetch_multiplier == 1
    assert launcher.celery.conf.accept_content == ["json"]
    assert launcher.celery.conf.broker_transport_options["visibility_timeout"] == queues.VISIBILITY_SECONDS
    for name in ("launch_run", "terminate", "check_run_worker_health"):
        theirs = inspect.signature(getattr(RunLauncher, name)).parameters
        assert list(inspect.signature(getattr(FleetRunLauncher, name)).parameters) == list(theirs)


def test_its_task_has_the_name_and_the_argument_that_we_send() -> None:
    launcher = FleetRunLauncher(BROKER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = tasks.create_execute_job_task(launcher.celery)
    assert task.name == TASK_EXECUTE_JOB_NAME
    assert "execute_job_args_packed" in inspect.signature(task.run).parameters
    assert {"job_origin", "run_id", "instance_ref", "set_exit_code_on_failure"} <= set(ExecuteRunArgs._fields)
    assert DAGSTER_CELERY_QUEUE_TAG == "dagster-celery/queue"


def test_what_a_worker_hooks_into_is_there() -> None:
    assert {"worker_process_init", "worker_shutting_down", "task_failure", "setup_logging"} <= set(signals.__all__)
    assert hasattr(state, "active_requests")
    assert hasattr(state, "total_count")
    assert "worker_pid" in inspect.getsource(request.Request.on_accepted)
    assert issubclass(bootsteps.StartStopStep, bootsteps.Step)


@pytest.mark.parametrize("url", ["sqs://", "memory://", "nonsense", "http://user:secret@host/"])
def test_an_unknown_broker_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        FleetRunLauncher(url)
    assert "secret" not in str(refused.value)
    assert "redis://" in str(refused.value)


@pytest.mark.parametrize("url", ["amqp://user:pw@host:5672/vhost", "pyamqp://host//", "amqps://host//"])
def test_rabbitmq_confirms_what_it_takes(url: str) -> None:
    assert queues.transport_options(url) == {"confirm_publish": True}


def test_a_cancel_is_a_command_of_ours_that_other_applications_do_not_hear() -> None:
    assert interrupts.COMMAND in control.Panel.data
    assert isinstance(state.requests, dict)
    assert FleetRunLauncher(BROKER).celery.conf.control_exchange == "greenlight"
