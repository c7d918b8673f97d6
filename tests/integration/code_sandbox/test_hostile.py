"""Generated code gets nothing of this machine, takes no more than it may, and outlives nothing, whatever it tries.

The hostile agent is tests/support/hostile_agent.py. It is let loose in every kind of sandbox, as the user that runs the
tests and, where that is root, as an ordinary one; in the short form one of them goes through the agent's own tools.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from typing import Any, cast

import pytest

from studio.code.sandbox import SandboxKind
from studio.paths import ROOT
from tests.support.sandbox_attack import SECRET, attack
from tests.support.size import FULL, SECONDS

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(SECONDS)]

KINDS = ("bubblewrap", "namespaces")
USERS = ("this user", "an ordinary user") if os.geteuid() == 0 else ("this user",)


@pytest.fixture(scope="module")
def reports() -> dict[tuple[str, str], dict[str, Any]]:
    """What came of all attacks. The ordinary user's go on beside this user's."""
    ordinary = [sys.executable, "-m", "tests.support.unprivileged", "tests.support.sandbox_attack"]
    ordinary += ["tools" if FULL else "run", *KINDS]
    with subprocess.Popen(ordinary, cwd=ROOT, stdout=subprocess.PIPE) if len(USERS) > 1 else _nobody() as beside:
        found = {
            (kind, "this user"): attack(cast("SandboxKind", kind), tools=FULL or kind == "namespaces") for kind in KINDS
        }
        said, _ = beside.communicate()
        assert beside.returncode == 0
    theirs = json.loads(said or b"{}")
    return found | {(kind, "an ordinary user"): report for kind, report in theirs.items()}


def _nobody() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["true"], stdout=subprocess.PIPE)


@pytest.fixture(params=[(kind, user) for user in USERS for kind in KINDS], ids=" by ".join)
def report(request: pytest.FixtureRequest, reports: dict[tuple[str, str], dict[str, Any]]) -> dict[str, Any]:
    return reports[request.param]


def test_no_attempt_gets_through(report: dict[str, Any]) -> None:
    attempts = report["attempts"]
    assert len(attempts) == (ROOT / "tests/support/hostile_agent.py").read_text().count("\n@attempt\n")
    assert {name: text for name, (through, text) in attempts.items() if through} == {}


def test_each_is_told_what_stopped_it(report: dict[str, Any]) -> None:
    said = {name: text for name, (_, text) in report["attempts"].items()}
    expected = {
        "reading_the_host": "No such file",
        "writing_outside": "Read-only file system",
        "the_metadata_address": "Network is unreachable",
        "tcp_to_the_host": "Connection refused",
        "tracing_the_server": "Operation not permitted",
        "the_servers_descriptors": "Permission denied",
        "new_namespaces": "Operation not permitted",
    }
    for name, text in expected.items():
        assert text in said[name]
    assert SECRET not in json.dumps(report)


def test_nobody_outside_was_reached(report: dict[str, Any]) -> None:
    assert report["reached"] == []


def test_processes_and_time_are_bounded(report: dict[str, Any]) -> None:
    assert re.match(r"\d\d forks, then: .*temporarily unavailable", report["fork bomb"]["output"])
    assert report["fork bomb"]["failed"]
    assert report["burning"]["failed"]
    assert any("processes and threads" in note for note in report["notes"])


def test_memory_is_bounded(report: dict[str, Any]) -> None:
    assert "ended by signal 9" in report["memory bomb"]["output"]
    assert "it was ended by signal 9" in report["page tables"]["output"]
    assert "of memory" in report["page tables"]["note"]
    assert "MemoryError" in report["hungry"]["output"]
    assert any("python3 was ended" in note and "320 MB" in note for note in report["notes"])


def test_the_disk_is_bounded(report: dict[str, Any]) -> None:
    assert report["huge file"]["failed"]
    for bomb in ("full disk", "many files"):
        assert "No space left on device" in report[bomb]["output"]
    assert any("it holds 32 MB" in note for note in report["notes"])
    assert any("files and folders" in note for note in report["notes"])


def test_odd_files_are_left_out_with_a_reason_and_links_are_links(report: dict[str, Any]) -> None:
    links = dict(report["changes"])
    assert {path: link for path, link in links.items() if len(path) < 200} == {
        "everything": "/",
        "out": "/etc/passwd",
        "up": "../../../etc",
        "plain": None,
    }
    assert "l" * 255 in links
    for text in (
        "bad\ufffdname is left out: its name is not UTF-8",
        "pipe is left out: it is a named pipe",
        "hard is left out: it is a named pipe",
        "socket is left out: it is a socket",
        "dark is left out: it cannot be read",
        "folders deep",
    ):
        assert any(text in note for note in report["notes"]), text


def test_the_file_tools_follow_nothing_out(reports: dict[tuple[str, str], dict[str, Any]]) -> None:
    for report in (report for report in reports.values() if "links" in report):
        assert len(report["links"]) == 9
        assert {name: text for name, text in report["links"].items() if text.startswith("GOT THROUGH")} == {}


def test_a_daemon_ends_with_its_sandbox(report: dict[str, Any]) -> None:
    # While it ran, it was seen from outside: the attack waited for it.
    assert report["left"] == []
