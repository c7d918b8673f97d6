"""Everything that a worker has started: it leads a session of its own, which its children belong to."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil


def end_group(leader: int) -> None:
    """Kill what is left of the process group of `leader`: one call, for a worker that has just been reaped."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def end_session(leader: int) -> None:
    """Kill `leader` and everything in its session, also what has a process group of its own."""
    end_group(leader)
    for pid in psutil.pids():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) == leader:
                os.kill(pid, signal.SIGKILL)
