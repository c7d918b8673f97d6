"""The launcher's memory on disk: which runs were accepted, and which process has which.

Per run there are up to three files. `<run>.json` is the launch, written by the server before it answers;
`<run>.pid` names the process, and is made by the worker itself before it touches the run. Only one process can
make it, so a run that is handed out again after a crash of the server is carried out once. `<run>.cancel` says that
it is to be interrupted. A later server reads them and goes on: what waits waits in the same order, what runs is
watched, what died is reported.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil

from greenlight_dagster.launcher.messages import Launch

_PROC = Path("/proc")
# Of what follows the name in /proc/<pid>/stat: the state, and the start in clock ticks since the machine's.
_STATE, _START = 0, 19


class Process(NamedTuple):
    """A process, told apart from a later one of the same number by its start.

    On Linux that is counted from the start of the machine, so that a clock that is set does not matter.
    """

    pid: int
    start: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """Return the process that now has the id `pid`."""
        return cls(pid, _start_of(pid) or "")

    @classmethod
    def current(cls) -> Process:
        """Return this process."""
        return cls.of(os.getpid())

    def alive(self) -> bool:
        """Say whether this very process still runs; one that only waits to be reaped does not."""
        return _start_of(self.pid) == self.start


def _start_of(pid: int) -> str | None:
    """Return when the live process `pid` was started, None where there is none."""
    if _PROC.joinpath("stat").exists():
        try:
            fields = _PROC.joinpath(str(pid), "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[_STATE] in "ZX" else fields[_START]
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else str(process.create_time())
    except psutil.NoSuchProcess:
        return None


class Records:
    """The records in one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def accept(self, launch: Launch) -> None:
        """Write down that `launch` was accepted."""
        partial = self._folder / f"{launch.run_id}.partial"
        partial.write_text(json.dumps(launch.to_message()))
        partial.replace(self._launch(launch.run_id))

    def take(self, run_id: str, process: Process) -> bool:
        """Write down that `process` carries out the run; False where another one has taken it."""
        # Complete before it is visible: a reader never finds half a name.
        partial = self._folder / f"{run_id}.{process.pid}.partial"
        partial.write_text(f"{process.pid} {process.start}")
        try:
            os.link(partial, self._process(run_id))
        except FileExistsError:
            return False
        finally:
            partial.unlink()
        return True

    def forget(self, run_id: str) -> None:
        """Remove the run's records."""
        # The launch first: without it the others mean nothing.
        for path in (self._launch(run_id), self._process(run_id), self._cancel(run_id)):
            path.unlink(missing_ok=True)

    def cancel(self, run_id: str) -> None:
        """Write down that the run is to be interrupted, and killed if it does not heed."""
        self._cancel(run_id).touch()

    def is_canceled(self, run_id: str) -> bool:
        """Whether the run is to be interrupted."""
        return self._cancel(run_id).exists()

    def tidy(self) -> None:
        """Remove what crashes have left: halves of records, and records of ended processes without a launch."""
        for path in self._folder.glob("*.partial"):
            path.unlink(missing_ok=True)
        launched = {path.stem for path in self._folder.glob("*.json")}
        for path in (*self._folder.glob("*.pid"), *self._folder.glob("*.cancel")):
            process = self.process_of(path.stem)
            if path.stem not in launched and (process is None or not process.alive()):
                path.unlink(missing_ok=True)

    def process_of(self, run_id: str) -> Process | None:
        """Return the process that took the run, or None where none has."""
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid, start = self._process(run_id).read_text().split()
            return Process(int(pid), start)
        return None

    def launches(self) -> list[Launch]:
        """Return the accepted launches, in the order in which they wait."""
        return sorted(self._launches(), key=lambda launch: launch.order)

    def processes(self) -> list[Process]:
        """Return the live processes that carry out runs."""
        found = [self.process_of(path.stem) for path in self._folder.glob("*.pid")]
        return [process for process in found if process is not None and process.alive()]

    def _launches(self) -> Iterator[Launch]:
        for path in self._folder.glob("*.json"):
            try:
                yield Launch.from_message(json.loads(path.read_text()))
            except FileNotFoundError:
                continue
            except (ValueError, KeyError, TypeError):
                # Of another version, or cut off by a full disk: the run's lease brings its job back.
                path.unlink(missing_ok=True)

    def _launch(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.json"

    def _cancel(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.cancel"

    def _process(self, run_id: str) -> Path:
        return self._folder / f"{run_id}.pid"
