"""The files of a workspace: putting them there, and telling what has changed since the last look.

Nothing in the workspace is followed or waited for: a path is walked folder by folder without links, and a file is
opened only if it is a plain one.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

# What tools make again by themselves, or what is nobody's work.
SKIPPED_FOLDERS = frozenset(
    {"node_modules", ".venv", "venv", "__pycache__", ".git", ".pytest_cache", ".mypy_cache", ".cache"}
)
MAX_DEPTH = 64
MAX_PATH_BYTES = 1024
# The clock of file systems ticks: a file that was changed this shortly before it was read may change again unseen.
_TICK_NANOSECONDS = 50_000_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


class Refused(Exception):
    """A file cannot be put, or the workspace holds more than is taken. The text says which and why."""


@dataclass(frozen=True)
class Found:
    """A file that has changed, or a link where `link` is its target."""

    path: str
    content: bytes
    executable: bool
    link: str | None


@dataclass(frozen=True)
class _Skipped:
    """What is not looked at, with the reason where that is told. `hides`: what lay there may still lie there."""

    reason: str | None
    hides: bool = True


@dataclass(frozen=True)
class _Seen:
    mark: tuple[int, ...]
    digest: str
    read_at: int


class Files:
    """The workspace and what is known of it."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._seen: dict[str, _Seen] = {}

    def put(self, path: str, content: bytes, *, executable: bool, link: str | None) -> None:
        """Write a file, in place of what is there. Raise `Refused` for a path that is no plain relative one."""
        parts = path.split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise Refused(f"{path!r} is no path of a file in the workspace")
        try:
            folder = self._folder(parts[:-1])
            try:
                _write(folder, parts[-1], content, executable, link)
                status = os.lstat(parts[-1], dir_fd=folder)
            finally:
                os.close(folder)
        except OSError as exc:
            raise Refused(f"{path}: {os.strerror(exc.errno or errno.EIO)}") from exc
        self._seen[path] = _Seen(_mark(status), _digest(content, executable, link), time.time_ns())

    def changes(self, *, most_files: int, most_bytes: int) -> Iterator[Found | tuple[str, str]]:
        """Yield what has changed since the last look, and (path, reason) for what is left out.

        What was known and can no longer be looked at has not changed.
        Raise `Refused` where the workspace holds more than `most_files`, or has changed by more than `most_bytes`.
        """
        count = size = 0
        found: dict[str, _Seen] = {}
        hidden: set[str] = set()
        for path, entry in self._walk():
            if isinstance(entry, _Skipped):
                if entry.hides:
                    hidden.add(path)
                if entry.reason is not None:
                    yield _shown(path), entry.reason
                continue
            count += 1
            if count > most_files:
                raise Refused(f"there are more than {most_files} files in the workspace")
            before = self._seen.get(path)
            if before is not None and _unchanged(before, entry):
                found[path] = before
                continue
            try:
                looked = _look(os.path.join(self._root, path), entry, most_bytes - size)
            except FileNotFoundError:
                # Removed since.
                continue
            except OSError as exc:
                if exc.errno == errno.EFBIG:
                    raise Refused(f"{path}: the changed files are larger than {most_bytes} bytes in all") from exc
                hidden.add(path)
                yield path, f"it cannot be read: {os.strerror(exc.errno or errno.EIO)}"
                continue
            content, executable, link = looked
            seen = _Seen(_mark(entry), _digest(content, executable, link), time.time_ns())
            found[path] = seen
            if before is None or before.digest != seen.digest:
                size += len(content)
                yield Found(path, content, executable, link)
        found |= {path: seen for path, seen in self._seen.items() if path not in found and _is_hidden(path, hidden)}
        self._gone = sorted(set(self._seen) - set(found))
        self._seen = found

    def removed(self) -> list[str]:
        """Return the paths of which `changes`, when it ran to its end, saw that nothing is there any more."""
        return self._gone

    def _folder(self, parts: list[str]) -> int:
        current = os.open(self._root, _FOLDER)
        for part in parts:
            try:
                with suppress(FileExistsError):
                    os.mkdir(part, dir_fd=current)
                below = os.open(part, _FOLDER, dir_fd=current)
            finally:
                os.close(current)
            current = below
        return current

    def _walk(self) -> Iterator[tuple[str, os.stat_result | _Skipped]]:
        """Yield the path of each file and link with its status, or that it, or a whole folder, is skipped; in order."""
        folders = [("", 0)]
        while folders:
            folder, depth = folders.pop()
            try:
                with os.scandir(os.fsencode(os.path.join(self._root, folder))) as entries:
                    names = sorted(_statuses(entries))
            except FileNotFoundError:
                # Removed since.
                continue
            except OSError as exc:
                yield folder, _Skipped(f"it cannot be read: {os.strerror(exc.errno or errno.EIO)}")
                continue
            below = []
            for raw, status in names:
                try:
                    path = os.path.join(folder, raw.decode("utf-8"))
                except UnicodeDecodeError:
                    # Nothing of such a name was ever put there.
                    path = os.path.join(folder, raw.decode("utf-8", "replace"))
                    yield path, _Skipped("its name is not UTF-8", hides=False)
                    continue
                if stat.S_ISDIR(status.st_mode):
                    if os.path.basename(path) in SKIPPED_FOLDERS:
                        yield path, _Skipped(None)
                    elif depth >= MAX_DEPTH:
                        yield path, _Skipped(f"it is more than {MAX_DEPTH} folders deep")
                    else:
                        below.append((path, depth + 1))
                elif len(os.fsencode(path)) > MAX_PATH_BYTES:
                    yield path, _Skipped(f"its path is longer than {MAX_PATH_BYTES} bytes")
                elif (reason := _reason(status.st_mode)) is not None:
                    # It stands in place of what was there.
                    yield path, _Skipped(reason, hides=False)
                else:
                    yield path, status
            folders += reversed(below)


def _statuses(entries: Iterator[os.DirEntry[bytes]]) -> Iterator[tuple[bytes, os.stat_result]]:
    for entry in entries:
        # One that was removed since makes none of the others unseen.
        with suppress(FileNotFoundError):
            yield entry.name, entry.stat(follow_symlinks=False)


def _is_hidden(path: str, hidden: set[str]) -> bool:
    """Say whether a path, or a folder above it, is among the `hidden` ones; the uppermost folder's path is empty."""
    above = (path[:at] for at, sign in enumerate(path) if sign == "/")
    return not hidden.isdisjoint({"", path, *above})


def _shown(path: str) -> str:
    return path if len(os.fsencode(path)) <= MAX_PATH_BYTES else path[:80] + "…"


def _reason(mode: int) -> str | None:
    if stat.S_ISREG(mode) or stat.S_ISLNK(mode):
        return None
    kinds = ((stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket"))
    return "it is " + next((name for is_kind, name in kinds if is_kind(mode)), "a device")


def _mark(status: os.stat_result) -> tuple[int, ...]:
    # The time of the last change to the node cannot be set back, as that of the content can.
    return (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _unchanged(before: _Seen, status: os.stat_result) -> bool:
    return before.mark == _mark(status) and status.st_ctime_ns < before.read_at - _TICK_NANOSECONDS


def _digest(content: bytes, executable: bool, link: str | None) -> str:
    kind = f"link {link}" if link is not None else f"file {executable}"
    return kind + hashlib.sha256(content).hexdigest()


def _look(path: str, status: os.stat_result, most_bytes: int) -> tuple[bytes, bool, str | None]:
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(os.fsencode(path))
        try:
            return b"", False, target.decode("utf-8")
        except UnicodeDecodeError as exc:
            raise OSError(errno.EILSEQ, "the target is not UTF-8") from exc
    # It may have become a pipe since: opening one would wait.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(descriptor, "rb") as file:
        now = os.fstat(descriptor)
        if not stat.S_ISREG(now.st_mode):
            raise OSError(errno.EINVAL, "no plain file any more")
        # A file may be nothing but a hole of any size.
        content = file.read(max(0, most_bytes) + 1) if now.st_size <= most_bytes else b""
    if now.st_size > most_bytes or len(content) > most_bytes:
        raise OSError(errno.EFBIG, "too large")
    return content, bool(now.st_mode & 0o111), None


def _write(folder: int, name: str, content: bytes, executable: bool, link: str | None) -> None:
    with suppress(FileNotFoundError):
        os.unlink(name, dir_fd=folder)
    if link is not None:
        os.symlink(link, name, dir_fd=folder)
        return
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    descriptor = os.open(name, flags, 0o755 if executable else 0o644, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
