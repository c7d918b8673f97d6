"""What workers tell the reporter of their machine: one datagram each, on a socket pair that outlives both."""

from __future__ import annotations

import contextlib
import json
import socket
import time
from dataclasses import asdict, dataclass
from typing import Any

# How long a worker waits for a reporter that does not read: it may be waiting for the database.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class Pulse:
    """A worker's loop goes round. `status` is that of `worker_heartbeats`; `process` tells one start from another."""

    lane: str
    status: str
    process: str
    running: int = 0
    done: int = 0
    rss_mb: float | None = None


@dataclass(frozen=True)
class Lost:
    """The process that had the run is gone."""

    lane: str
    run_id: str
    why: str


@dataclass(frozen=True)
class Fallen:
    """A worker itself has ended, and all its processes with it."""

    lane: str
    why: str


Said = Pulse | Lost | Fallen
_KINDS: dict[str, type[Pulse] | type[Lost] | type[Fallen]] = {"pulse": Pulse, "lost": Lost, "fallen": Fallen}


class Line:
    """Both ends of the socket pair. Whoever forks keeps it, so that nothing is lost while a reporter is replaced."""

    def __init__(self) -> None:
        self._read, self._write = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)

    def tell(self, said: Said) -> bool:
        """Send `said`; return False where nobody reads: the reporter then sees by itself what was lost."""
        kind = next(name for name, of in _KINDS.items() if isinstance(said, of))
        datagram = json.dumps({"kind": kind, **asdict(said)}).encode()
        deadline = time.monotonic() + (0 if kind == "pulse" else PATIENCE_SECONDS)
        while True:
            with contextlib.suppress(BlockingIOError):
                return self._write.send(datagram, socket.MSG_DONTWAIT) > 0
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)

    def hear(self, seconds: float) -> Said | None:
        """Wait for what somebody says for up to `seconds`; None where nobody says anything."""
        self._read.settimeout(max(0.001, seconds))
        with contextlib.suppress(TimeoutError):
            found: dict[str, Any] = json.loads(self._read.recv(65536))
            return _KINDS[found.pop("kind")](**found)
        return None
