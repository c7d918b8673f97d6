"""One stack per folder: a lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import IO, Literal, NamedTuple

Role = Literal["stack", "clean-up"]

# Somebody who only asks whether the lock is held holds it for a moment.
PATIENCE_SECONDS = 0.5
POLL_SECONDS = 0.02


class Owner(NamedTuple):
    """Who took the lock last."""

    pid: int
    role: Role


class FolderLock:
    """The right to run, or to clean up, the stack of one data folder."""

    def __init__(self, folder: Path) -> None:
        self._path = _lock_file(folder)
        self._handle: IO[str] | None = None

    def acquire(self, role: Role, patience: float = PATIENCE_SECONDS) -> bool:
        """Take the lock for this process; return False where another holds it for longer than `patience` seconds."""
        deadline = time.monotonic() + patience
        handle = self._path.open("a+")
        while not _try_lock(handle, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                handle.close()
                return False
            time.sleep(POLL_SECONDS)
        handle.truncate(0)
        handle.write(f"{os.getpid()} {role}\n")
        handle.flush()
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock back; do nothing where it is not held."""
        if self._handle is not None:
            self._handle.close()
            self._handle = None


def owner(folder: Path) -> Owner | None:
    """Return who holds the lock of `folder`, or None where nobody does."""
    try:
        with _lock_file(folder).open("r") as handle:
            if _try_lock(handle, fcntl.LOCK_SH):
                return None
            pid, role = handle.read().split()
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return None
    return Owner(int(pid), "clean-up" if role == "clean-up" else "stack")


def _lock_file(folder: Path) -> Path:
    return folder / "stack.lock"


def _try_lock(handle: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
