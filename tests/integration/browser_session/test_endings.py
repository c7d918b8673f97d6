"""However a worker ends, nothing of its browser stays: no process of the tree, and no folder."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from studio.browser import folder
from studio.browser.session import browser_session
from studio.egress import no_network
from studio.errors import BrowserUnavailable
from studio.paths import ROOT
from studio.settings import Settings
from tests.integration.browser_session import works
from tests.support.size import FULL
from tests.support.waiting import eventually


def marked(folders: Path) -> dict[int, str]:
    """The live processes that were given a folder in `folders`, whatever has become of their parents."""
    found = {}
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            said = [*process.cmdline(), *process.environ().values()]
            if any(str(folders) in word for word in said) and process.pid != os.getpid():
                found[process.pid] = " ".join(process.cmdline())[:120]
    return found


def gone(folders: Path, tree: list[psutil.Process]) -> bool:
    """Say that nothing is left, neither of those who were seen nor of any that came after them."""
    assert marked(folders) == {}
    assert [process for process in tree if process.is_running()] == []
    return True


@contextlib.contextmanager
def worker(
    folders: Path, kind: str, user: int | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], list[psutil.Process]]]:
    """A worker in the middle of its work with a busy page, and all that it has started.

    A renderer writes its title over its environment, and so is not found by that.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.browser_session.held", kind],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(folders)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        user=user,
        group=user,
        extra_groups=None if user is None else [],
    )
    assert process.stdout is not None
    with process:
        try:
            said = process.stdout.readline()
            assert said in (b"True\n", b"False\n"), process.stderr and process.stderr.read().decode()
            if kind == "plain":
                assert said == b"False\n"
            tree = psutil.Process(process.pid).children(recursive=True)
            programs = " ".join(word for one in tree for word in one.cmdline())
            for program in ("studio.browser.guard", "node", "--type=renderer"):
                assert program in programs, "the search finds what is to be gone"
            assert len(marked(folders)) > 1
            yield process, tree
        finally:
            process.kill()


NOBODY = 65534
ENDINGS: list[tuple[signal.Signals, str, int | None]] = [
    (signal.SIGINT, "namespaces", NOBODY),
    (signal.SIGKILL, "plain", None),
]
if FULL:
    ENDINGS = list(itertools.product((signal.SIGINT, signal.SIGKILL), ("namespaces", "plain"), (None, NOBODY)))


@pytest.mark.chaos
@pytest.mark.parametrize(("number", "kind", "user"), ENDINGS)
def test_nothing_outlives_its_worker(folders: Path, number: signal.Signals, kind: str, user: int | None) -> None:
    """Neither with the rights of root nor without; a test without them has its own user's."""
    if user is not None:
        if os.geteuid() != 0 or not all(map(readable_by_all, (ROOT, sys.prefix, sys.base_prefix))):
            user = None
        else:
            os.chown(folders, user, user)
    with worker(folders, kind, user) as (process, tree):
        process.send_signal(number)
        process.wait(30)
        eventually(lambda: gone(folders, tree), what="the end of the whole tree")
        if number == signal.SIGINT:
            assert list(folders.iterdir()) == []
    if user is None:
        folder.sweep()
        assert list(folders.iterdir()) == []


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="the guard is no more likely to be killed than the worker")
def test_the_tree_ends_with_its_guard_as_well(folders: Path) -> None:
    with worker(folders, "namespaces") as (_, tree):
        guard = min(pid for pid, line in marked(folders).items() if "studio.browser.guard" in line)
        os.kill(guard, signal.SIGKILL)
        eventually(lambda: not [1 for line in marked(folders).values() if "held" not in line], what="the end")
        eventually(lambda: not [1 for one in tree if one.is_running() and one.status() != "zombie"], what="all of it")


def readable_by_all(place: str | Path) -> bool:
    real = Path(place).resolve()
    return all(path.stat().st_mode & 0o005 == 0o005 for path in (real, *real.parents))


def test_nothing_outlives_a_session_whose_time_is_over(folders: Path) -> None:
    with browser_session(Settings(), resolve=no_network, seconds=120) as session:
        # Started, however long that has taken; now its time is over.
        session._wire.deadline = 0
        assert marked(folders)
        with pytest.raises(BrowserUnavailable, match="time was over"):
            session.run(works.hold, {})
    assert marked(folders) == {}
    assert list(folders.iterdir()) == []


def test_a_living_session_is_not_swept(folders: Path) -> None:
    with folder.session_folder() as mine:
        folder.sweep()
        assert mine.is_dir()
    assert not mine.exists()


@pytest.mark.parametrize("holds_on", [True, False])
def test_a_folder_that_is_swept_before_it_is_locked_is_made_anew(
    folders: Path, monkeypatch: pytest.MonkeyPatch, holds_on: bool
) -> None:
    """The sweeping session still holds the lock, or has removed all and let go."""
    made: list[str] = []
    held: list[int] = []
    usual = os.open

    def swept(path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        lock = usual(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT and Path(path).name == "lock" and not made:
            made.append(str(path))
            sweeper = usual(path, os.O_RDWR)
            fcntl.flock(sweeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(Path(path).parent)
            if holds_on:
                held.append(sweeper)
            else:
                os.close(sweeper)
        return lock

    monkeypatch.setattr(folder.os, "open", swept)
    with folder.session_folder() as mine:
        assert made
        assert str(mine) not in made[0]
        assert [path.name for path in mine.iterdir()] == ["lock"]
    assert list(folders.iterdir()) == []
    for sweeper in held:
        os.close(sweeper)
