"""The daemon of a Greenlight installation: Dagster's own, with a sensor loop that follows on at once.

`python -m greenlight_dagster.daemon --workspace FILE` does what `dagster-daemon run` does, with two differences.
Dagster looks every five seconds which sensors may be evaluated again; here it looks as soon as an evaluation has
ended. And the run launcher is warmed up at the start instead of at the first run. Under the plain
`dagster-daemon run` everything works as well: several pickup sensors per lane bridge the gap between its looks.

What is private to Dagster in here, so that the version is pinned and `tests/unit/test_dagster_contract.py` looks
at each: `SensorDaemon.core_loop` calls `execute_sensor_iteration_loop` with an event whose `wait` is the pause of
the loop, and with the executor that evaluates; `daemon_controller_from_instance` takes `gen_daemons` and yields a
controller with `_workspace_process_context`; a sensor whose minimum interval is negative may always be evaluated.
"""

from __future__ import annotations

import argparse
import logging
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, DagsterInvalidConfigError
from dagster._core.utils import InheritContextThreadPoolExecutor
from dagster._core.workspace.context import IWorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.controller import (
    DEFAULT_DAEMON_HEARTBEAT_TOLERANCE_SECONDS,
    create_daemon_of_type,
    daemon_controller_from_instance,
)
from dagster._daemon.daemon import DaemonIterator, DagsterDaemon, SensorDaemon
from dagster._daemon.sensor import execute_sensor_iteration_loop
from dagster._utils.interrupts import capture_interrupts, setup_interrupt_handlers
from dagster_shared.error import DagsterError, SerializableErrorInfo

from greenlight_dagster.launcher.run_launcher import WarmRunLauncher
from studio.errors import StackError

log = logging.getLogger("dagster.daemon.greenlight")

# Evaluations that end together are followed by one look, not by one each.
PAUSE_SECONDS = 0.05
# A code server that is away when the daemon starts comes back within seconds.
WARM_UP_RETRY_SECONDS = 2.0


class FollowOn(threading.Event):
    """The pause between two looks: ends when an evaluation has, when the daemon stops, or at its timeout."""

    def __init__(self, shutdown: threading.Event) -> None:
        super().__init__()
        self._shutdown = shutdown
        threading.Thread(target=self._pass_on, name="sensor-follow-on", daemon=True).start()

    def wait(self, timeout: float | None = None) -> bool:
        """Pause for `timeout` seconds at most; return whether it was cut short."""
        cut_short = super().wait(timeout)
        if not self._shutdown.is_set():
            self._shutdown.wait(PAUSE_SECONDS)
            self.clear()
        return cut_short

    def _pass_on(self) -> None:
        self._shutdown.wait()
        self.set()


class FollowingExecutor(InheritContextThreadPoolExecutor):
    """Evaluates sensors and tells `ended` of each evaluation that is over."""

    ended: threading.Event

    def submit(self, fn: Any, *args: Any, **kwargs: Any) -> Future[Any]:  # type: ignore[override]
        """Submit an evaluation."""
        future: Future[Any] = super().submit(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        future.add_done_callback(self._follow_on)
        return future

    def _follow_on(self, evaluation: Future[Any]) -> None:
        # One that failed may fail again at once: Dagster's own pause is its back-off.
        if evaluation.exception() is None and not any(
            isinstance(error, SerializableErrorInfo) for error in evaluation.result() or ()
        ):
            self.ended.set()


class FollowingSensorDaemon(SensorDaemon):
    """Dagster's sensor daemon, which looks again as soon as an evaluation has ended."""

    def __init__(self, settings: Any) -> None:
        super().__init__(settings)
        self._following = self._exit_stack.enter_context(
            FollowingExecutor(max_workers=settings["num_workers"], thread_name_prefix="sensor_daemon_worker")
        )

    @classmethod
    def daemon_type(cls) -> str:
        """Return the type under which Dagster knows it."""
        return SensorDaemon.daemon_type()

    def core_loop(
        self, workspace_process_context: IWorkspaceProcessContext[Any], shutdown_event: threading.Event
    ) -> DaemonIterator:
        """Look and evaluate for ever."""
        pause = self._following.ended = FollowOn(shutdown_event)
        yield from execute_sensor_iteration_loop(
            workspace_process_context,
            self._logger,
            pause,
            threadpool_executor=self._following,
            submit_threadpool_executor=self._submit_threadpool_executor,
            instrument_elapsed=self.instrument_elapsed,
        )


def daemons_of(instance: DagsterInstance) -> list[DagsterDaemon[Any]]:
    """Return the daemons that `instance` needs; its sensors must be evaluated in threads to follow on."""
    settings = instance.get_sensor_settings()
    follows = bool(settings.get("use_threads") and settings.get("num_workers"))
    return [
        FollowingSensorDaemon(settings)
        if follows and kind == SensorDaemon.daemon_type()
        else create_daemon_of_type(kind, instance)
        for kind in instance.get_required_daemon_types()
    ]


def warm_up(launcher: WarmRunLauncher, context: IWorkspaceProcessContext[Any], stop: threading.Event) -> None:
    """Keep the launcher's server running, and have it load the code ahead of the first run."""
    launcher.hold()
    while not stop.is_set():
        try:
            launcher.warm_up(context.create_request_context())
            return
        except (StackError, DagsterError, OSError) as exc:
            log.warning("The run launcher is not warm yet: %s", exc)
        stop.wait(WARM_UP_RETRY_SECONDS)


def _launcher_of(instance: DagsterInstance) -> WarmRunLauncher | None:
    try:
        launcher = instance.run_launcher
    except DagsterInvalidConfigError as exc:
        why = " ".join(error.message.partition("\n")[0] for error in exc.errors)
        raise StackError(f"The run launcher cannot be configured: {why}", "Correct it in dagster.yaml.") from exc
    if not isinstance(launcher, WarmRunLauncher):
        return None
    launcher.require_usable()
    return launcher


def run(workspace: Sequence[str]) -> None:
    """Run the daemons for the workspace files until SIGINT or SIGTERM.

    Raise `StackError` where the run launcher of `dagster.yaml` could launch nothing.
    """
    setup_interrupt_handlers()
    stop = threading.Event()
    tolerance = int(os.environ.get("DAGSTER_DAEMON_HEARTBEAT_TOLERANCE", DEFAULT_DAEMON_HEARTBEAT_TOLERANCE_SECONDS))
    with capture_interrupts(), DagsterInstance.get() as instance:
        launcher = _launcher_of(instance)
        with daemon_controller_from_instance(
            instance,
            workspace_load_target=WorkspaceFileTarget(list(workspace)),
            heartbeat_tolerance_seconds=tolerance,
            gen_daemons=daemons_of,
            log_level=os.environ.get("DAGSTER_DAEMON_LOG_LEVEL", "info"),
        ) as controller:
            if launcher is not None:
                arguments = (launcher, controller._workspace_process_context, stop)
                threading.Thread(target=warm_up, args=arguments, name="warm-up", daemon=True).start()
            try:
                controller.check_daemon_loop()
            except KeyboardInterrupt:
                log.info("Stopping.")
            finally:
                stop.set()


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="greenlight_dagster.daemon", description=__doc__.partition("\n")[0])
    parser.add_argument("--workspace", "-w", action="append", type=Path, required=True, help="A workspace.yaml.")
    try:
        run([str(path) for path in parser.parse_args().workspace])
    except StackError as exc:
        raise SystemExit(str(exc)) from exc


if __name__ == "__main__":
    main()
