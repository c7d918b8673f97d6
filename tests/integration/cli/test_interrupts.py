"""Ctrl-C in a demo: its stack is stopped, and the last line still says in JSON how far it had come."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from greenlight_dagster.cli import demo, tailing
from greenlight_dagster.cli.output import EXIT_INTERRUPTED
from studio.database.connection import Database
from studio.paths import ROOT
from studio.settings import Settings
from tests.support.cli import Greenlight
from tests.support.demos import left_behind
from tests.support.size import FULL

LIMIT_SECONDS = 120
_STEERING = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Demo:
    """A demo on a terminal of its own, whose temporary files lie below `folder`."""

    def __init__(self, folder: Path, *arguments: str, **settings: str) -> None:
        self.said = ""
        self._master, terminal = pty.openpty()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        try:
            self._process = subprocess.Popen(
                [Path(sys.executable).with_name("greenlight"), "demo", *arguments],
                env={**kept, "TMPDIR": str(folder), "COLUMNS": "200", "TERM": "xterm", **settings},
                cwd=ROOT,
                stdin=terminal,
                stdout=terminal,
                stderr=terminal,
                # The terminal becomes the one whose Ctrl-C the demo gets, with all that it has started.
                preexec_fn=lambda: _take(terminal),
            )
        finally:
            os.close(terminal)

    def read_until(self, done: Callable[[str], bool]) -> None:
        """Read what is printed until it is as wanted, or the demo has ended."""
        while not done(self.said):
            try:
                more = os.read(self._master, 65536)
            except OSError:
                return
            if not more:
                return
            self.said += more.decode(errors="replace")

    def press_ctrl_c(self) -> None:
        os.write(self._master, termios.tcgetattr(self._master)[6][termios.VINTR])

    def end(self) -> tuple[int, dict[str, Any]]:
        """Return exit code and last line of the demo, once it has ended."""
        self.read_until(lambda _said: False)
        code = self._process.wait(LIMIT_SECONDS)
        return code, json.loads(_STEERING.sub("", self.said).strip().splitlines()[-1])

    def close(self) -> None:
        """End what a failed test has left running."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(LIMIT_SECONDS)
        os.close(self._master)


def _take(terminal: int) -> None:
    os.setsid()
    os.close(os.open(os.ttyname(terminal), os.O_RDWR))


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # Below it lie sockets, whose paths must be short.
    return tmp_path_factory.mktemp("d")


@pytest.fixture
def silent_model() -> Iterator[dict[str, str]]:
    """A model that takes every request and answers none, so that what waits for it waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield {
            "ANTHROPIC_API_KEY": "k",
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{server.getsockname()[1]}",
            "GREENLIGHT_DRAIN_SECONDS": "0",
        }


def interrupted(folder: Path, at: str, *arguments: str, **settings: str) -> dict[str, Any]:
    """Press Ctrl-C when the demo has said `at`; return what its last line says."""
    running = Demo(folder, *arguments, **settings)
    try:
        running.read_until(lambda said: at in said)
        assert at in running.said, running.said
        running.press_ctrl_c()
        code, result = running.end()
    finally:
        running.close()
    assert (code, result["status"]) == (EXIT_INTERRUPTED, "interrupted"), running.said
    assert "Interrupted." in running.said
    assert "Traceback" not in running.said
    assert left_behind(folder) == [], running.said
    return result


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more stack")
@pytest.mark.timeout(2 * LIMIT_SECONDS)
def test_ctrl_c_at_the_question(folder: Path, tmp_path: Path) -> None:
    result = interrupted(folder, "approve, deny or revise?", "--full", "--ask", "--keep", str(tmp_path / "kept"))
    counted = ("phase", "packets", "jobs", "executions", "published", "decisions")
    assert [result[name] for name in counted] == [0, 1, {"completed": 1}, {}, False, {}]
    kept = Path(result["folder"])
    assert result["decks"] == len(list(kept.rglob("*.pptx"))) == 1
    assert kept.parent == tmp_path / "kept"


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: two more stacks")
@pytest.mark.timeout(2 * LIMIT_SECONDS)
@pytest.mark.parametrize("full", [True, False])
def test_ctrl_c_while_a_job_runs(folder: Path, tmp_path: Path, silent_model: dict[str, str], full: bool) -> None:
    arguments = ["--full", "--keep", str(tmp_path / "kept")] if full else []
    result = interrupted(folder, "load_context", *arguments, **silent_model)
    UUID(result["project_id"])
    assert result["events"] > 0
    if full:
        assert (result["packets"], result["jobs"], result["decisions"]) == (0, {"running": 1}, {})
    else:
        UUID(result["job_id"])
        assert (result["attempt"], result["packet_id"], result["recommendation"]) == (1, None, None)


def test_ctrl_c_before_there_is_anything_to_count(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_arguments: Any, **_options: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.Stack, "start", start)
    for arguments in ([], ["--full"]):
        ran = greenlight("demo", *arguments)
        assert ran.code == EXIT_INTERRUPTED
        result = json.loads(ran.out.splitlines()[-1])
        assert set(result) == {"status", "seconds"}
        assert result["status"] == "interrupted"


def test_ctrl_c_while_the_picture_starts_gives_standard_output_back(
    db: Database, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    presses = iter([True])
    refresh = tailing.Live.refresh

    def interrupted_refresh(picture: tailing.Live) -> None:
        if next(presses, False):
            assert sys.stdout is not before, "the picture has not taken it yet, so nothing is tried here"
            raise KeyboardInterrupt
        refresh(picture)

    monkeypatch.setattr(tailing, "out", Console(file=io.StringIO(), force_terminal=True))
    monkeypatch.setattr(tailing.Live, "refresh", interrupted_refresh)
    before = sys.stdout
    with pytest.raises(KeyboardInterrupt):
        tailing.follow_job(db, job, settings=Settings(), live=True)
    assert sys.stdout is before
