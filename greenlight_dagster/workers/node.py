"""The Celery worker of one lane: a process that takes messages off the lane's queue, and forks those that run them.

It holds no connection but the broker's and loads nothing: it is forked from a process that has loaded the code, and
its children are forked from it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import Any, ClassVar

import psutil
from billiard.exceptions import WorkerLostError
from celery import bootsteps, signals
from celery.worker import state
from celery.worker.control import Panel
from dagster import DagsterInstance

from greenlight_dagster.launcher import priority
from greenlight_dagster.launcher.worker import NICENESS, settle, warm
from greenlight_dagster.workers import interrupts, queues
from greenlight_dagster.workers.app import make_app, run_of
from greenlight_dagster.workers.messages import Line, Lost, Pulse
from greenlight_dagster.workers.pool import WatchfulTaskPool, leave_at_once
from studio.job_types import Lane

log = logging.getLogger("greenlight.worker")

PULSE_SECONDS = 1.0
# An interrupted run gives its job back within a second or two; what then goes on is killed.
RELEASE_SECONDS = 10.0
# A process connects and rehearses before it takes its first run, which a busy machine makes it wait for.
PROCESS_START_SECONDS = 60.0
# Sent by the host when somebody is in a hurry.
HURRY = signal.SIGUSR2


@dataclass(frozen=True)
class Plan:
    """What a node is to be. `worker_id` is its name, at the broker and in the database."""

    lane: Lane
    slots: int
    worker_id: str
    drain_seconds: float
    max_runs: int
    max_mb: int
    build: str


def serve(plan: Plan, instance: DagsterInstance, line: Line) -> int:
    """Take runs of the lane until SIGTERM; then let those in flight finish, or give back. Return the exit code."""
    app = make_app(instance, plan.lane, plan.worker_id)
    voice = _Voice(plan, line)
    Reporting.voice = voice
    app.steps["consumer"].add(Reporting)
    signals.setup_logging.connect(_leave_logging_alone, weak=False)
    signals.worker_process_init.connect(lambda **_: _begin_process(plan, instance), weak=False)
    signals.worker_process_shutdown.connect(leave_at_once, weak=False)
    signals.task_failure.connect(lambda **told: voice.tell_lost(**told), weak=False)
    drain = _Drain(plan, voice)
    signals.worker_shutting_down.connect(lambda **_: drain.start(), weak=False)
    signal.signal(HURRY, lambda *_: drain.hurry.set())
    app.conf.worker_proc_alive_timeout = PROCESS_START_SECONDS
    assert interrupts.COMMAND in Panel.data  # noqa: S101 - its import registers it
    worker = app.Worker(
        hostname=plan.worker_id,
        queues=[queues.queue_of_lane(plan.lane)],
        concurrency=plan.slots,
        pool_cls=WatchfulTaskPool,
        optimization="fair",
        max_tasks_per_child=plan.max_runs,
        max_memory_per_child=plan.max_mb * 1024,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
        loglevel="INFO",
    )
    # Until the broker is there, nothing else says that this worker is.
    voice.pulse()
    worker.start()
    return int(worker.exitcode or 0)


class _Voice:
    """What the node says to its reporter."""

    def __init__(self, plan: Plan, line: Line) -> None:
        self._plan = plan
        self.name = plan.worker_id
        self._line = line
        me = psutil.Process()
        self._me = me
        self._process = f"{me.pid}:{me.create_time():.2f}"
        self.status = "error"

    def pulse(self) -> None:
        """Say that the loop goes round."""
        self._line.tell(
            Pulse(
                lane=self._plan.lane,
                status=self.status,
                process=self._process,
                running=len(state.active_requests),
                done=sum(state.total_count.values()),
                rss_mb=round(sum(_rss(process) for process in [self._me, *self._me.children()]) / 2**20, 1),
            )
        )

    def tell_lost(self, *, exception: BaseException, kwargs: Any = None, task_id: str = "", **_: Any) -> None:
        """Say that the process of a run is gone; Celery calls this for every failure of a task."""
        if not isinstance(exception, WorkerLostError):
            log.warning("run %s could not be carried out: %s", task_id, exception)
            return
        run_id = run_of(kwargs["execute_job_args_packed"]) if kwargs else task_id
        log.warning("the process of run %s is lost: %s", run_id, exception)
        self._line.tell(Lost(self._plan.lane, run_id, str(exception)))


class Reporting(bootsteps.StartStopStep):  # type: ignore[misc]
    """Says every second that the consumer's loop goes round; where the broker is away it does not, and says so once."""

    requires = ("celery.worker.consumer.tasks:Tasks",)
    voice: ClassVar[_Voice]

    def start(self, c: Any) -> None:
        """The broker is there."""
        log.info("%s takes runs", self.voice.name)
        self.voice.status = "running"
        self.voice.pulse()
        self._timer = c.timer.call_repeatedly(PULSE_SECONDS, self.voice.pulse)

    def stop(self, c: Any) -> None:
        """The broker has gone, or the worker ends."""
        if (timer := getattr(self, "_timer", None)) is not None:
            timer.cancel()
        if self.voice.status == "running":
            log.warning("%s takes no runs: its connection to the broker is gone", self.voice.name)
            self.voice.status = "error"
            self.voice.pulse()


class _Drain:
    """The orderly end: no more runs, those in flight may finish for a while, then they are to give their jobs back."""

    def __init__(self, plan: Plan, voice: _Voice) -> None:
        self._plan = plan
        self._voice = voice
        self._thread: threading.Thread | None = None
        self.hurry = threading.Event()

    def start(self) -> None:
        """Begin; do nothing the second time."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="drain", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        self._voice.status = "draining"
        self._wait(self._plan.drain_seconds, self.hurry)
        if pids := _running():
            log.info("interrupting %d runs; their jobs return to the queue", len(pids))
            _send(pids, signal.SIGINT)
        self._wait(RELEASE_SECONDS, threading.Event())
        if pids := _running():
            log.warning("killing %d runs that did not heed the interrupt", len(pids))
            _send(pids, signal.SIGKILL)

    def _wait(self, seconds: float, cut_short: threading.Event) -> None:
        deadline = time.monotonic() + seconds
        while True:
            self._voice.pulse()
            left = deadline - time.monotonic()
            if left <= 0 or not _running() or cut_short.wait(min(PULSE_SECONDS, left)):
                return


def _running() -> list[int]:
    # A plain dictionary, which is copied in one go: the loop of the other thread changes it meanwhile.
    return [request.worker_pid for request in list(state.requests.values()) if request.worker_pid]


def _send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def _rss(process: psutil.Process) -> int:
    with contextlib.suppress(psutil.Error):
        return int(process.memory_info().rss)
    return 0


def _leave_logging_alone(**_: Any) -> None:
    """Keep Celery from replacing the handlers: a receiver of this signal is how it is asked not to."""


def _let_go_of_broker() -> None:
    """Close the node's connections here, in a child: while it lives they would outlive a node that is killed.

    The broker would go on sending messages there, which nobody reads.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for connection in psutil.Process().net_connections("tcp"):
        # Not freed: the objects that have it would close whatever gets the number next.
        os.dup2(nowhere, connection.fd)
    os.close(nowhere)


def _begin_process(plan: Plan, instance: DagsterInstance) -> None:
    """Make a freshly forked child ready for its first run, before it has one."""
    signal.signal(HURRY, signal.SIG_IGN)
    _let_go_of_broker()
    settle()
    priority.lower(NICENESS.get(plan.lane, 0))
    warm(instance)
