"""The watchman: a process that sees the supervisor of a stack die, however that happens, and clears up.

It waits at the end of a pipe that only the supervisor writes to. A supervisor that ends in order says so
first; one that is killed cannot, but the kernel closes its end. This needs no signal to a parent's
children, which differs between systems, follows threads instead of processes, and does not reach
grandchildren.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from studio.paths import ROOT

FAREWELL = b"done"
# A new start that was waiting for the folder takes over the clearing as well.
_LOCK_PATIENCE_SECONDS = 1.0
_LEAVE_SECONDS = 2.0


class Warden:
    """The supervisor's side: starts the watchman, and sends it home."""

    def __init__(self, folder: Path, stack_id: str) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-m", __name__, str(folder), stack_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=ROOT,
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether somebody watches."""
        return self._process.poll() is None

    def dismiss(self) -> None:
        """Let the watchman go: the stack has been stopped."""
        try:
            self._process.communicate(FAREWELL, timeout=_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def watch(folder: Path, stack_id: str) -> None:
    """Wait for the supervisor's end; if it came without farewell, clear up after the stack `stack_id`."""
    if sys.stdin.buffer.read() == FAREWELL:
        return
    # Only now: a watchman that is never needed should cost nothing at the start.
    from greenlight_dagster.stack import remains, state
    from greenlight_dagster.stack.lock import FolderLock

    lock = FolderLock(folder)
    if not lock.acquire("clean-up", _LOCK_PATIENCE_SECONDS):
        return
    try:
        left = state.read(folder)
        if left is not None and left.id == stack_id:
            remains.clear(folder, with_database=True)
    finally:
        lock.release()


if __name__ == "__main__":
    watch(Path(sys.argv[1]), sys.argv[2])
