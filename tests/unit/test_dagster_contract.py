"""What of Dagster's private parts the fast path relies on: each is looked at here, so that an upgrade fails loudly.

Every failure says what has changed and which module of ours has to be looked at. Where it can be, behaviour is
checked rather than existence. A new minor version of Dagster fails `test_the_version_is_the_pinned_one` first: read
the others' failures, mend the modules they name, and pin the new version.
"""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import pytest
import sqlalchemy
from dagster import DagsterInstance
from dagster._cli.api import grpc_command
from dagster._cli.code_server import start_command
from dagster._core.launcher import RunLauncher
from dagster._core.remote_representation.code_location import GrpcServerCodeLocation
from dagster._core.remote_representation.external import RemoteSensor
from dagster._core.remote_representation.external_data import SensorSnap
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._daemon import controller as daemon_controller
from dagster._daemon import sensor as sensor_daemon
from dagster._daemon.daemon import SensorDaemon
from dagster._grpc import proxy_server
from dagster._grpc import server as grpc_server
from dagster._grpc.impl import core_execute_run
from dagster_postgres import (
    DagsterPostgresStorage,
    PostgresEventLogStorage,
    PostgresRunStorage,
    PostgresScheduleStorage,
)
from dagster_postgres.utils import create_pg_engine
from sqlalchemy.exc import SQLAlchemyError

from greenlight_dagster import daemon
from greenlight_dagster.instance import storage
from greenlight_dagster.launcher.run_launcher import WarmRunLauncher
from sensors import code_server
from studio.paths import ROOT
from tests.support.dagster import DAGSTER_WARNINGS

pytestmark = DAGSTER_WARNINGS

# Distributions whose private parts are used, and which of their versions is a minor one.
PINNED = {"dagster": "1.13", "dagster-shared": "1.13", "dagster-postgres": "0.29"}
OURS = ("greenlight_dagster", "sensors", "schedules", "resources", "jobs")
THEIRS = ("dagster", "dagster_postgres", "dagster_shared")
# Takes no time where the database is not asked.
NOWHERE = "postgresql+psycopg2://nobody@127.0.0.1:1/nothing"
STORAGES = (PostgresRunStorage, PostgresEventLogStorage, PostgresScheduleStorage)


def changed(what: str, module: object) -> str:
    """Return the message of a failed check."""
    name = getattr(module, "__name__", module)
    return f"Dagster {version('dagster')} has changed: {what}. {name} relies on it."


def parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


# --- the version, and what is imported


def locked() -> dict[str, str]:
    lines = (ROOT / "requirements.lock").read_text()
    return dict(re.findall(r"^([a-z0-9-]+)==([^ ;\\]+)", lines, re.MULTILINE))


@pytest.mark.parametrize("name", PINNED)
def test_the_version_is_the_pinned_one(name: str) -> None:
    installed = version(name)
    assert installed.rsplit(".", 1)[0] == PINNED[name], (
        f"{name} is {installed}, but the private parts in use are those of {PINNED[name]}: see the other tests here."
    )
    assert locked()[name] == installed, (
        f"{name} {installed} is installed, requirements.lock says {locked()[name]}: make install"
    )


@pytest.mark.parametrize("name", ["dagster", "dagster-postgres", "dagster-webserver"])
def test_no_other_minor_version_may_be_installed(name: str) -> None:
    [line] = [line for line in (ROOT / "pyproject.toml").read_text().splitlines() if line.startswith(f'  "{name}>=')]
    low, high = re.findall(r"(\d+)\.(\d+)", line)
    assert (low[0], int(low[1]) + 1) == (high[0], int(high[1])), f"{line} lets another minor version in"


def private_imports() -> list[tuple[str, str, str]]:
    """Return every private thing of Dagster's that we import: our file, its module, its name."""
    found = []
    for file in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            module = getattr(node, "module", None) or ""
            if isinstance(node, ast.ImportFrom) and module.split(".")[0] in THEIRS and module != "dagster":
                found += [(str(file.relative_to(ROOT)), module, name.name) for name in node.names]
    return found


@pytest.mark.parametrize(("ours", "module", "name"), private_imports())
def test_what_we_import_is_there(ours: str, module: str, name: str) -> None:
    try:
        there = hasattr(importlib.import_module(module), name)
    except ImportError:
        there = False
    assert there, changed(f"{module}.{name} is gone", ours)


# --- greenlight_dagster.instance.storage and engines


@contextlib.contextmanager
def parent(kind: type[Any]) -> Iterator[Any]:
    """Lend a storage of Dagster's own that has not connected."""
    made = kind(NOWHERE, should_autocreate_tables=False)
    try:
        yield made
    finally:
        made._engine.dispose()


@pytest.mark.parametrize("kind", STORAGES)
def test_a_storage_keeps_its_engine_and_its_url(kind: type[Any]) -> None:
    with parent(kind) as made:
        assert isinstance(getattr(made, "_engine", None), sqlalchemy.Engine), changed(
            f"{kind.__name__} has no `_engine`", storage
        )
        assert made.postgres_url == NOWHERE, changed(f"{kind.__name__}.postgres_url is another", storage)


@pytest.mark.parametrize(
    "question",
    [
        (PostgresRunStorage, lambda made: made.get_runs(limit=1)),
        (PostgresRunStorage, lambda made: made.get_daemon_heartbeats()),
        (PostgresEventLogStorage, lambda made: made.get_logs_for_run("none")),
        (PostgresEventLogStorage, lambda made: made.get_maximum_record_id()),
        (PostgresScheduleStorage, lambda made: made.all_instigator_state()),
        (PostgresScheduleStorage, lambda made: made.get_ticks("origin", "selector")),
    ],
    ids=["runs", "heartbeats", "logs", "records", "states", "ticks"],
)
def test_every_connection_comes_from_connect(question: tuple[type[Any], Callable[[Any], Any]]) -> None:
    """What asks the database goes through `connect` or `_connect`, which ours override."""
    kind, ask = question

    def connect(self: Any, run_id: str | None = None) -> Any:
        raise _Asked

    spied = type("Spied", (kind,), {"connect": connect, "_connect": connect})
    with parent(spied) as made:
        try:
            ask(made)
        except _Asked:
            return
        except SQLAlchemyError:
            pass
    pytest.fail(changed(f"{kind.__name__} takes a connection elsewhere than from `connect` or `_connect`", storage))


class _Asked(Exception):
    pass


@pytest.mark.parametrize("kind", [storage._RunStorage, storage._EventLogStorage, storage._ScheduleStorage])
def test_what_is_remembered_is_asked_by_dagster_under_that_name(kind: type[Any]) -> None:
    above = kind.__mro__[2]
    remembered = {name: value for name, value in vars(kind).items() if "_remembered" in repr(_function(value))}
    assert remembered, "nothing is remembered any more: this test looks for the wrong name"
    for name, value in remembered.items():
        asked = inspect.getattr_static(above, name, None)
        assert asked is not None, changed(f"{above.__name__}.{name} is gone", storage)
        # A method in the place of a property would be true whatever it says.
        assert inspect.isfunction(asked) is inspect.isfunction(value), changed(
            f"{above.__name__}.{name} is a {type(asked).__name__} now", storage
        )


def _function(value: object) -> object:
    return value.fget if isinstance(value, property) else value


@pytest.mark.parametrize("kind", STORAGES)
def test_the_web_server_asks_for_its_timeout_in_this_way(kind: type[Any]) -> None:
    theirs = parameters(kind.optimize_for_webserver)
    ours = parameters(storage._OnSharedEngine.optimize_for_webserver)
    assert theirs == ours, changed(f"{kind.__name__}.optimize_for_webserver takes {theirs}", storage)


def test_the_storage_is_put_together_from_three(monkeypatch: pytest.MonkeyPatch) -> None:
    made = DagsterPostgresStorage(NOWHERE, should_autocreate_tables=False)
    for name, kind in zip(("_run_storage", "_event_log_storage", "_schedule_storage"), STORAGES, strict=True):
        assert isinstance(getattr(made, name, None), kind), changed(f"DagsterPostgresStorage.{name}", storage)
        own = SimpleNamespace()
        monkeypatch.setattr(made, name, own)
        public = name.removeprefix("_")
        assert getattr(made, public) is own, changed(f"DagsterPostgresStorage.{public} ignores {name}", storage)


def test_an_engine_is_made_with_sqlalchemys_own_options() -> None:
    engine = create_pg_engine(NOWHERE, pool_size=3, max_overflow=4, isolation_level="AUTOCOMMIT", pool_use_lifo=True)
    pool = cast("sqlalchemy.QueuePool", engine.pool)
    assert pool.size() == 3, changed("create_pg_engine does not pass its options on", "greenlight_dagster.instance")


# --- greenlight_dagster.instance.compute_logs


def test_output_is_captured_for_a_key_below_the_base_folder(tmp_path: Path) -> None:
    where = "greenlight_dagster.instance.compute_logs"
    assert parameters(LocalComputeLogManager.capture_logs) == ["self", "log_key"], changed("capture_logs", where)
    manager = LocalComputeLogManager(base_dir=str(tmp_path), polling_timeout=None, inst_data=None)
    key = ["run", "compute_logs", "step"]
    path = Path(manager.get_captured_local_path(key, "out"))
    assert path == tmp_path / "run" / "compute_logs" / "step.out", changed("where captured output lies", where)
    assert not manager.is_capture_complete(key)
    complete = Path(manager.get_captured_local_path(key, "complete"))
    complete.parent.mkdir(parents=True)
    complete.touch()
    assert manager.is_capture_complete(key), changed("what tells that a capture is complete", where)


# --- greenlight_dagster.launcher


def test_a_launcher_has_to_do_what_ours_does() -> None:
    assert RunLauncher.__abstractmethods__ == {"launch_run", "terminate"}, changed(
        "the abstract methods of RunLauncher", "greenlight_dagster.launcher.run_launcher"
    )
    for name in ("launch_run", "terminate", "check_run_worker_health"):
        theirs, ours = parameters(getattr(RunLauncher, name)), parameters(getattr(WarmRunLauncher, name))
        assert theirs == ours, changed(f"RunLauncher.{name} takes {theirs}", "greenlight_dagster.launcher.run_launcher")
    assert isinstance(inspect.getattr_static(RunLauncher, "supports_check_run_worker_health"), property)


def test_a_launcher_is_told_its_instance() -> None:
    launcher = WarmRunLauncher()
    with DagsterInstance.ephemeral() as instance:
        launcher.register_instance(instance)
        assert launcher._instance is instance, changed(
            "what RunLauncher.register_instance keeps", "greenlight_dagster.launcher.run_launcher"
        )


def test_a_run_is_executed_by_core_execute_run() -> None:
    where = "greenlight_dagster.launcher.worker"
    expected = ["recon_job", "dagster_run", "instance", "inject_env_vars"]
    assert parameters(core_execute_run)[:4] == expected, changed("the parameters of core_execute_run", where)
    others = list(inspect.signature(core_execute_run).parameters.values())[4:]
    assert all(one.default is not one.empty for one in others), changed("core_execute_run asks for more", where)
    assert inspect.isgeneratorfunction(core_execute_run), changed("core_execute_run is no generator", where)


def test_a_reload_of_the_code_changes_the_servers_id() -> None:
    where = "greenlight_dagster.launcher.run_launcher"
    assert isinstance(inspect.getattr_static(GrpcServerCodeLocation, "server_id", None), property), changed(
        "GrpcServerCodeLocation.server_id is gone", where
    )
    for name in ("get_repository_names", "get_repository_python_origin"):
        assert hasattr(GrpcServerCodeLocation, name), changed(f"GrpcServerCodeLocation.{name} is gone", where)


# --- greenlight_dagster.daemon


def test_the_sensor_daemon_keeps_what_we_borrow() -> None:
    made = SensorDaemon({"use_threads": True, "num_workers": 1, "num_submit_workers": 1})
    assert isinstance(getattr(made, "_exit_stack", None), contextlib.ExitStack), changed(
        "SensorDaemon._exit_stack", daemon
    )
    assert getattr(made, "_submit_threadpool_executor", None) is not None, changed(
        "SensorDaemon._submit_threadpool_executor", daemon
    )
    assert callable(made.instrument_elapsed), changed("SensorDaemon.instrument_elapsed", daemon)
    assert isinstance(made._logger, logging.Logger), changed("DagsterDaemon._logger", daemon)
    assert SensorDaemon.daemon_type() == "SENSOR", changed("the type of the sensor daemon", daemon)
    assert parameters(SensorDaemon.core_loop) == parameters(daemon.FollowingSensorDaemon.core_loop), changed(
        "the parameters of SensorDaemon.core_loop", daemon
    )
    made._exit_stack.close()


def test_the_loop_pauses_with_the_event_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its `wait` is the pause, its timeout what is left of five seconds; whether it is set is never looked at."""
    asked: list[float] = []

    class Pause(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            asked.append(timeout or 0.0)
            return True

    rounds: list[dict[str, Any]] = []

    def one_round(*_: object, **given: object) -> Iterator[None]:
        rounds.append(given)
        yield None

    monkeypatch.setattr(sensor_daemon, "execute_sensor_iteration", one_round)
    # A round that takes no time at all, so that the pause is whole on any machine.
    monkeypatch.setattr(sensor_daemon, "get_current_timestamp", lambda: 1_000.0)
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    pause = Pause()
    pause.set()
    loop = sensor_daemon.execute_sensor_iteration_loop(
        cast("Any", None),
        logging.getLogger(),
        pause,
        threadpool_executor=cast("Any", "evaluates"),
        submit_threadpool_executor=cast("Any", "submits"),
        instrument_elapsed=lambda *_: None,
    )
    while len(rounds) < 3:
        next(loop)
    assert len(asked) == 2, changed("execute_sensor_iteration_loop waits otherwise than with its event", daemon)
    assert slept == [], changed("execute_sensor_iteration_loop pauses by other means", daemon)
    assert asked[0] == 5.0, changed(f"the pause of the sensor loop is {asked[0]:.1f} s", daemon)
    assert rounds[0]["threadpool_executor"] == "evaluates", changed("who evaluates sensors", daemon)
    assert rounds[0]["submit_threadpool_executor"] == "submits", changed("who submits runs", daemon)
    assert rounds[0]["sensor_tick_futures"] is rounds[1]["sensor_tick_futures"], changed(
        "what keeps a sensor from being evaluated twice at once", daemon
    )


def test_an_evaluation_is_submitted_to_the_executor() -> None:
    """Its future is what `FollowingExecutor` listens to."""
    source = inspect.getsource(sensor_daemon.execute_sensor_iteration)
    assert "threadpool_executor.submit(\n                _process_tick," in source, changed(
        "how execute_sensor_iteration hands an evaluation to its executor", daemon
    )
    with daemon.FollowingExecutor(max_workers=1) as executor:
        executor.ended = threading.Event()
        assert executor.submit(lambda: "done").result() == "done"
        assert executor.ended.wait(10), "an evaluation that has ended is not told of"


def test_the_controller_takes_our_daemons_and_shows_its_workspace(monkeypatch: pytest.MonkeyPatch) -> None:
    source = inspect.signature(daemon_controller.daemon_controller_from_instance).parameters
    for name in ("workspace_load_target", "heartbeat_tolerance_seconds", "gen_daemons", "log_level"):
        assert name in source, changed(f"daemon_controller_from_instance has no {name}", daemon)
    workspace = SimpleNamespace(instance=None)
    nothing = SimpleNamespace(daemon_type=lambda: "NOTHING", run_daemon_loop=lambda *_: None)
    made = daemon_controller.DagsterDaemonController(cast("Any", workspace), [cast("Any", nothing)])
    assert made._workspace_process_context is workspace, changed(
        "DagsterDaemonController._workspace_process_context", daemon
    )


def test_the_controllers_loop_ends_by_an_interrupt() -> None:
    source = inspect.getsource(daemon_controller.DagsterDaemonController.check_daemon_loop)
    assert "raise_interrupts_as(KeyboardInterrupt)" in source, changed("how the daemon is interrupted", daemon)


# --- sensors


@pytest.mark.parametrize(("interval", "passes"), [(-1, True), (1, False), (30, False)])
def test_a_sensor_with_a_negative_interval_may_always_be_evaluated(interval: int, passes: bool) -> None:
    """Half a second after its last evaluation."""
    data = SensorInstigatorData(last_tick_timestamp=time.time() - 0.5)
    state = cast("Any", SimpleNamespace(instigator_data=data))
    sensor = cast("Any", SimpleNamespace(min_interval_seconds=interval))
    assert sensor_daemon.is_under_min_interval(state, sensor) is not passes, changed(
        f"when a sensor whose minimum interval is {interval} may be evaluated", "sensors.waiting"
    )


@pytest.mark.parametrize(("given", "seen"), [(-1, -1), (1, 1), (0, 30)])
def test_an_interval_reaches_the_daemon_as_it_is(given: int, seen: int) -> None:
    """All but 0, which Dagster takes for nothing given."""
    definition = dg.SensorDefinition(name="one", evaluation_fn=lambda _: None, minimum_interval_seconds=given)
    repository = cast("Any", dg.Definitions(sensors=[definition]).get_repository_def())
    snap = SensorSnap.from_def(definition, repository)
    remote = cast("Any", SimpleNamespace(_sensor_snap=snap))
    interval = cast("property", inspect.getattr_static(RemoteSensor, "min_interval_seconds"))
    assert interval.fget is not None
    assert interval.fget(remote) == seen, changed(
        f"a minimum interval of {given} is read differently", "sensors.waiting"
    )


def test_a_code_server_that_ends_ends_a_thread_of_this_name_first() -> None:
    source = inspect.getsource(grpc_server.DagsterApiServer)
    assert f'name="{code_server.CLEANUP_THREAD}"' in source, changed(
        "the name of the code server's clean-up thread", code_server
    )
    serving = inspect.getsource(grpc_server.DagsterGrpcServer.serve)
    assert serving.index("_api_servicer.cleanup()") < serving.index("server_termination_thread.join()"), changed(
        "a code server waits for its evaluations before it ends its clean-up thread", code_server
    )
    assert "__cleanup_thread.join()" in inspect.getsource(grpc_server.DagsterApiServer.cleanup), changed(
        "the end of the code server's clean-up thread", code_server
    )


def test_the_sizes_of_code_server_and_proxy_are_read_from_these_variables() -> None:
    for command, variable in zip((grpc_command, start_command), code_server.SIZES, strict=True):
        [option] = [option for option in command.params if option.name == "max_workers"]
        assert option.envvar == variable, changed(f"the variable with the threads of {command.name}", code_server)


def test_a_proxy_hands_an_evaluation_on_and_waits_for_it() -> None:
    source = inspect.getsource(proxy_server.DagsterProxyApiServicer.SyncExternalSensorExecution)
    assert "self._query(" in source, changed("a proxy of a code server no longer waits along", code_server)
