"""A cancel on its way through the broker to the process that has the run: a control command of our own.

Celery's way, `revoke` with `terminate`, takes a run for over as soon as the signal is sent. It acknowledges and forgets
it, so that a drain does not see what still goes on; and it marks the process, so that the loss of whatever this one
carries out from then on is told by nobody. Here the run is interrupted, and all else waits for its end.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from celery import Celery
from celery.worker import state
from celery.worker.control import control_command

COMMAND = "greenlight_interrupt"
# A process says that it has begun some milliseconds after it has taken the run.
SECOND_LOOK_SECONDS = 1.0


def interrupt(app: Celery, run_id: str, worker_id: str) -> None:
    """Ask the worker `worker_id` to interrupt the process that has the run."""
    app.control.broadcast(COMMAND, arguments={"run_id": run_id}, destination=[worker_id])


@control_command(name=COMMAND, args=[("run_id", str)], signature="<run_id>")  # type: ignore[untyped-decorator]
def _interrupt(told: Any, run_id: str, *, again: bool = True) -> dict[str, str]:
    """Interrupt the process that has a run of this worker."""
    request = state.requests.get(run_id)
    if request is None:
        return {"ok": "It is not here."}
    if request.worker_pid:
        with contextlib.suppress(ProcessLookupError):
            os.kill(request.worker_pid, signal.SIGINT)
        return {"ok": f"Process {request.worker_pid} is interrupted."}
    if again:
        told.consumer.timer.call_after(SECOND_LOOK_SECONDS, _interrupt, (told, run_id), {"again": False})
    return {"ok": "No process has begun it yet."}
