"""However a test with hosts ends, nothing of them is left; and an ordinary user may have them, too."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from studio.paths import ROOT
from tests.support.hosts import Hosts
from tests.support.waiting import eventually

pytestmark = pytest.mark.timeout(300)


def test_nothing_is_left_of_hosts(hosts: Hosts) -> None:
    devices = set(os.listdir("/sys/class/net"))
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.hosts_probe"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    report = json.loads(said.stdout)
    assert report["heard"] == "hello"
    _assert_gone(report)
    assert set(os.listdir("/sys/class/net")) == devices
    assert not Path(report["folder"]).exists()


def test_nothing_runs_on_where_the_test_is_killed(hosts: Hosts) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.hosts_probe", "yes"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as probe:
        assert probe.stdout is not None
        report = json.loads(probe.stdout.readline())
        assert any("sleep 3600" in command for command in report["processes"].values())
        assert psutil.pid_exists(report["yard"])
        probe.send_signal(signal.SIGKILL)
        probe.wait(60.0)
    _assert_gone(report)
    shutil.rmtree(report["folder"])


def test_an_ordinary_user_has_hosts_too(hosts: Hosts) -> None:
    if os.geteuid() != 0:
        pytest.skip("this test's own user is one")
    said = subprocess.run(
        [sys.executable, "-m", "tests.support.unprivileged", "tests.support.hosts_probe"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if "Operation not permitted" in said.stderr:
        pytest.skip(f"this kernel lets only root make namespaces: {said.stderr[-300:]}")
    assert said.returncode == 0, said.stderr
    report = json.loads(said.stdout)
    assert (report["user"] == 0, report["heard"]) == (False, "hello")
    _assert_gone(report)


def _assert_gone(report: dict[str, Any]) -> None:
    folder = str(report["folder"])
    yard = report["yard"]

    def left() -> list[int]:
        return [process.pid for process in psutil.process_iter() if process.pid == yard or _works_in(process, folder)]

    eventually(lambda: not left(), what="the end of every process of the hosts")


def _works_in(process: psutil.Process, folder: str) -> bool:
    with contextlib.suppress(psutil.Error, OSError):
        return folder in process.environ().get("HOME", "")
    return False
