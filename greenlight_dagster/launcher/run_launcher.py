"""`WarmRunLauncher`: the launcher as Dagster sees it, set in `dagster.yaml`."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, DagsterRun, Field, IntSource, StringSource
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._core.origin import RepositoryPythonOrigin
from dagster._core.remote_representation.code_location import CodeLocation, GrpcServerCodeLocation
from dagster._core.workspace.context import BaseWorkspaceRequestContext
from dagster._serdes import ConfigurableClass, ConfigurableClassData, serialize_value
from dagster_shared.error import DagsterError

from greenlight_dagster.launcher import config as defaults
from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Code, Launch
from greenlight_dagster.sockets import fits, make_private
from resources import run_tags
from studio.errors import StackError

log = logging.getLogger(__name__)

# A server that was killed is started again this soon; one that cannot start is not tried in a busy loop.
HOLD_PAUSE_SECONDS = 0.3
# Somebody waits for its runs in front of a screen.
URGENT_LANE = "realtime"


class WarmRunLauncher(RunLauncher[DagsterInstance], ConfigurableClass):
    """Gives each run a process that was forked ahead of time, with everything loaded and connected."""

    def __init__(
        self, inst_data: ConfigurableClassData | None = None, socket_path: str | None = None, **values: float
    ) -> None:
        self._inst_data = inst_data
        self._socket_path = socket_path
        self._values = values
        self._client: LauncherClient | None = None
        self._holder: threading.Thread | None = None
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What `dagster.yaml` says, for other processes."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Any:
        """Return what `dagster.yaml` may say of it."""
        return {
            "spares": Field(
                IntSource, default_value=defaults.SPARES, description="How many idle run workers are kept ready."
            ),
            "max_concurrent_runs": Field(
                IntSource,
                default_value=defaults.MAX_CONCURRENT_RUNS,
                description="How many runs go on at once; of those beyond, realtime ones come first, then older ones.",
            ),
            "recycle_after_growth_mb": Field(
                IntSource,
                default_value=defaults.RECYCLE_AFTER_GROWTH_MB,
                description="The process that the workers are forked from is replaced when it has grown by this much.",
            ),
            "terminate_grace_seconds": Field(
                IntSource,
                default_value=int(defaults.TERMINATE_GRACE_SECONDS),
                description="A canceled run that has not ended after this long is killed.",
            ),
            "idle_seconds": Field(
                IntSource,
                default_value=int(defaults.IDLE_SECONDS),
                description="The launcher's server ends when it has had neither runs nor clients for this long.",
            ),
            "socket_path": Field(
                StringSource,
                is_required=False,
                description="Where the launcher's server listens; in DAGSTER_HOME unless given.",
            ),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> WarmRunLauncher:
        """Return the launcher that `config_value` describes."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def client(self) -> LauncherClient:
        """The connection to the server of this instance; needs `register_instance`."""
        if self._client is None:
            self._client = LauncherClient(self.launcher_config)
        return self._client

    @property
    def launcher_config(self) -> LauncherConfig:
        """Where the server of this instance lives."""
        for name in ("spares", "max_concurrent_runs"):
            if self._values.get(name, 1) < 1:
                raise StackError(f"run_launcher.config.{name} must be at least 1.", "Correct it in dagster.yaml.")
        for name in ("terminate_grace_seconds", "idle_seconds"):
            if self._values.get(name, 0) < 0:
                raise StackError(f"run_launcher.config.{name} is negative.", "Correct it in dagster.yaml.")
        socket = Path(self._socket_path).expanduser() if self._socket_path else None
        return LauncherConfig.at(Path(self._instance.root_directory), socket, **self._values)

    # --- what Dagster asks

    def launch_run(self, context: LaunchRunContext) -> None:
        """Hand the run to the server; say so in its log where it has to wait for a slot."""
        run = context.dagster_run
        origin = run.job_code_origin
        if origin is None:
            raise _failure(f"Run {run.run_id} does not say where its code is.")
        location_name = run.remote_job_origin.location_name if run.remote_job_origin else None
        code = self._code(origin.repository_origin, location_name, _version(context.workspace, location_name))
        try:
            answer = self.client.launch(
                Launch(run.run_id, code, time.time(), run.tags.get(run_tags.LANE) == URGENT_LANE)
            )
        except (StackError, OSError) as exc:
            raise _failure(f"Run {run.run_id} cannot be launched: {exc}") from exc
        self.hold()
        if position := answer["position"]:
            full = f"All {answer['limit']} slots of the run launcher are taken"
            self._instance.report_engine_event(f"{full}: this run waits, number {position} in line.", run)

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run, or drop it where it has not begun; False where it has ended already."""
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        was = self.client.terminate(run_id)
        if was == "running":
            return True
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        # It has no process that could report its end.
        self._instance.report_run_canceled(
            run, "It was canceled before it began." if was == "waiting" else "It had no process any more."
        )
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: the server sees every worker."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Return what has become of the run's process."""
        try:
            status = self.client.status(run.run_id)
        except (StackError, OSError) as exc:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, str(exc), transient=True)
        pid = status["pid"]
        worker = None if pid is None else str(pid)
        match status["is"]:
            case "running":
                return CheckRunHealthResult(
                    WorkerStatus.RUNNING, f"Process {pid} carries it out.", run_worker_id=worker
                )
            case "waiting":
                return CheckRunHealthResult(WorkerStatus.RUNNING, "It waits for a slot.")
            case "lost":
                return CheckRunHealthResult(WorkerStatus.FAILED, "Its process was lost.")
            case _:
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "No process carries it out.")

    # --- what long-lived processes ask

    def require_usable(self) -> None:
        """Raise `StackError` where `dagster.yaml` says what cannot work: better at the start than with each run."""
        socket = self.launcher_config.socket
        if not (socket.is_absolute() and fits(socket)) or socket.is_dir():
            raise StackError(
                f"No socket can lie at {socket}: it takes a whole and short path to a file.",
                "Correct run_launcher.config.socket_path in dagster.yaml.",
            )
        try:
            make_private(socket.parent)
        except OSError as exc:
            raise StackError(
                f"No socket can lie at {socket}: {exc}.", "Correct run_launcher.config.socket_path in dagster.yaml."
            ) from exc

    def warm_up(self, workspace: BaseWorkspaceRequestContext) -> None:
        """Have the code of every location loaded and spares forked; return when they can be.

        Raise `StackError` where the server does not start or the code cannot be loaded.
        """
        for entry in workspace.get_code_location_entries().values():
            location = entry.code_location
            for name in location.get_repository_names() if location is not None else ():
                origin = location.get_repository_python_origin(name) if location is not None else None
                if location is not None and origin is not None:
                    self.client.warm(self._code(origin, location.name, _version_of(location)))

    def hold(self) -> None:
        """Keep the server running for as long as this process lives, from a thread; do nothing the second time."""
        if self._holder is None or not self._holder.is_alive():
            self._holder = threading.Thread(target=_hold, args=[self.client], name="run-launcher", daemon=True)
            self._holder.start()

    def _code(self, origin: RepositoryPythonOrigin, location: str | None, version: str | None) -> Code:
        return Code(
            origin=serialize_value(origin),
            instance=serialize_value(self._instance.get_ref()),
            executable=origin.executable_path,
            location=location,
            version=version,
        )


def _version(workspace: BaseWorkspaceRequestContext | None, location_name: str | None) -> str | None:
    if workspace is None or location_name is None:
        return None
    try:
        return _version_of(workspace.get_code_location(location_name))
    except DagsterError:
        # A code server that is away is no reason not to run code that is loaded.
        return None


def _version_of(location: CodeLocation) -> str | None:
    return location.server_id if isinstance(location, GrpcServerCodeLocation) else None


def _hold(client: LauncherClient) -> None:
    while True:
        try:
            if client.attend():
                return
        except (StackError, OSError) as exc:
            log.warning("The run launcher cannot be kept: %s", exc)
        time.sleep(HOLD_PAUSE_SECONDS)


def _failure(message: str) -> DagsterLaunchFailedError:
    return DagsterLaunchFailedError(message)  # type: ignore[no-untyped-call]
