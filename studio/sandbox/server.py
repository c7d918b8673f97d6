"""The server: a socket, a port file, and a prompt end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from studio.listening import write_port
from studio.sandbox.routes import Sandbox, application

# Streams end at once when the server stops; what still runs after this many seconds is cancelled.
STOP_SECONDS = 1


class _NoCutConnections(logging.Filter):
    """Closing a connection in mid-answer is what faults and a prompt stop do; uvicorn calls it an error."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Drop uvicorn's message about it."""
        return "without completing response" not in record.getMessage()


class SandboxServer(uvicorn.Server):
    """Serves a sandbox until `stop()`; signals are the business of whoever runs it."""

    def __init__(self, sandbox: Sandbox, *, port_file: Path | None = None) -> None:
        config = uvicorn.Config(
            application(sandbox),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        super().__init__(config)
        self._sandbox = sandbox
        self._port_file = port_file
        self._loop: asyncio.AbstractEventLoop | None = None
        _quiet()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen; then, not before, write the port file. One of an earlier start is removed first."""
        self._loop = asyncio.get_running_loop()
        if self._port_file:
            self._port_file.unlink(missing_ok=True)
        await super().startup(sockets=sockets)
        if self._port_file and self.started and sockets:
            write_port(self._port_file, sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is open, and take the port file away."""
        await super().shutdown(sockets=sockets)
        if self._port_file:
            self._port_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server; open streams are cut at once. May be called from any thread or signal handler."""
        self.should_exit = True
        if self._loop is not None:
            # A loop that is closed already has nothing left to cut.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._sandbox.clock.stopping.set)


def _quiet() -> None:
    log = logging.getLogger("uvicorn.error")
    log.setLevel(logging.WARNING)
    if not any(isinstance(known, _NoCutConnections) for known in log.filters):
        log.addFilter(_NoCutConnections())
