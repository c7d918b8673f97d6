"""What the worker and the browser's process say to each other: messages with files, over one socket.

A message is a JSON object, its length in four bytes before it, and the bytes of its files after it.
"""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

_LENGTH = struct.Struct(">I")
# Pictures of a whole page take a few megabytes, fonts for every script twenty.
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_FILE_BYTES = 128 * 1024 * 1024
MAX_FILES_BYTES = 256 * 1024 * 1024
_PIECE_BYTES = 256 * 1024


class Message(NamedTuple):
    """What was said: `body` is JSON, `files` are its attachments by name."""

    body: dict[str, Any]
    files: dict[str, bytes]


class WireBroken(Exception):
    """The other side is gone, or what it says is no message."""


class Wire:
    """One end. Calls wait until `deadline` (of `time.monotonic`) at most, for ever where it is None."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.deadline: float | None = None

    def send(self, body: Mapping[str, Any], files: Mapping[str, bytes] | None = None) -> None:
        """Send a message; raise `ValueError` where it is too large, `WireBroken`, or `TimeoutError`."""
        files = files or {}
        _check(len(data) for data in files.values())
        text = json.dumps({"body": body, "files": [[name, len(data)] for name, data in files.items()]}).encode()
        if len(text) > MAX_JSON_BYTES:
            raise ValueError("the message is too large")
        for data in (_LENGTH.pack(len(text)), text, *files.values()):
            view = memoryview(data)
            while view:
                self._wait_at_most()
                try:
                    view = view[self.socket.send(view[:_PIECE_BYTES]) :]
                except TimeoutError:
                    raise
                except OSError as exc:
                    raise WireBroken("the other side is gone") from exc

    def receive(self) -> Message:
        """Wait for a message; raise `WireBroken` where none comes any more, `TimeoutError` at the deadline."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
        if length > MAX_JSON_BYTES:
            raise WireBroken("what was said is too long for a message")
        try:
            outer = json.loads(self._exactly(length))
            body, sizes = outer["body"], [(str(name), int(size)) for name, size in outer["files"]]
            _check(size for _, size in sizes)
        except (ValueError, KeyError, TypeError) as exc:
            raise WireBroken("what was said is no message") from exc
        if not isinstance(body, dict):
            raise WireBroken("what was said is no message")
        return Message(body, {name: self._exactly(size) for name, size in sizes})

    def _exactly(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            self._wait_at_most()
            try:
                piece = self.socket.recv(min(length - len(data), _PIECE_BYTES))
            except TimeoutError:
                raise
            except OSError as exc:
                raise WireBroken("the other side is gone") from exc
            if not piece:
                raise WireBroken("the other side is gone")
            data += piece
        return bytes(data)

    def _wait_at_most(self) -> None:
        if self.deadline is None:
            self.socket.settimeout(None)
            return
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.socket.settimeout(left)


def _check(sizes: Any) -> None:
    total = 0
    for size in sizes:
        total += size
        if not 0 <= size <= MAX_FILE_BYTES or total > MAX_FILES_BYTES:
            raise ValueError("the files of a message are too large")
