"""The reporter of a machine: tells the database that its workers live, and of runs whose process was lost.

A process of its own, because workers fork and so hold no connection to the database. What the workers say reaches it
by `messages.Line`, which outlives it.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import psycopg
from dagster import DagsterInstance
from sqlalchemy.exc import SQLAlchemyError

from greenlight_dagster.instance.shared_logs import DatabaseComputeLogManager
from greenlight_dagster.launcher import lost_runs
from greenlight_dagster.launcher.records import Process
from greenlight_dagster.launcher.sessions import end_group
from greenlight_dagster.workers.messages import Fallen, Line, Lost, Pulse
from greenlight_dagster.workers.node import PULSE_SECONDS, Plan
from resources.database import StudioDatabase
from studio import fleet
from studio.database.connection import Database
from studio.errors import StudioError
from studio.settings import Settings
from studio.tracing.housekeeping import bring_back

log = logging.getLogger("greenlight.worker")

# A worker's loop that has not gone round for this many pulses is stuck, and nothing is said for it.
PULSES_OF_A_LIFE = 5
# What was spilled to this machine's disk is brought in by this machine.
HOUSEKEEPING_SECONDS = 60.0
# What nobody could tell of, because the database or this process was away, is seen by looking.
LOOK_AROUND_SECONDS = 15.0
# A lost run that cannot be told of for this long has come back by its lease.
TELL_SECONDS = 300.0
LOOK_UP_SECONDS = 0.5
# A process number says something on the machine alone that gave it.
HOST = os.uname().nodename


@dataclass(frozen=True)
class _Dying:
    """A run whose worker is gone, so that its process will be in a moment."""

    since: float
    lost: Lost
    process: Process | None


class Reporter:
    """Listens to the workers `plans`, by lane, until `stop` is set and the line is silent."""

    def __init__(self, plans: Mapping[str, Plan], instance: DagsterInstance, settings: Settings, line: Line) -> None:
        self._plans = plans
        self._instance = instance
        self._settings = settings
        self._line = line
        self._pulses: dict[str, tuple[float, Pulse]] = {}
        self._told: dict[str, float] = {}
        self._warned: set[str] = set()
        self._lost: deque[tuple[float, Lost]] = deque()
        self._dying: list[_Dying] = []
        self.stop = threading.Event()

    @property
    def _db(self) -> Database:
        return StudioDatabase().get()

    def run(self) -> None:
        """Report until stopped, and take leave."""
        self._look_for_remains()
        housekept = looked = time.monotonic()
        housekeeper = threading.Thread()
        while True:
            said = self._line.hear(LOOK_UP_SECONDS)
            if said is None and self.stop.is_set():
                break
            self._take_in(said)
            self._see_who_has_died()
            self._tell_of_lost()
            self._beat()
            if time.monotonic() - looked > LOOK_AROUND_SECONDS:
                looked = time.monotonic()
                self._look_around()
            if time.monotonic() - housekept > HOUSEKEEPING_SECONDS:
                housekept = time.monotonic()
                if not housekeeper.is_alive():
                    # A sink may take minutes for what it has missed, and the workers are to be heard of meanwhile.
                    housekeeper = threading.Thread(target=self._keep_house, name="housekeeping", daemon=True)
                    housekeeper.start()
        self._tell_of_lost()
        self._take_leave()

    def _take_in(self, said: Pulse | Lost | Fallen | None) -> None:
        now = time.monotonic()
        if isinstance(said, Pulse):
            before = self._pulses.get(said.lane)
            self._pulses[said.lane] = (now, said)
            if before is None or before[1].status != said.status:
                # A change is news.
                self._told.pop(said.lane, None)
                self._warned.discard(said.lane)
        elif isinstance(said, Lost):
            self._lost.append((now, said))
        elif isinstance(said, Fallen):
            self._pulses.pop(said.lane, None)
            self._report_takes_of(self._plans[said.lane], said.why)

    def _beat(self) -> None:
        now = time.monotonic()
        for lane, (heard, pulse) in self._pulses.items():
            if now - heard > PULSES_OF_A_LIFE * PULSE_SECONDS:
                # Its loop goes round with the broker alone. Until it does, or the worker ends, what it said last holds.
                if pulse.status != "error":
                    continue
                if lane not in self._warned:
                    self._warned.add(lane)
                    log.warning("%s takes no runs until the broker can be reached", self._plans[lane].worker_id)
            if now - self._told.get(lane, -1e9) >= self._settings.worker_heartbeat_seconds:
                self._told[lane] = now
                self._report(pulse, pulse.status)

    def _report(self, pulse: Pulse, status: str) -> None:
        plan = self._plans[pulse.lane]
        details = {
            "lane": plan.lane,
            "slots": plan.slots,
            "host": HOST,
            "process": pulse.process,
            "running": pulse.running,
            "done": pulse.done,
            "build": plan.build,
        }
        try:
            fleet.report(self._db, plan.worker_id, status, details, pulse.rss_mb)  # type: ignore[arg-type]
        except (StudioError, psycopg.Error) as exc:
            log.warning("that worker %s lives could not be told: %s", plan.worker_id, exc)

    def _take_leave(self) -> None:
        for _, pulse in self._pulses.values():
            self._report(pulse, "stopped")

    # --- runs whose process was lost

    def _tell_of_lost(self) -> None:
        """Bring back the jobs of runs that were lost; those that cannot be told of now are told of later."""
        for _ in range(len(self._lost)):
            since, lost = self._lost.popleft()
            try:
                worker_id = self._plans[lost.lane].worker_id
                _end_children_of(fleet.take_of(self._db, lost.run_id))
                if isinstance(logs := self._instance.compute_log_manager, DatabaseComputeLogManager):
                    logs.bring_in(lost.run_id)
                fleet.end_take(self._db, lost.run_id, worker_id, f"lost: {lost.why}")
                lost_runs.report(self._instance, lost.run_id, f"The process of the run was lost: {lost.why}")
            except (StudioError, psycopg.Error, SQLAlchemyError) as exc:
                if time.monotonic() - since < TELL_SECONDS:
                    self._lost.append((since, lost))
                log.warning("that run %s is lost could not be told: %s", lost.run_id, exc)
                return

    def _see_who_has_died(self) -> None:
        """Take for lost whose process is gone: the kernel kills it with its worker, after a while on a busy machine."""
        now = time.monotonic()
        waiting = [one for one in self._dying if one.process is not None and one.process.alive()]
        self._lost.extend((now, one.lost) for one in self._dying if one not in waiting)
        # One that lives all the same is another worker's, and no business of ours.
        self._dying = [one for one in waiting if now - one.since < TELL_SECONDS]

    def _look_for_remains(self) -> None:
        """Tell of runs that workers of these names had when they were killed, or this machine went down."""
        for plan in self._plans.values():
            self._report_takes_of(plan, "its worker was killed")

    def _look_around(self) -> None:
        """Tell of runs whose process is gone without anybody having said so."""
        for plan in self._plans.values():
            for run_id, process in self._open_takes(plan):
                if process is None or not process.alive():
                    self._lost.append((time.monotonic(), Lost(plan.lane, run_id, "its process is gone")))

    def _report_takes_of(self, plan: Plan, why: str) -> None:
        for run_id, process in self._open_takes(plan):
            self._dying.append(_Dying(time.monotonic(), Lost(plan.lane, run_id, why), process))

    def _open_takes(self, plan: Plan) -> list[tuple[str, Process | None]]:
        try:
            found = fleet.open_takes(self._db, plan.worker_id, HOST)
            return [(run_id, None if pid is None else Process(pid, start or "")) for run_id, pid, start in found]
        except (StudioError, psycopg.Error) as exc:
            log.warning("what worker %s has in its hands cannot be seen: %s", plan.worker_id, exc)
            return []

    def _keep_house(self) -> None:
        try:
            bring_back(self._db, self._settings)
        except (StudioError, psycopg.Error, OSError) as exc:
            log.warning("spilled traces could not be brought in: %s", exc)


def _end_children_of(take: fleet.Take | None) -> None:
    """End what a lost process of this machine has started, as where a run has a process of its own."""
    # A number is not given again while anything is left in its group. So who has it now, perhaps after a restart of the
    # machine, is somebody else, and so is what he has started.
    if take is not None and take.pid and take.host == HOST and take.ending is None and not Process.of(take.pid).start:
        end_group(take.pid)


def serve(plans: Mapping[str, Plan], instance: DagsterInstance, settings: Settings, line: Line) -> None:
    """Report until SIGTERM."""
    reporter = Reporter(plans, instance, settings, line)
    signal.signal(signal.SIGTERM, lambda *_: reporter.stop.set())
    # A Ctrl-C goes to everybody of the terminal; the host says when it is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    reporter.run()
