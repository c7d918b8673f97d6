"""A worker's pool sees at once that a process has ended, and one that is to be replaced goes without delay."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from types import SimpleNamespace

import pytest
from billiard.pool import EX_RECYCLE
from celery.concurrency.asynpool import AsynPool
from celery.concurrency.prefork import TaskPool

from greenlight_dagster.workers import pool
from greenlight_dagster.workers.pool import WatchfulPool, WatchfulTaskPool, has_ended, leave_at_once


def test_a_process_has_ended_when_it_can_be_waited_for() -> None:
    process = subprocess.Popen(["sleep", "600"])
    assert not has_ended(process.pid)
    process.kill()
    while not has_ended(process.pid):
        time.sleep(0.01)
    # It was only looked at.
    assert process.wait() == -signal.SIGKILL
    assert has_ended(process.pid)


def test_who_is_told_of_an_end_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(AsynPool, "_event_process_exit", lambda _pool, _hub, proc: seen.append(has_ended(proc.pid)))
    # As where the kernel has closed its files, and is not done with it yet.
    process = subprocess.Popen(["sleep", "0.3"])
    WatchfulPool._event_process_exit(WatchfulPool.__new__(WatchfulPool), None, SimpleNamespace(pid=process.pid))
    assert seen == [True]
    assert process.wait() == 0


def test_who_is_told_of_an_end_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(AsynPool, "_event_process_exit", lambda _pool, _hub, proc: seen.append(has_ended(proc.pid)))
    monkeypatch.setattr(pool, "GONE_SECONDS", 0.05)
    process = subprocess.Popen(["sleep", "600"])
    try:
        WatchfulPool._event_process_exit(WatchfulPool.__new__(WatchfulPool), None, SimpleNamespace(pid=process.pid))
    finally:
        process.kill()
        process.wait()
    assert seen == [False]


@pytest.mark.parametrize(("given", "code"), [(EX_RECYCLE, EX_RECYCLE), (0, 3)])
def test_a_process_that_is_to_be_replaced_leaves_at_once_and_others_in_their_way(given: int, code: int) -> None:
    child = os.fork()
    if child == 0:
        leave_at_once(exitcode=given)
        os._exit(3)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code


def test_celery_makes_its_processes_by_our_pool() -> None:
    assert issubclass(WatchfulTaskPool, TaskPool)
    assert TaskPool.Pool is AsynPool
    assert WatchfulTaskPool.Pool is WatchfulPool
    assert callable(AsynPool._track_child_process)
