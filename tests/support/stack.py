"""A stack as a person has it: `greenlight up` in a process of its own, and ways to hurt it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
from dagster import DagsterInstance, DagsterRun

from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.stack import state
from greenlight_dagster.stack.folders import Folders
from studio.database.connection import Database
from studio.errors import StackError
from studio.paths import ROOT
from tests.support.sandbox import SandboxClient
from tests.support.waiting import eventually

START_SECONDS = 150.0
STOP_SECONDS = 60.0
_STARTED = re.compile(r"Started process for run \(pid: (\d+)\)")
# `greenlight up` with definitions of the test's own.
_SUPERVISOR = """
import sys
from pathlib import Path
from greenlight_dagster.stack.stack import Stack
from studio.settings import Settings
with Stack(
    Path(sys.argv[1]), Settings(), ui_port=0, web_port=0, studio_port=0, definitions_module=sys.argv[2], log=print
) as stack:
    stack.wait()
"""


class UpStack(SandboxClient):
    """A running stack; as a sandbox client it speaks to the stack's own model. A context manager."""

    def __init__(self, settings: Mapping[str, str], definitions_module: str | None = None) -> None:
        # Short, because sockets lie in it, and in memory where that is possible.
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="gl-chaos-", dir=memory if os.access(memory, os.W_OK) else None))
        self._settings = {"GREENLIGHT_DATA_DIR": str(self.folder / "data"), **settings}
        self._log = self.folder / "up.log"
        self._command = [
            str(Path(sys.executable).with_name("greenlight")),
            "up",
            "--ui-port",
            "0",
            "--web-port",
            "0",
            "--port",
            "0",
        ]
        if definitions_module is not None:
            self._command = [sys.executable, "-c", _SUPERVISOR, str(self.folder / "data"), definitions_module]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> UpStack:
        # Before any test has begun, so before the fixture that hides the developer's own settings.
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
        environment = {name: os.environ[name] for name in kept if name in os.environ}
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._command,
                env={**environment, **self._settings},
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            eventually(self._is_up, START_SECONDS, "the stack being up")
        except BaseException:
            self.__exit__()
            raise
        self.variables = state.running_environment(self.folder / "data")
        self.url = self.variables["ANTHROPIC_BASE_URL"]
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            shutil.rmtree(self.folder, ignore_errors=True)

    def output(self) -> str:
        """Return what the stack has told its person."""
        return self._log.read_text(errors="replace")

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"the stack did not start: {self.output()}")
        with contextlib.suppress(StackError):
            return state.running_state(self.folder / "data").phase == "running"
        return False

    @property
    def id(self) -> str:
        """The stack's id, which its processes carry."""
        return state.running_state(self.folder / "data").id

    @property
    def ui(self) -> str:
        """The address of the Dagster UI."""
        return state.running_state(self.folder / "data").addresses["ui"]

    def pid(self, part: str) -> int:
        """Return the process id of a part, as it is now."""
        return state.running_state(self.folder / "data").processes[part].pid

    def kill(self, part: str) -> int:
        """Kill a part at once; the stack starts it again by itself. Return the id of the process that was killed."""
        # It may just be starting after an earlier blow.
        eventually(lambda: part in state.running_state(self.folder / "data").processes, START_SECONDS, f"a {part}")
        victim = self.pid(part)
        with contextlib.suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        return victim

    @property
    def launcher(self) -> LauncherClient:
        """The run launcher of the stack."""
        return Folders(self.folder / "data").launcher

    def kill_launcher(self) -> None:
        """Kill the server of the run launcher at once; the daemon starts another."""
        serving = self.launcher.overview()
        if serving is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(serving["pid"], signal.SIGKILL)

    def returned(self, part: str, victim: int) -> None:
        """Wait until another process than `victim` is the part."""

        def is_another() -> bool:
            found = state.running_state(self.folder / "data").processes.get(part)
            return found is not None and found.pid != victim

        eventually(is_another, START_SECONDS, f"the restart of {part}")

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """Lend the studio's database."""
        with Database(self.variables["DATABASE_URL"], pool_size=4) as opened:
            yield opened

    @contextlib.contextmanager
    def instance(self) -> Iterator[DagsterInstance]:
        """Lend the stack's Dagster instance; the caller has put `variables` into the environment."""
        with DagsterInstance.from_config(self.variables["DAGSTER_HOME"]) as opened:
            yield opened


def process_of(instance: DagsterInstance, run: DagsterRun) -> int | None:
    """Return the id of the live process that carries out `run`, or None."""
    for entry in instance.all_logs(run.run_id):
        if found := _STARTED.search(entry.message or ""):
            with contextlib.suppress(psutil.NoSuchProcess):
                # A number of long ago may belong to somebody else by now.
                if "launcher.template" in " ".join(psutil.Process(int(found[1])).cmdline()):
                    return int(found[1])
    return None
