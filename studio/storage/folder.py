"""Files in a folder.

A file is written under a name of its own and renamed, so that it is there as a whole or not at all, whenever
the process dies. Its content type lies beside it, in `.{name}.type`: no path may contain such a name.
"""

from __future__ import annotations

import builtins
import contextlib
import errno
import fcntl
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from studio.errors import StorageConflict, StorageRefused, StorageUnavailable
from studio.storage.base import StoredFile, checked_lifetime, checked_size, checked_type, missing
from studio.storage.names import UNKNOWN_TYPE
from studio.storage.paths import checked_path, checked_prefix

_FILE_MODE = 0o600
_FOLDER_MODE = 0o700


class FolderStorage:
    """A storage below `root`. `link` makes the address under which `web` serves a path for so many seconds."""

    def __init__(self, root: Path, link: Callable[[str, int], str]) -> None:
        self.root = root.expanduser().absolute()
        self._link = link

    def upload(self, path: str, data: bytes, *, content_type: str, upsert: bool = False) -> StoredFile:
        """See `Storage.upload`."""
        path = checked_path(path)
        checked_size(path, data)
        checked_type(content_type)
        target = self.root / path
        with self._explained(path):
            target.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            self._require_inside(target.parent, path)
            with self._written(target, data) as written, self._written(target, content_type.encode()) as kind:
                # Two who write the same path take turns, so that no type stands beside the other's file.
                with self._alone():
                    if target.is_dir():
                        raise StorageRefused(f"{path} is a folder.", "Choose another name.")
                    if target.exists() and not upsert:
                        raise StorageConflict(
                            f"A file lies under {path} already.", "Choose another path, or replace it on purpose."
                        )
                    # The type first: a crash in between leaves it to the retry, and no file without one.
                    kind.replace(_type_file(target))
                    written.replace(target)
                    _flush_folder(target.parent)
            return self._described(path, target)

    def read(self, path: str) -> bytes:
        """See `Storage.read`."""
        path = checked_path(path)
        with self._explained(path):
            return self._existing(path).read_bytes()

    def content_type(self, path: str) -> str:
        """Return the content type the file was stored with; raise `NotFound` where there is no such file."""
        path = checked_path(path)
        with self._explained(path):
            return _read_type(self._existing(path))

    def signed_url(self, path: str, *, expires_seconds: int) -> str:
        """See `Storage.signed_url`."""
        path = checked_path(path)
        checked_lifetime(expires_seconds)
        with self._explained(path):
            self._existing(path)
        return self._link(path, expires_seconds)

    def list(self, prefix: str) -> builtins.list[StoredFile]:
        """See `Storage.list`."""
        prefix = checked_prefix(prefix)
        found = []
        with self._explained(prefix):
            for folder, folders, names in os.walk(self.root / prefix):
                folders[:] = [name for name in folders if not name.startswith(".")]
                for name in names:
                    file = Path(folder, name)
                    if name.startswith(".") or file.is_symlink():
                        continue
                    # Somebody may delete it while we look.
                    with contextlib.suppress(FileNotFoundError):
                        found.append(self._described(file.relative_to(self.root).as_posix(), file))
        return sorted(found, key=lambda file: file.path)

    def delete(self, paths: Sequence[str]) -> None:
        """See `Storage.delete`."""
        for path in [checked_path(path) for path in paths]:
            with self._explained(path), self._alone():
                target = self.root / path
                self._require_inside(target.parent, path)
                if target.is_dir():
                    raise StorageRefused(f"{path} is a folder.", "Name the files in it.")
                target.unlink(missing_ok=True)
                _type_file(target).unlink(missing_ok=True)

    def is_public(self) -> bool | None:
        """See `Storage.is_public`."""
        return bool(self.root.stat().st_mode & stat.S_IROTH) if self.root.exists() else None

    # --- inside

    def _existing(self, path: str) -> Path:
        file = self.root / path
        self._require_inside(file.parent, path)
        if file.is_symlink() or not file.is_file():
            raise missing(path)
        return file

    def _require_inside(self, folder: Path, path: str) -> None:
        # Paths cannot climb; but somebody may have put a link into the folder.
        if not folder.resolve().is_relative_to(self.root.resolve()):
            raise StorageRefused(f"{path} leads out of the storage.", f"Remove the link in {self.root}.")

    def _described(self, path: str, file: Path) -> StoredFile:
        status = file.stat()
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
        return StoredFile(path, status.st_size, _read_type(file), modified)

    @contextlib.contextmanager
    def _written(self, target: Path, data: bytes) -> Iterator[Path]:
        """Write `data` beside `target` and lend the file; whoever wants to keep it renames it."""
        partial = target.with_name(f".{secrets.token_hex(8)}.partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE)
        try:
            with os.fdopen(descriptor, "wb") as handle:
                handle.write(data)
                handle.flush()
                os.fsync(handle.fileno())
            yield partial
        finally:
            partial.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the storage's lock, against other threads and processes alike."""
        self.root.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT, _FILE_MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        try:
            yield
        except (FileExistsError, NotADirectoryError) as exc:
            raise StorageRefused(
                f"{path} cannot be stored: a part of it is the name of a file.", "Choose another path."
            ) from exc
        except OSError as exc:
            what = "is full" if exc.errno in (errno.ENOSPC, errno.EDQUOT) else f"cannot be used ({exc.strerror})"
            raise StorageUnavailable(
                f"The artifact folder {self.root} {what}.", "Check its permissions and the free disk space."
            ) from exc


def _type_file(target: Path) -> Path:
    return target.with_name(f".{target.name}.type")


def _read_type(file: Path) -> str:
    try:
        return _type_file(file).read_text("ascii").strip() or UNKNOWN_TYPE
    except (FileNotFoundError, UnicodeDecodeError):
        return UNKNOWN_TYPE


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
