"""What other commands may know about a running stack: `stack.json` in its data folder.

The file is readable by its owner alone, because database URLs hold passwords.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ValidationError

from greenlight_dagster.stack import lock
from studio.errors import StackError

FILE_NAME = "stack.json"
Phase = Literal["starting", "running", "stopping"]
# Two processes of the same number that were created this close together do not exist.
_SAME_TIME_SECONDS = 2.0


class ProcessRecord(BaseModel):
    """A process, told apart from a later one of the same number by when it was created (Unix seconds)."""

    pid: int
    create_time: float

    @classmethod
    def of(cls, pid: int | None) -> ProcessRecord | None:
        """Return the record of process `pid`, or None where there is none, or only one that has ended."""
        try:
            process = psutil.Process(pid) if pid else None
            if process is None or process.status() == psutil.STATUS_ZOMBIE:
                return None
            return cls(pid=process.pid, create_time=process.create_time())
        except psutil.NoSuchProcess:
            return None

    def still_runs(self) -> bool:
        """Whether this very process still exists."""
        now = ProcessRecord.of(self.pid)
        return now is not None and abs(now.create_time - self.create_time) < _SAME_TIME_SECONDS


class StackState(BaseModel):
    """A stack as its supervisor last wrote it down."""

    id: str
    phase: Phase
    supervisor: ProcessRecord | None
    addresses: dict[str, str] = {}
    environment: dict[str, str] = {}
    processes: dict[str, ProcessRecord] = {}


def write(folder: Path, state: StackState) -> None:
    """Replace the state file of `folder` in one step."""
    partial = folder / f"{FILE_NAME}.partial"
    partial.unlink(missing_ok=True)
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(state.model_dump_json(indent=2) + "\n")
    partial.replace(folder / FILE_NAME)


def read(folder: Path) -> StackState | None:
    """Return what the last stack on `folder` wrote, running or not; None where nothing readable lies there."""
    try:
        return StackState.model_validate_json((folder / FILE_NAME).read_text())
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def remove(folder: Path) -> None:
    """Forget the stack of `folder`."""
    (folder / FILE_NAME).unlink(missing_ok=True)


def running_state(folder: Path) -> StackState:
    """Return the state of the stack that runs on `folder`; raise `StackError` where none runs."""
    folder = folder.expanduser().resolve()
    holder = lock.owner(folder)
    state = read(folder)
    if holder is None or holder.role != "stack" or state is None:
        raise StackError(f"No stack runs on {folder}.", "Start it with `greenlight up`.")
    return state


def running_environment(folder: Path) -> dict[str, str]:
    """Return the variables with which another process works on the stack that runs on `folder`.

    A model key of the user's own is not among them. Raise `StackError` where no stack runs, or where it
    has not got far enough to have a database.
    """
    state = running_state(folder)
    if state.phase == "starting":
        raise StackError(f"The stack on {folder} is still starting.", "Try again in a few seconds.")
    return state.environment
