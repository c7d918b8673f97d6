"""The server: a socket, a port file, and a prompt end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from studio.listening import write_port
from web.connections import WebConnection

# What is being answered when the server stops may be answered to its end for this long.
STOP_SECONDS = 3


class WebServer(uvicorn.Server):
    """Serves an application until `stop()`; signals are the business of whoever runs it.

    `trusted_proxies` are the addresses whose word about a visitor's address counts, separated by commas. `at_end` is
    called when it begins to stop: it ends what would last.
    """

    def __init__(
        self,
        app: FastAPI,
        *,
        port_file: Path | None = None,
        trusted_proxies: str | None = None,
        http: type[WebConnection] = WebConnection,
        at_end: Callable[[], None] = lambda: None,
    ) -> None:
        config = uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies or "",
            timeout_graceful_shutdown=STOP_SECONDS,
        )
        super().__init__(config)
        self._port_file = port_file
        self._at_end = at_end
        self._app = app
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen; then, not before, write the port file. One of an earlier start is removed first."""
        if self._port_file:
            self._port_file.unlink(missing_ok=True)
        await super().startup(sockets=sockets)
        if self._port_file and self.started and sockets:
            write_port(self._port_file, sockets[0].getsockname()[1])

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is open, and take the port file away."""
        await asyncio.to_thread(self._at_end)
        await super().shutdown(sockets=sockets)
        if self._port_file:
            self._port_file.unlink(missing_ok=True)

    def stop(self) -> None:
        """End the server. May be called from any thread or signal handler."""
        self._app.state.site.stopping.set()
        self.should_exit = True
