"""What server, clients, template and workers say to each other: one JSON object per line on a Unix socket."""

from __future__ import annotations

import json
import socket
from dataclasses import asdict, dataclass
from typing import Any

Message = dict[str, Any]

# A load error with its traceback, an instance's configuration: kilobytes. More than this is no message.
LIMIT_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Code:
    """The code that a run needs, as Dagster serializes it.

    `origin` is its `RepositoryPythonOrigin`, `instance` the `InstanceRef`, `executable` the Python to load it
    with, `location` the code location's name. `version` changes when the code location is reloaded; None where
    the client could not ask for it.
    """

    origin: str
    instance: str
    executable: str
    location: str | None = None
    version: str | None = None

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells one template from another, whatever its version."""
        return (self.origin, self.instance, self.executable)


@dataclass(frozen=True)
class Launch:
    """A run to carry out. Of those that wait, the urgent come first, then the older (`accepted_at`, Unix seconds)."""

    run_id: str
    code: Code
    accepted_at: float
    urgent: bool = False

    @property
    def order(self) -> tuple[bool, float]:
        """What those that wait are sorted by."""
        return (not self.urgent, self.accepted_at)

    def to_message(self) -> Message:
        """Return the launch as JSON."""
        return asdict(self)

    @classmethod
    def from_message(cls, message: Message) -> Launch:
        """Read what `to_message` gave."""
        code = Code(**message["code"])
        return cls(message["run_id"], code, message["accepted_at"], bool(message.get("urgent")))


def encode(message: Message) -> bytes:
    """Return the line of `message`."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def decode(line: bytes) -> Message:
    """Return the message of a line; raise `ValueError` where it is none."""
    message = json.loads(line)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message


class Channel:
    """A blocking end of a socket, for processes that wait for nothing else."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._buffer = b""

    def send(self, message: Message) -> None:
        """Send `message`; raise `OSError` where nobody listens any more."""
        self.socket.sendall(encode(message))

    def receive(self) -> Message | None:
        """Wait for a message; None where the other end is closed. Raise `OSError` as the socket does."""
        while b"\n" not in self._buffer:
            data = self.socket.recv(65536)
            if not data:
                return None
            self._buffer += data
            if len(self._buffer) > LIMIT_BYTES:
                raise OSError("the message is too long")
        line, _, self._buffer = self._buffer.partition(b"\n")
        return decode(line)

    @property
    def has_message(self) -> bool:
        """Whether a message has been read off the socket already, which so will not announce it again."""
        return b"\n" in self._buffer

    def close(self) -> None:
        """Close this end."""
        self.socket.close()
