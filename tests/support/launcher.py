"""A run launcher of its own for tests: an instance, and runs that are launched as Dagster does it."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from greenlight_dagster.instance import engines
from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Code, Message
from greenlight_dagster.launcher.run_launcher import WarmRunLauncher
from studio.paths import ROOT
from tests.support import launchables
from tests.support.waiting import eventually

MODULE = "tests.support.launchables"
# Loading Dagster takes seconds, and the machine may be busy.
PATIENCE = 60.0


class Launching:
    """One instance with its launcher; `folder` is what the jobs write into."""

    def __init__(self, instance: DagsterInstance, folder: Path) -> None:
        self.instance = instance
        self.folder = folder
        launcher = instance.run_launcher
        assert isinstance(launcher, WarmRunLauncher)
        self.launcher = launcher

    @property
    def client(self) -> LauncherClient:
        return self.launcher.client

    # --- runs

    def create(self, job_name: str, module: str = MODULE, tags: Mapping[str, str] | None = None) -> DagsterRun:
        """Create a run as a sensor does, without launching it."""
        config: dict[str, Any] = {}
        op = {"waiting_job": "wait_op", "deaf_job": "deaf_op", "chatting_job": "chat_op"}.get(job_name)
        if op is not None:
            config = {"ops": {op: {"config": {"folder": str(self.folder)}}}}
        repository = ReconstructableRepository.for_module(module, "defs", str(ROOT))
        return self.instance.create_run_for_job(
            launchables.defs.resolve_job_def(job_name),
            run_config=config,
            tags=dict(tags or {}),
            job_code_origin=repository.get_reconstructable_job(job_name).get_python_origin(),
        )

    def launch(self, job_name: str, tags: Mapping[str, str] | None = None) -> DagsterRun:
        """Create a run and launch it."""
        run = self.create(job_name, tags=tags)
        self.submit(run)
        return run

    def submit(self, run: DagsterRun) -> None:
        """Launch a run that was created."""
        self.launcher.launch_run(LaunchRunContext(run, workspace=None))

    def began(self, run: DagsterRun) -> int:
        """Wait until the op of `run` has begun; return its process."""
        return int(self.read(f"began-{run.run_id}"))

    def read(self, name: str) -> str:
        """Wait for the file `name` that an op leaves; return what is in it."""
        file = self.folder / name
        eventually(file.exists, PATIENCE, f"the file {name}")
        return file.read_text()

    def go(self) -> None:
        """Let the waiting runs end."""
        (self.folder / "go").touch()

    def status(self, run: DagsterRun) -> DagsterRunStatus:
        found = self.instance.get_run_by_id(run.run_id)
        assert found is not None
        return found.status

    def reaches(self, run: DagsterRun, status: DagsterRunStatus) -> None:
        """Wait until `run` has `status`."""

        def has() -> bool:
            now = self.status(run)
            assert now is status, f"the run is {now.value}: {self.messages(run)[-3:]}"
            return True

        eventually(has, PATIENCE, f"run {run.run_id} being {status.value}")

    def messages(self, run: DagsterRun) -> list[str]:
        """Return the messages of the run's event log."""
        return [
            entry.message or (entry.dagster_event and entry.dagster_event.message) or "" for entry in self.logs(run)
        ]

    def logs(self, run: DagsterRun) -> list[Any]:
        return list(self.instance.all_logs(run.run_id))

    # --- processes

    def overview(self) -> Message:
        """Return what the server has in hand, once there is one."""
        return eventually(self.client.overview, PATIENCE, "an answer of the server")

    def spares(self, count: int) -> list[int]:
        """Wait for `count` idle workers; return their processes."""

        def enough() -> list[int]:
            found = self.overview()
            assert len(found["spares"]) == count, f"the launcher has {found}"
            return list(found["spares"])

        return eventually(enough, PATIENCE, f"{count} spare workers")

    def template(self) -> int:
        """Return the process of the template that new workers come from, once it has loaded its code."""

        def loaded() -> int | None:
            return next((found["pid"] for found in self.overview()["templates"] if found["loaded"]), None)

        return eventually(loaded, PATIENCE, "a template") or 0

    def code(self, run: DagsterRun, version: str | None = None) -> Code:
        """Return the code of `run` as the launcher names it."""
        assert run.job_code_origin is not None
        return replace(self.launcher._code(run.job_code_origin.repository_origin, "tests", None), version=version)


@contextlib.contextmanager
def launching(dagster_url: str, patch: pytest.MonkeyPatch, **settings: Any) -> Iterator[Launching]:
    """Lend an instance whose launcher has `settings`; its server and all that it forked are gone afterwards."""
    # Short, because a socket lies in it.
    folder = Path(tempfile.mkdtemp(prefix="gl-launcher-"))
    home, files = folder / "home", folder / "files"
    home.mkdir()
    files.mkdir()
    configuration = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    configuration["run_launcher"]["config"].update(settings)
    # By value: a variable of the studio's is hidden from every test.
    configuration["storage"]["custom"]["config"]["postgres_url"] = dagster_url
    (home / "dagster.yaml").write_text(yaml.safe_dump(configuration))
    patch.setenv("DAGSTER_HOME", str(home))
    try:
        with DagsterInstance.from_config(str(home)) as instance:
            yield Launching(instance, files)
    finally:
        end_all(home)
        engines.disconnect()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def end_all(home: Path) -> None:
    """End what a launcher on `home` has left running."""
    client = LauncherClient(LauncherConfig.at(home))
    if serving := client.overview():
        # Told to stop, it tells those that would start the next one.
        os.kill(serving["pid"], signal.SIGTERM)
        eventually(lambda: client.overview() is None, what="its end")

    def ended() -> bool:
        for process in (left := processes_on(home)):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        return not left

    eventually(ended, what="the end of the launcher's processes")


def processes_on(home: Path) -> list[psutil.Process]:
    """Return server, templates and workers of the launcher on `home`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if str(home / "launcher") in " ".join(process.cmdline()) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def kill(pid: int) -> None:
    """End a process without its say."""
    os.kill(pid, signal.SIGKILL)


def alive(pid: int) -> bool:
    """Say whether a process still runs."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with `variables`."""
    return {**os.environ, **variables}
