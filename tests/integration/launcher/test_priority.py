"""Where cores are short, a chat goes before a batch: a run of the batch stands behind, and its session does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterRunStatus

from greenlight_dagster.launcher import priority
from resources import run_tags
from studio.paths import ROOT
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.launcher import Launching
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

TOLD_APART = priority.SESSION.exists() and "nice" in priority.SESSION.read_text()
told_apart = pytest.mark.skipif(not TOLD_APART, reason="this system does not tell sessions apart")

# As a user without privileges, to whom the kernel refuses all but one change in a tenth of a second.
LOWERS = """
import ctypes, sys, threading
from greenlight_dagster.launcher import priority

header = (ctypes.c_uint32 * 2)(0x20080522, 0)
assert ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)()) == 0
print("ready", flush=True)
sys.stdin.readline()
priority.lower(int(sys.argv[1]))
for thread in threading.enumerate():
    if thread is not threading.current_thread():
        thread.join()
print(priority.SESSION.read_text().split()[-1])
"""


def session_of(pid: int) -> int:
    """Return the niceness of the session of `pid`."""
    return int(Path(f"/proc/{pid}/autogroup").read_text().split()[-1])


@pytest.mark.parametrize(("lane", "niceness"), [("realtime", 0), ("standard", 10), ("heavy", 15), (None, 0)])
def test_a_run_stands_behind_as_its_lane_says(warm: Launching, lane: str | None, niceness: int) -> None:
    run = warm.launch("waiting_job", tags={run_tags.LANE: lane} if lane else {})
    pid = warm.began(run)
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.nice(0) + niceness)
    if TOLD_APART:
        eventually(lambda: session_of(pid) == niceness, what="the session's turn")
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)


@told_apart
def test_a_session_whose_turn_it_is_not_waits_for_it() -> None:
    with contextlib.ExitStack() as stack:
        processes = {
            niceness: stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-c", LOWERS, str(niceness)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                    cwd=ROOT,
                    start_new_session=True,
                )
            )
            for niceness in (3, 4, 5, 6)
        }
        for process in processes.values():
            stack.callback(process.kill)
        for process in processes.values():
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes.values():
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        said = {niceness: process.communicate(timeout=60)[0] for niceness, process in processes.items()}
    assert said == {niceness: f"{niceness}\n" for niceness in processes}
