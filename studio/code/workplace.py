"""A private temporary folder for one use of git; what a killed process has left there is swept by the next."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

PREFIX = "greenlight-git-"
# Until it is locked it has another name: whoever sweeps would take it for one that nobody holds.
_UNLOCKED = ".greenlight-new-"
_LOCK = "lock"


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """Give a folder that only this account may enter, and remove it with all that is in it."""
    _sweep(Path(tempfile.gettempdir()))
    unlocked = Path(tempfile.mkdtemp(prefix=_UNLOCKED))
    folder = unlocked.with_name(PREFIX + unlocked.name.removeprefix(_UNLOCKED))
    try:
        with (unlocked / _LOCK).open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            unlocked.rename(folder)
            yield folder
    finally:
        shutil.rmtree(unlocked, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _sweep(where: Path) -> None:
    """Remove the folders of processes that do not live any more: nobody holds their lock."""
    for folder in where.glob(f"{PREFIX}*"):
        # Somebody else's, not yet locked, or being removed just now.
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            with (folder / _LOCK).open("rb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
