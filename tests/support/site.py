"""An installation for tests: a DAGSTER_HOME with the project's `dagster.yaml`, two databases, and real processes on it.

Unlike a stack it starts nothing by itself: a test starts the daemon, the UI or `dagster dev` as a person would.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import pytest
import yaml
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableJob, ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from greenlight_dagster.instance import engines
from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.run_launcher import WarmRunLauncher
from greenlight_dagster.stack.environment import code_server_variables
from greenlight_dagster.stack.folders import CODE_LOCATION
from resources import run_tags
from sensors.pickup import RELAYS
from studio import queue
from studio.database.connection import Database
from studio.job_types import job_type
from studio.paths import ROOT
from studio.queue import NewJob
from tests.support.dagster import defs
from tests.support.launcher import end_all, processes_on
from tests.support.queue import make_project
from tests.support.waiting import eventually

# Several programs import Dagster at once, and the machine may be busy.
PATIENCE = 90.0


class Process:
    """A program on a site, with everything it has started; it leads a session of its own, as in a terminal."""

    def __init__(self, arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, *arguments],
                env=dict(environment),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.pid = self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def output(self) -> str:
        """Return what it has written so far."""
        return self.log.read_text(errors="replace")

    def wait(self, timeout: float = PATIENCE) -> int:
        """Return its exit code; fail the test after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it still runs after {timeout} s:\n{self.output()[-4000:]}") from None

    def says(self, text: str) -> None:
        """Wait until it has written `text`."""

        def has() -> bool:
            assert self.running, f"it has ended:\n{self.output()[-4000:]}"
            return text in self.output()

        eventually(has, PATIENCE, f"its saying {text!r}")

    def family(self) -> list[psutil.Process]:
        """Return the live processes of its session: itself, and what it has started without letting it go."""
        return [process for process in psutil.process_iter() if _session(process.pid) == self.pid and _lives(process)]

    def interrupt(self) -> float:
        """Press Ctrl-C, wait until it has ended, and return how many seconds that took."""
        began = time.monotonic()
        os.killpg(self.pid, signal.SIGINT)
        self.wait()
        return time.monotonic() - began

    def end(self) -> None:
        """End it with force, and all that it has started."""
        for process in self.family():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()


class Site:
    """A home on two databases. A context manager; whatever was started on it is gone afterwards."""

    # Which of the project's two configurations of Dagster it has.
    configuration = "dagster.yaml"

    def __init__(self, studio_url: str, dagster_url: str, **launcher: Any) -> None:
        # Short, because sockets lie in it.
        self.folder = Path(tempfile.mkdtemp(prefix="gl-site-"))
        self.home = self.folder / "home"
        self.home.mkdir()
        self.studio_url = studio_url
        self.dagster_url = dagster_url
        configuration = yaml.safe_load((ROOT / self.configuration).read_text())
        # By value: the test's own process opens the instance as well, and a variable of the studio's is hidden from it.
        configuration["storage"]["custom"]["config"]["postgres_url"] = dagster_url
        configuration["run_launcher"]["config"].update(launcher)
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(configuration))
        self.variables = {
            "DATABASE_URL": studio_url,
            "GREENLIGHT_DAGSTER_DATABASE_URL": dagster_url,
            "DAGSTER_HOME": str(self.home),
            "GREENLIGHT_DATA_DIR": str(self.folder),
            "GREENLIGHT_RETRY_SECONDS": "0",
            **code_server_variables(),
        }
        self._processes: list[Process] = []
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Site:
        self.database = self._stack.enter_context(Database(self.studio_url, pool_size=4))
        self.instance = self._stack.enter_context(DagsterInstance.from_config(str(self.home)))
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.end()
        end_all(self.home)
        self._stack.close()
        engines.disconnect()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self, **settings: str | None) -> dict[str, str]:
        """Return the environment of a process on this site; a setting that is None is taken out."""
        found = {**os.environ, **self.variables, **settings}
        return {name: value for name, value in found.items() if value is not None}

    def start(self, *arguments: str, **settings: str | None) -> Process:
        """Start `python` with `arguments`."""
        log = self.folder / f"process-{len(self._processes)}.log"
        process = Process(arguments, self.environment(**settings), log)
        self._processes.append(process)
        return process

    # --- the launcher

    def start_launcher(self) -> None:
        """Start the run launcher with this site's variables, and load the project's code into it."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self.variables.items():
                patch.setenv(name, value)
            launcher = self.instance.run_launcher
            assert isinstance(launcher, WarmRunLauncher)
            origin = _code("bench_standard").get_python_origin().repository_origin
            launcher.client.warm(launcher._code(origin, CODE_LOCATION, None))
            # For as long as the test's process lives, or until the site is left.
            launcher.hold()

    def spares(self, count: int = 1) -> list[int]:
        """Wait for `count` idle workers; return their processes."""

        def enough() -> list[int]:
            overview = self.launcher.overview()
            assert overview is not None, "there is no launcher"
            assert len(overview["spares"]) == count, f"the launcher has {overview}"
            return list(overview["spares"])

        return eventually(enough, PATIENCE, f"{count} spare workers")

    def template(self) -> int:
        """Return the process that workers are forked from."""
        overview = self.launcher.overview()
        assert overview is not None
        return next(template["pid"] for template in overview["templates"] if template["loaded"])

    @property
    def launcher(self) -> LauncherClient:
        return LauncherClient(LauncherConfig.at(self.home))

    def launcher_ends(self) -> None:
        """Wait until nothing is left of the run launcher."""
        eventually(lambda: not processes_on(self.home), PATIENCE, "the end of the run launcher")

    # --- jobs

    def project(self) -> UUID:
        return make_project(self.database)

    def enqueue(self, job_type: str, project: UUID, payload: Mapping[str, Any] | None = None) -> UUID:
        """Put a job into the queue."""
        with self.database.transaction() as conn:
            return queue.enqueue(conn, NewJob(job_type, project, dict(payload or {}))).job_id

    def launch(self, job_id: UUID) -> DagsterRun:
        """Claim the job, which is the only one that is due, and launch its run as a pickup sensor has it done."""
        [job] = queue.claim(self.database, "test", limit=1, lane=None, lease=timedelta(minutes=10))
        assert job.id == job_id
        name = job_type(job.job_type).dagster_job
        run = self.instance.create_run_for_job(
            defs.resolve_job_def(name),
            tags={**run_tags.tags_of(job), run_tags.RUN_KEY: run_tags.run_key(job)},
            job_code_origin=_code(name).get_python_origin(),
        )
        self.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        return run

    def ends(self, run: DagsterRun) -> DagsterRunStatus:
        """Wait until the run has ended; return how."""

        def ended() -> DagsterRunStatus | None:
            found = self.instance.get_run_by_id(run.run_id)
            return found.status if found is not None and found.is_finished else None

        status = eventually(ended, PATIENCE, f"the end of run {run.run_id}")
        assert status is not None
        return status

    def becomes(self, job_id: UUID, *statuses: str) -> queue.Job:
        """Wait until the job has one of `statuses`; return it."""

        def reached() -> queue.Job:
            job = queue.get(self.database, job_id)
            assert job.status in statuses, f"the job is {job.status}: {job.last_error}"
            return job

        return eventually(reached, PATIENCE, f"job {job_id} being {' or '.join(statuses)}")

    def run_of(self, job_id: UUID) -> DagsterRun:
        """Wait until a run has taken the job up; return it."""

        def found() -> DagsterRun | None:
            run_id = queue.get(self.database, job_id).dagster_run_id
            return self.instance.get_run_by_id(run_id) if run_id else None

        run = eventually(found, PATIENCE, f"a run of job {job_id}")
        assert run is not None
        return run

    def sensors_wait(self, daemon: Process) -> None:
        """Wait until `daemon` has a sensor of each lane wait, and the watcher."""

        def wait() -> bool:
            assert daemon.running, f"the daemon has ended:\n{daemon.output()[-4000:]}"
            return len(self.ticks("STARTED")) > len(RELAYS)

        eventually(wait, PATIENCE, "sensors that wait")

    def ticks(self, *statuses: str) -> list[dict[str, Any]]:
        """Return the ticks of all sensors, those of `statuses` where given: `sensor`, `status`, `error`, `reason`."""
        return [
            {
                "sensor": state.name,
                "status": tick.status.value,
                "error": tick.error.message if tick.error else None,
                "reason": tick.skip_reason,
            }
            for state in self.instance.all_instigator_state()
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
            if not statuses or tick.status.value in statuses
        ]


def _code(job: str) -> ReconstructableJob:
    return ReconstructableRepository.for_module(
        "greenlight_dagster.definitions", "defs", str(ROOT)
    ).get_reconstructable_job(job)


def _session(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getsid(pid)
    return None


def _lives(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    return False


@contextlib.contextmanager
def installed(postgres: Any, database_template: str, dagster_template: str, **launcher: Any) -> Iterator[Site]:
    """Lend a site on fresh databases of the test server."""
    with postgres.temporary(database_template) as studio, postgres.temporary(dagster_template) as runs:
        with Site(postgres.url(studio), postgres.sqlalchemy_url(runs), **launcher) as made:
            yield made
