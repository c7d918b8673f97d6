"""The folder of a session: always removed, by whoever comes next where its own process was killed."""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

log = logging.getLogger(__name__)

PREFIX = "greenlight-browser-"
_LOCK = "lock"
_SHARED_PLACES = ("/tmp", "/var/tmp")  # noqa: S108 - the folders in them have names that nobody can guess


@contextlib.contextmanager
def session_folder() -> Iterator[Path]:
    """A new folder in the temporary one, until the end; folders of sessions that have died are removed first."""
    sweep()
    folder, lock = _locked_folder()
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def _locked_folder() -> tuple[Path, int]:
    """Return a new folder and its lock, held as long as this process lives.

    A number of a process would say nothing once another one has it.
    """
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=_place()))
        lock = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        # Until it is locked, whoever sweeps takes it for one that was left behind.
        with contextlib.suppress(BlockingIOError, FileNotFoundError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(folder / _LOCK)):
                return folder, lock
        os.close(lock)


def sweep() -> None:
    """Remove the folders whose process is gone."""
    for folder in _place().glob(f"{PREFIX}*"):
        # Another user's folder, and one that is being made or removed right now, is left alone.
        with contextlib.suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                log.info("removing %s, which a killed browser session has left", folder)
                _remove(folder)
            finally:
                os.close(lock)


def _place() -> Path:
    """Where folders are made: a temporary folder that Chromium's user can pass through, which is another one."""
    usual = Path(tempfile.gettempdir())
    places = [usual, *map(Path, _SHARED_PLACES)]
    return next((place for place in places if os.geteuid() != 0 or _open_to_all(place)), usual)


def _open_to_all(place: Path) -> bool:
    with contextlib.suppress(OSError):
        real = place.resolve(strict=True)
        return all(path.stat().st_mode & stat.S_IXOTH for path in (real, *real.parents))
    return False


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        log.warning("the browser's folder %s could not be removed", folder)
