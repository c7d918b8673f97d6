"""The disk as a place for rows whose sink is away: files of JSON lines, which somebody drains later.

A file is `<sink>-<pid>-<age and chance>.jsonl`: a line that says what is in it, then a line for each row. It gets its
name once it is whole and on the disk, is locked by whoever drains it (a lock ends with its process, so nobody has to
find out who died), and is deleted after its sink took it; drained twice, it changes nothing. What cannot be read, or of
which the sink takes nothing, is moved aside to `<name>.bad`, and stays for somebody to look at.

Where a sink's files come to more than their limit, the newest are refused and not the oldest deleted: whoever is
refused counts its rows as dropped and knows their traces, which whoever finds old files gone does not.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from studio.tracing.backlog import cut, rows_of
from studio.tracing.encoding import Row, as_line, from_line
from studio.tracing.errors import SinkUnavailable, TracingError
from studio.tracing.rows import Batch
from studio.tracing.sinks import Sink
from studio.tracing.writer import Writer, Written

log = logging.getLogger(__name__)

# In the data folder.
SPILL_FOLDER = "traces"
FILE_BYTES = 16 * 1024 * 1024
# For each sink: one that is away for good must not take another's room.
SINK_BYTES = 256 * 1024 * 1024
ROWS_AT_ONCE = 20_000
# Nobody takes longer to write a file; the lock tells, but is taken only after the file was made.
UNFINISHED_SECONDS = 600.0
FORMAT = 1
HEADER_BYTES = 4096
_SUFFIX = ".jsonl"
_UNFINISHED = ".tmp"


class SpillFailed(TracingError):
    """The disk did not take rows; `left` are those that it does not have."""

    def __init__(self, message: str, remedy: str = "", *, left: Sequence[Row]) -> None:
        super().__init__(message, remedy)
        self.left = left


@dataclass(frozen=True)
class Drained:
    """What a drain has brought to its sink: files, rows in them, and how many of those it refused.

    `left` files are still there; `error` says why, where it is not that others drain them or there are many.
    """

    files: int = 0
    rows: int = 0
    refused: int = 0
    left: int = 0
    error: str | None = None


class Spill:
    """A folder of spilled rows, made when it is needed. Any number of processes may use it at once."""

    def __init__(self, folder: Path, *, file_bytes: int = FILE_BYTES, sink_bytes: int = SINK_BYTES) -> None:
        self._folder = folder
        self._file_bytes = file_bytes
        self._sink_bytes = sink_bytes

    def save(self, sink: str, batches: Iterable[Batch]) -> None:
        """Write rows for the sink of that name to the disk; raise `SpillFailed` with those that it did not take."""
        rows = [row for batch in batches for row in rows_of(batch)]
        done = 0
        while done < len(rows):
            some, lines = _filling(rows[done:], self._file_bytes)
            try:
                self._write(sink, b"".join([_header(sink, some), *lines]))
            except OSError as exc:
                left = rows[done:]
                raise SpillFailed(
                    f"{len(left)} rows of traces cannot be put by in {self._folder}: {exc.strerror or exc}.",
                    "Make room there, or let the studio write there.",
                    left=left,
                ) from exc
            done += len(some)

    def drain(self, sink: Sink, limit: int = ROWS_AT_ONCE) -> Drained:
        """Bring files to their sink, the oldest first, until `limit` rows are there or it is unavailable.

        It may be called from any process at any time, also while others deliver or drain.
        """
        self._clean()
        writer = Writer(sink, patience=0)
        files = rows = refused = 0
        error: str | None = None
        for path in self._files(sink.name):
            if rows + refused >= limit:
                break
            try:
                with _locked(path) as file:
                    if file is None:
                        continue
                    brought = _bring(file, sink.name, writer)
                    if brought.odd:
                        self._set_aside(path, brought.odd)
                    else:
                        path.unlink()
            except FileNotFoundError:
                # Another drainer was quicker.
                continue
            except SinkUnavailable as exc:
                error = str(exc)
                break
            except OSError as exc:
                log.warning("%s cannot be drained: %s", path, exc)
                error = f"{path.name}: {exc.strerror or exc}"
                continue
            files += 1
            rows += brought.written.rows
            refused += len(brought.written.refused)
        return Drained(files, rows, refused, len(self._files(sink.name)), error)

    # --- files

    def _write(self, sink: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._taken(sink) + len(data) > self._sink_bytes:
            raise OSError(f"{self._sink_bytes // 1024} KB of traces for {sink} are there already")
        path = self._folder / f"{sink}-{os.getpid()}-{time.time_ns():016x}{secrets.token_hex(4)}{_SUFFIX}"
        unfinished = path.with_name(path.name + _UNFINISHED)
        file = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            view = memoryview(data)
            while view:
                view = view[os.write(file, view) :]
            os.fsync(file)
            unfinished.rename(path)
        except OSError:
            with contextlib.suppress(OSError):
                unfinished.unlink()
            raise
        finally:
            os.close(file)

    def _taken(self, sink: str) -> int:
        """Return how many bytes there are for a sink, with what is unfinished or unreadable."""
        with os.scandir(self._folder) as entries:
            return sum(_bytes(entry) for entry in entries if entry.name.startswith(f"{sink}-"))

    def _files(self, sink: str) -> list[Path]:
        pattern = re.compile(rf"{re.escape(sink)}-\d+-[0-9a-f]+{re.escape(_SUFFIX)}")
        try:
            found = [path for path in self._folder.iterdir() if pattern.fullmatch(path.name)]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(found, key=lambda path: path.name.rpartition("-")[2])

    def _clean(self) -> None:
        """Remove what dead processes have not finished."""
        for path in self._folder.glob(f"*{_SUFFIX}{_UNFINISHED}"):
            try:
                if time.time() - path.stat().st_mtime < UNFINISHED_SECONDS:
                    continue
                with _locked(path) as file:
                    if file is not None:
                        log.warning("%s was never finished, and is removed", path)
                        path.unlink()
            except FileNotFoundError:
                continue
            except OSError as exc:
                log.warning("%s was never finished, and cannot be removed: %s", path, exc)

    def _set_aside(self, path: Path, why: str) -> None:
        aside = path.with_name(f"{path.name}.bad")
        path.rename(aside)
        log.error("%s was not brought to its sink as a whole (%s); it is kept as %s", path, why, aside.name)


@dataclass
class _Brought:
    written: Written = field(default_factory=Written)
    # Why the file has to stay for somebody to look at.
    odd: str = ""


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[BinaryIO | None]:
    """Lend a file that nobody else works on, None where somebody does, or has and removed it."""
    # Whatever lies there under such a name, opening it must not wait, nor lead elsewhere.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            ours = os.path.samestat(os.fstat(file.fileno()), path.stat(follow_symlinks=False))
        except (BlockingIOError, FileNotFoundError):
            ours = False
        yield file if ours else None


def _bring(file: BinaryIO, sink: str, writer: Writer) -> _Brought:
    """Write what can be read of a file; raise `SinkUnavailable`."""
    brought = _Brought()
    rows: list[Row] = []
    try:
        wanted = _promised(file.readline(HEADER_BYTES), sink)
        for line in file:
            rows.append(from_line(line))
        if len(rows) != wanted:
            raise ValueError(f"it has {len(rows)} of {wanted} rows")
    except (ValueError, RecursionError) as exc:
        brought.odd = str(exc)
    for batch, _ in cut(rows):
        brought.written.add(writer.write(batch))
    if rows and not brought.written.rows:
        # More likely the sink's fault than that of every row.
        brought.odd = brought.odd or f"{sink} takes nothing of it"
    return brought


def _header(sink: str, rows: Sequence[Row]) -> bytes:
    return json.dumps({"greenlight_traces": FORMAT, "sink": sink, "rows": len(rows)}).encode() + b"\n"


def _promised(header: bytes, sink: str) -> int:
    """Return how many rows a file has; raise `ValueError` where it is none of the sink's."""
    said = json.loads(header)
    if not isinstance(said, dict) or said.get("greenlight_traces") != FORMAT or said.get("sink") != sink:
        raise ValueError("it is not a file of this sink's traces")
    return int(said["rows"]) if isinstance(said.get("rows"), int) else -1


def _filling(rows: Sequence[Row], limit: int) -> tuple[Sequence[Row], list[bytes]]:
    """Return the first rows that together are no larger than `limit` bytes, at least one, and their lines."""
    lines: list[bytes] = []
    size = 0
    for row in rows:
        line = as_line(row)
        if lines and size + len(line) > limit:
            break
        lines.append(line)
        size += len(line)
    return rows[: len(lines)], lines


def _bytes(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat(follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
