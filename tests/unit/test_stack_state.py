"""What a stack writes down serves other shells while it runs, and only then; nobody else may read it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from greenlight_dagster.stack import state
from greenlight_dagster.stack.lock import FolderLock
from greenlight_dagster.stack.state import ProcessRecord, StackState, running_environment
from studio.errors import StackError


def test_another_shell_gets_the_environment_of_a_running_stack_only(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="greenlight up"):
        running_environment(tmp_path / "nowhere")
    wanted = {"DATABASE_URL": "postgresql://x"}
    written = StackState(id="1", phase="running", supervisor=ProcessRecord.of(os.getpid()), environment=wanted)
    state.write(tmp_path, written)
    with pytest.raises(StackError, match="No stack runs"):
        running_environment(tmp_path)  # the file of one that was killed

    held = FolderLock(tmp_path)
    assert held.acquire("stack")
    assert running_environment(tmp_path) == wanted
    state.write(tmp_path, written.model_copy(update={"phase": "starting"}))
    with pytest.raises(StackError, match="still starting"):
        running_environment(tmp_path)
    (tmp_path / state.FILE_NAME).write_text("{")
    with pytest.raises(StackError, match="No stack runs"):
        running_environment(tmp_path)
    held.release()


def test_the_state_is_for_its_owner_alone(tmp_path: Path) -> None:
    for _ in range(2):
        state.write(tmp_path, StackState(id="1", phase="running", supervisor=None))
        assert (tmp_path / state.FILE_NAME).stat().st_mode & 0o777 == 0o600
    assert state.read(tmp_path) == StackState(id="1", phase="running", supervisor=None)
    state.remove(tmp_path)
    assert state.read(tmp_path) is None


def test_a_process_is_told_from_a_later_one_of_the_same_number() -> None:
    child = subprocess.Popen(["sleep", "600"])
    record = ProcessRecord.of(child.pid)
    assert record is not None
    assert record.still_runs()
    assert not record.model_copy(update={"create_time": record.create_time - 60}).still_runs()
    child.kill()
    child.wait()
    assert not record.still_runs()
    assert ProcessRecord.of(None) is None
