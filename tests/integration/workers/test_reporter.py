"""The reporter of a machine: what it ends of a lost run, and what it sees although nobody has told it."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from dagster import DagsterInstance, DagsterRunStatus

from greenlight_dagster.launcher.records import Process
from greenlight_dagster.workers import reporter
from greenlight_dagster.workers.messages import Line, Pulse
from greenlight_dagster.workers.node import Plan
from greenlight_dagster.workers.reporter import HOST, Reporter
from studio import fleet
from studio.database.connection import Database
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, defs
from tests.support.launcher import alive
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

WORKER = "standard@here"
PLAN = Plan("standard", 1, WORKER, drain_seconds=1, max_runs=1, max_mb=800, build="r1")


@pytest.fixture
def line() -> Iterator[Line]:
    made = Line()
    yield made
    made._read.close()
    made._write.close()


@contextlib.contextmanager
def reporting(instance: DagsterInstance, line: Line) -> Iterator[None]:
    """A reporter in a thread of this process."""
    made = Reporter({"standard": PLAN}, instance, get_settings(), line)
    thread = threading.Thread(target=made.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        made.stop.set()
        thread.join(30)


def taken(db: Database, instance: DagsterInstance, pid: int, start: str = "1") -> str:
    """Return a run that goes on, and that the process `pid` of this machine has taken."""
    run = instance.create_run_for_job(job_def=defs.resolve_job_def(JOB_NAME), status=DagsterRunStatus.STARTED)
    assert fleet.take(db, run.run_id, WORKER, HOST, pid, start)
    return run.run_id


def is_lost(instance: DagsterInstance, run_id: str) -> None:
    def failed() -> bool:
        run = instance.get_run_by_id(run_id)
        return run is not None and run.status is DagsterRunStatus.FAILURE

    eventually(failed, what="the end of the run")


def test_who_has_the_number_of_a_lost_process_now_is_left_alone(
    database: Database, instance: DagsterInstance, line: Line
) -> None:
    # As after a restart of the machine, whose numbers begin anew.
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        run_id = taken(database, instance, stranger.pid)
        with reporting(instance, line):
            is_lost(instance, run_id)
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_what_a_lost_process_has_started_is_ended(database: Database, instance: DagsterInstance, line: Line) -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 600 >/dev/null & echo $!"], start_new_session=True, stdout=subprocess.PIPE, text=True
    )
    child = int(leader.communicate()[0])
    try:
        assert alive(child)
        run_id = taken(database, instance, leader.pid)
        with reporting(instance, line):
            is_lost(instance, run_id)
            eventually(lambda: not alive(child), what="the end of what it had started")
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_a_lost_run_that_nobody_could_tell_of_is_seen(
    database: Database, instance: DagsterInstance, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "LOOK_AROUND_SECONDS", 0.2, raising=False)
    # A reporter that waits for the database does not listen, and soon nobody can tell it anything.
    while line.tell(Pulse("standard", "running", "1:1")):
        pass
    with reporting(instance, line):
        eventually(lambda: fleet.workers(database, 5.0), what="a reporter at work")
        at_work = taken(database, instance, *Process.current())
        gone = subprocess.Popen(["true"], start_new_session=True)
        gone.wait()
        run_id = taken(database, instance, gone.pid)
        is_lost(instance, run_id)
        found, other = fleet.take_of(database, run_id), fleet.take_of(database, at_work)
    assert found is not None
    assert found.ending == "lost: its process is gone"
    assert other is not None
    assert other.ending is None


def test_a_worker_without_its_broker_is_no_silent_one(
    database: Database, instance: DagsterInstance, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporter, "PULSES_OF_A_LIFE", 0.1)
    monkeypatch.setenv("GREENLIGHT_WORKER_HEARTBEAT_SECONDS", "0.1")
    get_settings.cache_clear()

    def heard() -> tuple[str, float] | None:
        return next(((w.status, w.seconds_ago) for w in fleet.workers(database, 5.0)), None)

    with reporting(instance, line):
        for status, goes_on in [("error", True), ("running", False)]:
            line.tell(Pulse("standard", status, "1:1"))
            eventually(lambda status=status: (heard() or ("", 0))[0] == status, what=f"its being {status}")
            time.sleep(2.0)
            found = heard()
            assert found is not None
            # Its loop goes round with the broker alone; of one that stands still beside its broker nothing is told.
            assert (found[1] < 1.5) is goes_on


def test_a_slow_sink_of_traces_silences_no_worker(
    database: Database, instance: DagsterInstance, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, end = threading.Event(), threading.Event()

    def drain(*_: object) -> None:
        assert not began.is_set(), "it is begun twice"
        began.set()
        end.wait(30)

    monkeypatch.setattr(reporter, "bring_back", drain)
    monkeypatch.setattr(reporter, "HOUSEKEEPING_SECONDS", 0.1)
    try:
        with reporting(instance, line):
            assert began.wait(10)
            line.tell(Pulse("standard", "running", "1:1"))
            eventually(lambda: fleet.workers(database, 5.0), 10, "a heartbeat")
    finally:
        end.set()
