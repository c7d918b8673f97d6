"""One process holds the lock of a folder; it is free as soon as that process is gone, however it went."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from greenlight_dagster.stack import lock
from greenlight_dagster.stack.lock import FolderLock

HOLDER = """
import sys, time
from pathlib import Path
from greenlight_dagster.stack.lock import FolderLock
held = FolderLock(Path(sys.argv[1]))
assert held.acquire("stack")
print("held", flush=True)
time.sleep(600)
"""


def test_a_second_one_does_not_get_it_and_learns_who_has_it(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire("clean-up")
    assert not second.acquire("stack", patience=0)
    assert lock.owner(tmp_path) == (os.getpid(), "clean-up")
    first.release()
    assert lock.owner(tmp_path) is None
    assert second.acquire("stack", patience=0)
    assert lock.owner(tmp_path) == (os.getpid(), "stack")
    second.release()


def test_nobody_holds_what_does_not_exist(tmp_path: Path) -> None:
    assert lock.owner(tmp_path / "nowhere") is None


def test_a_killed_holder_holds_nothing(tmp_path: Path) -> None:
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert lock.owner(tmp_path) == (holder.pid, "stack")
        mine = FolderLock(tmp_path)
        assert not mine.acquire("stack", patience=0)
        holder.send_signal(signal.SIGKILL)
        assert mine.acquire("stack", patience=30)
        mine.release()
    finally:
        holder.kill()
        holder.communicate()
