"""A stack finds every process that came of it, parents or not, and each is gone when it says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.records import Process, Records
from greenlight_dagster.stack import child as child_module
from greenlight_dagster.stack import descent, remains, shutdown, state
from greenlight_dagster.stack.child import Child
from greenlight_dagster.stack.lock import FolderLock
from greenlight_dagster.stack.parts import CODE_SERVER, DAEMON, UI
from greenlight_dagster.stack.shutdown import Drain, release_runs, run_processes, stop_parts
from greenlight_dagster.stack.state import ProcessRecord, StackState
from studio.errors import StackError
from tests.support.waiting import eventually

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
# What a code server does when it is killed: its run goes on without it.
PARENT = [
    sys.executable,
    "-c",
    "import subprocess, sys, time; print('run', subprocess.Popen(sys.argv[1:]).pid, flush=True); time.sleep(600)",
]
DEAF = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
]


@pytest.fixture
def stack_id() -> Iterator[str]:
    """The id of a stack whose processes are ended after the test, whatever became of it."""
    chosen = uuid.uuid4().hex
    yield chosen
    descent.end(descent.marked(chosen), grace=0)


@pytest.fixture
def launcher(tmp_path: Path) -> LauncherClient:
    """A run launcher without a server: what it has handed out is in its records."""
    config = LauncherConfig.at(tmp_path / "home")
    config.records.mkdir(parents=True)
    return LauncherClient(config)


@pytest.fixture
def start(tmp_path: Path, stack_id: str) -> Iterator[Callable[..., Child]]:
    """Start a command as a part of the stack `stack_id`; its log is in `tmp_path`."""
    started: list[Child] = []

    def start(command: list[str], name: str = "part", log_has: str = "") -> Child:
        made = Child(name, command, {**os.environ, descent.MARKER: stack_id}, tmp_path, tmp_path / f"{name}.log")
        started.append(made)
        eventually(lambda: log_has in made.tail())
        return made

    yield start
    for made in started:
        made.kill()


def run_of(parent: Child) -> int:
    return int(parent.tail().removeprefix("run "))


def pids(processes: set[psutil.Process]) -> set[int]:
    return {process.pid for process in processes}


def test_a_child_is_out_of_reach_of_the_terminal(start: Callable[..., Child]) -> None:
    assert os.getsid(start(SLEEP).pid) not in {os.getsid(0), 0}


def test_the_tail_is_what_this_process_wrote_without_colours(start: Callable[..., Child]) -> None:
    start([sys.executable, "-c", "print('earlier')"], log_has="earlier")
    script = "[print(f'\\x1b[32mline {n}\\x1b[0m') for n in range(40)]; raise SystemExit(3)"
    made = start([sys.executable, "-c", script], log_has="line 39")
    assert made.wait(30)
    assert made.tail().splitlines() == [f"line {n}" for n in range(25, 40)]
    assert made.ending() == "exit code 3"


def test_a_big_log_is_put_aside_and_three_are_kept(
    start: Callable[..., Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child_module, "LOG_LIMIT_BYTES", 3)
    for number in range(6):
        start([sys.executable, "-c", f"print('log {number}')"], log_has=f"log {number}").wait(30)
    logs = {path.name: path.read_text() for path in tmp_path.glob("part.log*")}
    assert logs == {f"part.log{f'.{n}' if n else ''}": f"log {5 - n}\n" for n in range(4)}
    assert (tmp_path / "part.log").stat().st_mode & 0o777 == 0o600


def test_a_program_that_does_not_exist_is_named(start: Callable[..., Child]) -> None:
    with pytest.raises(StackError, match=r"part cannot be started.*no-such-program"):
        start(["/no-such-program"])


def test_orphans_are_found_by_their_mark_and_strangers_are_not(start: Callable[..., Child], stack_id: str) -> None:
    parent = start([*PARENT, *SLEEP], log_has="run")
    orphan = run_of(parent)
    stranger = subprocess.Popen(SLEEP)
    try:
        assert pids(descent.marked(stack_id)) == {parent.pid, orphan}
        assert pids(descent.family([parent.pid])) == {parent.pid, orphan}
        assert pids(descent.elders(descent.marked(stack_id))) == {parent.pid}
        parent.kill()
        assert pids(descent.marked(stack_id)) == {orphan}
        descent.end(descent.marked(stack_id), grace=30)
        assert descent.marked(stack_id) == set()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_process_that_took_the_mark_off_is_found_by_its_parents(start: Callable[..., Child], stack_id: str) -> None:
    parent = start([*PARENT, "env", "-i", *SLEEP], log_has="run")
    found = descent.marked(stack_id)
    assert run_of(parent) in pids(found)
    # While its parent lives; afterwards nothing would lead to it any more.
    descent.end(found, grace=0)


def test_who_does_not_listen_is_killed(start: Callable[..., Child], stack_id: str) -> None:
    deaf = start(DEAF, log_has="deaf")
    descent.end(descent.marked(stack_id), grace=0.1)
    assert deaf.wait(0)
    assert deaf.ending() == "signal SIGKILL"


def test_a_run_ends_its_tools_itself(start: Callable[..., Child], stack_id: str) -> None:
    """A run that is interrupted may still want to hear what its tools have to say."""
    script = (
        "import signal, subprocess, sys\n"
        "tool = subprocess.Popen(sys.argv[1:])\n"
        "def interrupted(*_):\n"
        "    print('tool', tool.poll(), flush=True); tool.kill(); tool.wait(); sys.exit()\n"
        "signal.signal(signal.SIGTERM, interrupted)\n"
        "print('ready', flush=True); signal.pause()\n"
    )
    run = start([sys.executable, "-c", script, *SLEEP], log_has="ready")
    assert len(descent.marked(stack_id)) == 2
    release_runs(descent.marked(stack_id))
    assert run.tail() == "ready\ntool None"
    assert descent.marked(stack_id) == set()


def test_runs_are_what_code_server_and_launcher_started_and_nobody_else(
    start: Callable[..., Child], stack_id: str, launcher: LauncherClient, tmp_path: Path
) -> None:
    code_server = start([*PARENT, *SLEEP], CODE_SERVER, log_has="run")
    former = start([*PARENT, *SLEEP], "former", log_has="run")
    orphan = run_of(former)
    former.kill()
    daemon = start([*PARENT, *SLEEP], DAEMON, log_has="run")
    warm = start([*SLEEP, "greenlight_dagster.launcher.template"], "warm")
    Records(LauncherConfig.at(tmp_path / "home").records).take("a-run", Process.of(warm.pid))
    # A template whose server has gone, and which has not noticed yet.
    start([*SLEEP, "greenlight_dagster.launcher.template"], "template")
    runs = run_processes({CODE_SERVER: code_server.pid, DAEMON: daemon.pid}, stack_id, launcher)
    assert pids(runs) == {run_of(code_server), orphan, warm.pid}


def test_a_stop_waits_for_runs_until_it_is_hurried(
    start: Callable[..., Child], stack_id: str, launcher: LauncherClient
) -> None:
    code_server = start([*PARENT, *SLEEP], CODE_SERVER, log_has="run")
    run = psutil.Process(run_of(code_server))
    hurry = threading.Event()
    lines: list[str] = []

    def say(line: str) -> None:
        lines.append(line)
        assert descent.alive(run)
        hurry.set()

    children = {DAEMON: start(SLEEP, DAEMON), CODE_SERVER: code_server, UI: start(SLEEP, UI)}
    began = time.monotonic()
    stop_parts(children, stack_id, Drain(600, hurry, say), launcher)
    assert time.monotonic() - began < 60
    assert [line.split()[0] for line in lines] == ["Waiting", "Interrupting"]
    assert not any(made.running for made in children.values())
    assert descent.marked(stack_id) == set()


def test_a_part_that_does_not_end_is_killed_with_all_it_started(
    start: Callable[..., Child], stack_id: str, launcher: LauncherClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("DAEMON_SECONDS", "SERVICE_SECONDS"):
        monkeypatch.setattr(shutdown, limit, 0.1)
    children = {name: start(DEAF, name, log_has="deaf") for name in (DAEMON, CODE_SERVER, UI)}
    stop_parts(children, stack_id, Drain(0), launcher)
    assert {made.ending() for made in children.values()} == {"signal SIGKILL"}


@pytest.mark.parametrize("marks", [True, False])
def test_what_a_killed_stack_left_is_ended_by_record_and_by_mark(
    tmp_path: Path, start: Callable[..., Child], stack_id: str, marks: bool
) -> None:
    recorded, run = start(SLEEP, DAEMON), start([*PARENT, *SLEEP], "run", log_has="run")
    processes = {DAEMON: ProcessRecord.of(recorded.pid)}
    if not marks:
        processes["run"] = ProcessRecord.of(run.pid)
    left = StackState(id=stack_id if marks else "other", phase="running", supervisor=None)
    state.write(tmp_path, left.model_copy(update={"processes": processes}))
    assert remains.clear(tmp_path, with_database=False) == 3
    assert descent.marked(stack_id) == set()
    assert state.read(tmp_path) is None
    assert remains.clear(tmp_path, with_database=False) == 0


def test_a_number_that_went_to_somebody_else_is_left_alone(tmp_path: Path, start: Callable[..., Child]) -> None:
    stranger = start(SLEEP)
    record = ProcessRecord.of(stranger.pid)
    assert record is not None
    outdated = record.model_copy(update={"create_time": record.create_time - 3600})
    state.write(tmp_path, StackState(id="other", phase="running", supervisor=None, processes={DAEMON: outdated}))
    assert remains.clear(tmp_path, with_database=True) == 0
    assert stranger.running


SUPERVISOR = """
import sys, time
from pathlib import Path
from greenlight_dagster.stack.lock import FolderLock
from greenlight_dagster.stack.warden import Warden
lock = FolderLock(Path(sys.argv[1]))
assert lock.acquire("stack")
warden = Warden(Path(sys.argv[1]), sys.argv[2])
print(warden.pid, flush=True)
if sys.stdin.readline():
    warden.dismiss()
    print("dismissed", flush=True)
"""


@pytest.mark.parametrize("in_order", [True, False])
def test_the_warden_clears_up_after_a_supervisor_that_was_killed(
    tmp_path: Path, start: Callable[..., Child], stack_id: str, in_order: bool
) -> None:
    part = start(SLEEP, DAEMON)
    state.write(tmp_path, StackState(id=stack_id, phase="running", supervisor=None))
    supervisor = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(tmp_path), stack_id], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert supervisor.stdin is not None
    assert supervisor.stdout is not None
    warden = psutil.Process(int(supervisor.stdout.readline()))
    if in_order:
        supervisor.stdin.write(b"stop\n")
    else:
        supervisor.send_signal(signal.SIGKILL)
    with supervisor:
        said = supervisor.communicate()[0]
    eventually(lambda: not descent.alive(warden))
    assert said == (b"dismissed\n" if in_order else b"")
    assert part.running is in_order
    assert (state.read(tmp_path) is not None) is in_order


def test_the_warden_leaves_the_clearing_to_a_stack_that_was_quicker(
    tmp_path: Path, start: Callable[..., Child], stack_id: str
) -> None:
    part = start(SLEEP, DAEMON)
    state.write(tmp_path, StackState(id=stack_id, phase="running", supervisor=None))
    next_stack = FolderLock(tmp_path)
    assert next_stack.acquire("stack")
    watch = [sys.executable, "-m", "greenlight_dagster.stack.warden", str(tmp_path), stack_id]
    assert subprocess.run(watch, stdin=subprocess.DEVNULL, check=False).returncode == 0
    assert part.running
    next_stack.release()
