"""Browsers that read event streams, many in one process: `python -m benchmarks.crowd`, told by JSON on its input.

Each is a connection that finds its frames in what it is sent, and comes back with the last id when a stream has
ended. In a process of its own, so that it shares no interpreter with whoever appends.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from typing import Any

# An id, and in the event's data the moment at which it was appended, in nanoseconds of the machine's clock.
_FRAME = re.compile(rb'id: (\d+)\nevent: message\ndata: [^\n]*?(?:"at":(\d+)[^\n]*)?\n\n')
_RETRY_SECONDS = 0.1
_TOGETHER = 20


class Browser(asyncio.Protocol):
    """One stream."""

    def __init__(self, crowd: Crowd, path: str) -> None:
        self._crowd = crowd
        self._path = path
        self._seen: int | None = None
        self._rest = b""
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._rest = b""
        since = f"Last-Event-ID: {self._seen}\r\n" if self._seen is not None else ""
        transport.write(f"GET {self._path} {self._crowd.request}{since}\r\n".encode())

    def data_received(self, data: bytes) -> None:
        """Note when the events in it have come."""
        now = time.monotonic_ns()
        self._rest += data
        end = 0
        for found in _FRAME.finditer(self._rest):
            end = found.end()
            seq = int(found[1])
            if self._seen is not None and seq != self._seen + 1:
                self._crowd.faults += 1
            self._seen = seq
            if found[2] and int(found[2]) > self._crowd.begun_at:
                self._crowd.latencies.append((now - int(found[2])) / 1e6)
        if b"event: reconnect" in self._rest[end:] and self.transport is not None:
            self.transport.close()
        self._rest = self._rest[end:]

    def connection_lost(self, exc: Exception | None) -> None:
        """Come back, as a browser does."""
        self.transport = None
        self._crowd.reconnects += 1
        self._crowd.loop.call_later(_RETRY_SECONDS, self.connect)

    def connect(self) -> None:
        """Open a connection."""
        if not self._crowd.over:
            self._crowd.tasks.add(
                task := self._crowd.loop.create_task(
                    self._crowd.loop.create_connection(lambda: self, "127.0.0.1", self._crowd.port)
                )
            )
            task.add_done_callback(self._crowd.tasks.discard)


class Crowd:
    """All of them."""

    def __init__(self, port: int, cookie: str) -> None:
        self.loop = asyncio.get_running_loop()
        self.port = port
        self.request = f"HTTP/1.1\r\nHost: localhost:{port}\r\nCookie: {cookie}\r\n"
        self.latencies: list[float] = []
        self.begun_at = 0
        self.faults = 0
        self.reconnects = 0
        self.over = False
        self.tasks: set[asyncio.Task[Any]] = set()

    async def gather(self, paths: list[str]) -> None:
        """Let a browser come for each of `paths`, some at a time."""
        for first in range(0, len(paths), _TOGETHER):
            for path in paths[first : first + _TOGETHER]:
                Browser(self, path).connect()
            await asyncio.sleep(0.1)


async def main() -> None:
    """Read {port, paths, cookie}, say when all are there; begin at the next line, and tell at the last."""
    asked = json.loads(sys.stdin.readline())
    crowd = Crowd(asked["port"], asked["cookie"])
    await crowd.gather(asked["paths"])
    print(json.dumps({"there": len(asked["paths"])}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    # What was appended before came when its stream began.
    crowd.begun_at = time.monotonic_ns()
    crowd.latencies.clear()
    print(json.dumps({}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    crowd.over = True
    seen = {"latencies": crowd.latencies, "faults": crowd.faults, "reconnects": crowd.reconnects}
    print(json.dumps(seen), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
