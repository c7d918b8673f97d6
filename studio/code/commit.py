"""A commit as data, and as the stream that `git fast-import` makes it from.

The same files, message, base and time give the same commit, so that a second attempt finds what the first has pushed.
No file is ever written for it: hooks, filters and attributes in the content have nobody who would run them.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, datetime

from studio.code.workspace import WorkspaceFile
from studio.text import storable

# Not an address that anybody has (RFC 2606).
AUTHOR = "Greenlight <noreply@greenlight.invalid>"
MESSAGE_BYTES = 16 * 1024


@dataclass(frozen=True)
class Commit:
    """What is committed on top of `base` (None: on nothing). `when` knows its time zone."""

    message: str
    when: datetime
    base: str | None
    written: tuple[WorkspaceFile, ...]
    removed: tuple[str, ...]


def stream(ref: str, commit: Commit) -> bytes:
    """Return the input for `git fast-import --date-format=raw --done` that makes `commit` as the new `ref`.

    Git then writes the commit's name to its output. The paths must have been checked: `studio.code.safe_paths`.
    """
    message = (storable(commit.message).strip() + "\n").encode()[:MESSAGE_BYTES]
    seconds = int(commit.when.astimezone(UTC).timestamp())
    out = io.BytesIO()
    out.write(f"commit {ref}\nmark :1\n".encode())
    out.write(f"author {AUTHOR} {seconds} +0000\ncommitter {AUTHOR} {seconds} +0000\n".encode())
    # Cut in the middle of a character, the rest of it is dropped.
    _data(out, message.decode(errors="ignore").encode())
    if commit.base is not None:
        out.write(f"from {commit.base}\n".encode())
    # First what goes: a folder may come where a file was.
    for path in sorted(commit.removed):
        out.write(b"D " + _quoted(path) + b"\n")
    for file in sorted(commit.written, key=lambda file: file.path):
        out.write(f"M {_mode(file)} inline ".encode() + _quoted(file.path) + b"\n")
        _data(out, file.content if file.link is None else file.link.encode())
    out.write(b"\nget-mark :1\ndone\n")
    return out.getvalue()


def _mode(file: WorkspaceFile) -> str:
    if file.link is not None:
        return "120000"
    return "100755" if file.executable else "100644"


def _data(out: io.BytesIO, content: bytes) -> None:
    out.write(b"data %d\n" % len(content))
    out.write(content)
    out.write(b"\n")


def _quoted(path: str) -> bytes:
    """Return a path in C's quotes, as fast-import reads them."""
    return b'"' + path.encode().replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'
