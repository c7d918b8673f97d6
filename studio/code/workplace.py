"""A private temporary folder for one use; what a killed process has left there is swept by the next of its kind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PREFIX = "greenlight-git-"
# Until it is locked it has another name: whoever sweeps would take it for one that nobody holds.
_UNLOCKED = ".greenlight-new-"
_LOCK = "lock"
# Locking it takes no time: one that has its first name still after so long was left by a kill.
_UNLOCKED_SECONDS = 3600


@contextlib.contextmanager
def workplace(prefix: str = PREFIX) -> Iterator[Path]:
    """Give a folder that only this account may enter, and remove it with all that is in it.

    Its name begins with `prefix`, by which what is left of earlier ones is found. A file `lock` lies in it.
    """
    _sweep(Path(tempfile.gettempdir()), prefix)
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    folder = unlocked.with_name(prefix + unlocked.name.removeprefix(_UNLOCKED))
    try:
        with (unlocked / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.rename(folder)
            yield folder
    finally:
        shutil.rmtree(unlocked, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(where: Path, prefix: str) -> None:
    """Remove the folders of processes that do not live any more: nobody holds their lock."""
    for folder in where.glob(f"{_UNLOCKED}*"):
        with contextlib.suppress(OSError):
            there = folder.lstat()
            if there.st_uid == os.getuid() and time.time() - there.st_mtime > _UNLOCKED_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
    for folder in where.glob(f"{prefix}*"):
        # Somebody else's, not yet locked, or being removed just now.
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            # Generated code that ran there may have put a link or a pipe in its place: opening one would wait.
            descriptor = os.open(folder / _LOCK, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
