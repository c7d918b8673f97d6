"""A stack that cannot start, is told to end, or is killed: nothing runs on, nothing is lost, the next start works."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from greenlight_dagster.stack import descent, state
from greenlight_dagster.stack.parts import POSTGRES
from greenlight_dagster.stack.stack import Stack
from greenlight_dagster.stack.state import StackState
from studio.errors import StackError
from studio.settings import Settings
from tests.support.postgres import TestServer
from tests.support.size import FULL
from tests.support.waiting import eventually

PATIENCE_SECONDS = 120
SUPERVISOR = """
import sys
from pathlib import Path
from greenlight_dagster.stack.stack import Stack
from studio.settings import Settings
with Stack(Path(sys.argv[1]), Settings(), webserver=False, web=False, studio=False, log=print) as stack:
    print("up", flush=True)
    stack.wait()
print("down", flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A data folder with a short path, and whatever was left running on it ended."""
    path = Path(tempfile.mkdtemp(prefix="greenlight-stack-"))
    yield path
    left = [process for process in psutil.process_iter() if str(path) in _words(process)]
    descent.end(left, grace=0)
    shutil.rmtree(path, ignore_errors=True)


def _words(process: psutil.Process) -> str:
    try:
        return " ".join([*process.cmdline(), process.cwd()])
    except psutil.Error:
        return ""


def begin(folder: Path) -> tuple[subprocess.Popen[str], StackState, str]:
    """Start a supervisor of its own; return it, the state it wrote, and what it said before it was up."""
    supervisor = subprocess.Popen([sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, text=True)
    assert supervisor.stdout is not None
    said = ""
    while not said.endswith("up\n"):
        line = supervisor.stdout.readline()
        assert line, f"the stack did not start: {said}"
        said += line
    return supervisor, state.running_state(folder), said


def test_after_a_kill_the_next_start_ends_the_remains_and_adopts_the_database(folder: Path) -> None:
    supervisor, first, _ = begin(folder)
    with psycopg.connect(first.environment["DATABASE_URL"]) as conn:
        conn.execute("INSERT INTO users (clerk_id) VALUES ('kept')")
    wardens = [child for child in psutil.Process(supervisor.pid).children() if "warden" in " ".join(child.cmdline())]
    assert len(wardens) == 1
    # With its watchman gone nobody clears up.
    wardens[0].kill()
    supervisor.kill()
    supervisor.communicate()
    left = descent.marked(first.id)
    assert {record.pid for name, record in first.processes.items() if name != POSTGRES} <= {p.pid for p in left}

    supervisor, second, said = begin(folder)
    assert "that a killed stack had left" in said
    assert not {process for process in left if descent.alive(process)}
    assert second.processes[POSTGRES] == first.processes[POSTGRES]
    with psycopg.connect(second.environment["DATABASE_URL"]) as conn:
        assert conn.execute("SELECT count(*) FROM users WHERE clerk_id = 'kept'").fetchone() == (1,)

    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.communicate(timeout=PATIENCE_SECONDS)[0] == "down\n"
    assert supervisor.returncode == 0
    assert descent.marked(second.id) == set()
    assert not second.processes[POSTGRES].still_runs()


def test_a_code_server_that_cannot_load_stops_the_start_with_its_reason(
    folder: Path, database_url: str, postgres: TestServer
) -> None:
    handler = signal.getsignal(signal.SIGTERM)
    with postgres.temporary() as dagster:
        settings = Settings(
            database_url=database_url,
            dagster_database_url=postgres.url(dagster),
            anthropic_base_url="http://127.0.0.1:9",
        )
        stack = Stack(folder, settings, definitions_module="no_such_definitions")
        with pytest.raises(StackError, match=r"code-server ended with exit code 1") as failure:
            stack.start()
    assert "No module named 'no_such_definitions'" in failure.value.remedy
    assert str(folder / "logs" / "code-server.log") in failure.value.remedy
    assert descent.marked(stack.id) == set()
    assert not (folder / "postgres").exists()
    assert signal.getsignal(signal.SIGTERM) is handler
    with pytest.raises(StackError, match="No stack runs"):
        state.running_state(folder)


def test_an_interrupted_start_ends_what_it_had_begun(folder: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    begun = eventually(lambda: _with_processes(folder), PATIENCE_SECONDS, "the first part")
    os.kill(supervisor.pid, signal.SIGINT)
    said, complaint = supervisor.communicate(timeout=PATIENCE_SECONDS)
    assert "up" not in said
    assert complaint.rstrip().endswith("KeyboardInterrupt")
    assert descent.marked(begun.id) == set()
    assert state.read(folder) is None


def _with_processes(folder: Path) -> StackState | None:
    written = state.read(folder)
    return written if written and written.processes else None


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more stack")
def test_a_program_that_starts_the_stack_reads_its_addresses_and_ctrl_c_ends_it(folder: Path) -> None:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    up = subprocess.Popen(
        [Path(sys.executable).with_name("greenlight"), "up", "--json", "--no-ui"],
        env={**kept, "GREENLIGHT_DATA_DIR": str(folder / "data")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    started = json.loads(up.stdout.readline())
    assert started["folder"] == str((folder / "data").resolve())
    assert started["addresses"] == state.running_state(folder / "data").addresses
    assert {"database", "sandbox"} <= started["addresses"].keys()
    up.send_signal(signal.SIGINT)
    rest, aside = up.communicate(timeout=PATIENCE_SECONDS)
    assert (up.returncode, rest) == (0, "")
    assert "Greenlight is up" in aside
    assert aside.endswith("Stopped.\n")
    with pytest.raises(StackError, match="No stack runs"):
        state.running_state(folder / "data")
