"""The processes of a worker, as Celery keeps them, and two places where it waits for seconds that a run would notice.

Both concern a process that ends, because it has carried out enough, has grown too large or is killed. Until the worker
has noticed, the process counts as free, and the run that is handed to it next waits.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import Any

from billiard.pool import EX_RECYCLE
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

# A process whose files are closed has only to be taken off the kernel's lists.
GONE_SECONDS = 1.0
_LOOK_SECONDS = 0.001


class WatchfulPool(AsynPool):  # type: ignore[misc]
    """Celery's pool, which sees at once that a process has ended.

    It is told by a pipe that the process had open, and then asks the kernel how the process ended. The kernel closes
    files first, so that the answer may be that it has not; Celery would ask again five seconds later.
    """

    def _event_process_exit(self, hub: Any, proc: Any) -> None:
        deadline = time.monotonic() + GONE_SECONDS
        while not has_ended(proc.pid) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        super()._event_process_exit(hub, proc)


class WatchfulTaskPool(TaskPool):  # type: ignore[misc]
    """What a worker is given as its pool."""

    Pool = WatchfulPool


def has_ended(pid: int) -> bool:
    """Whether a child of this process has ended, or is none; one that has can still be waited for afterwards."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def leave_at_once(exitcode: int, **_: Any) -> None:
    """End a process that is to be replaced, without billiard's second of sleep. Other ends take their way."""
    if exitcode == EX_RECYCLE:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(exitcode)
