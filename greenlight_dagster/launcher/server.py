"""The launcher's server: hands accepted runs to idle workers and sees every process end.

One per Dagster instance, kept unique by a lock. It imports nothing of Dagster. Whatever it has to say to Dagster
(a worker died, a run cannot begin) it lets a worker say, who has everything loaded and connected.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import IO

from greenlight_dagster.launcher import messages
from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.logfile import bound_log
from greenlight_dagster.launcher.messages import Code, Launch, Message
from greenlight_dagster.launcher.pool import Pool

log = logging.getLogger("greenlight.launcher")

LOOK_SECONDS = 0.5
LOG_CHECK_SECONDS = 60.0
_PEER = struct.Struct("3i")


class Server:
    """Answers clients and workers on the socket; the runs themselves are in its `Pool`."""

    def __init__(self, config: LauncherConfig) -> None:
        self._config = config
        self._pool = Pool(config)
        self._clients: set[asyncio.StreamWriter] = set()
        # How many wait for an answer, which may take as long as code takes to load.
        self._asking = 0
        self._stopping = asyncio.Event()
        self._requests: dict[str, Callable[[Message], Awaitable[Message]]] = {
            "launch": self._launch,
            "warm": self._warm,
            "terminate": self._terminate,
            "status": self._status,
            "overview": self._overview,
        }

    async def run(self, listening: socket.socket) -> None:
        """Serve on the socket until told to stop, or until nobody needs the server any more.

        The runs go on without it: the next server finds them in the records.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        server = await asyncio.start_unix_server(self._serve, sock=listening, limit=messages.LIMIT_BYTES)
        log.info("serving on %s as process %d", self._config.socket, os.getpid())
        self._pool.resume()
        await self._wait_for_end()
        # Whoever comes from here on finds no socket, and starts the next server.
        self._config.socket.unlink(missing_ok=True)
        server.close()
        for client in self._clients:
            with contextlib.suppress(OSError):
                if self._stopping.is_set():
                    # So that they do not start the next one.
                    client.write(messages.encode({"stopping": True}))
                client.close()
        await self._pool.close()
        log.info("ended, %d runs go on", self._pool.running)
        # At once: on its usual way out, asyncio would cancel who attends to workers, and they be taken for lost.
        logging.shutdown()
        os._exit(0)

    async def _wait_for_end(self) -> None:
        loop = asyncio.get_running_loop()
        idle_since: float | None = None
        checked_log = loop.time()
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), LOOK_SECONDS)
            if loop.time() - checked_log > LOG_CHECK_SECONDS:
                checked_log = loop.time()
                bound_log(self._config.log)
            if self._clients or self._asking or not self._pool.empty:
                idle_since = None
            elif idle_since is None:
                idle_since = loop.time()
            elif loop.time() - idle_since > self._config.idle_seconds:
                log.info("nobody needs the launcher any more")
                return

    # --- connections

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _user_of(writer) == os.geteuid() and (line := await reader.readline()):
                await self._answer(messages.decode(line), reader, writer)
        except (OSError, ValueError) as exc:
            log.warning("a connection was closed: %s", exc)
        except Exception:
            log.exception("a connection was closed")
        finally:
            writer.close()

    async def _answer(self, message: Message, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = message.get("op")
        if kind == "worker":
            await self._pool.attend(int(message["pid"]), int(message["template"]), reader, writer)
        elif kind == "presence":
            self._clients.add(writer)
            try:
                await reader.read()
            finally:
                self._clients.discard(writer)
        else:
            request = self._requests.get(str(kind))
            self._asking += 1
            try:
                answer = await request(message) if request else {"error": f"There is no request {kind!r}."}
                writer.write(messages.encode(answer))
                await writer.drain()
            finally:
                self._asking -= 1

    async def _launch(self, message: Message) -> Message:
        return await self._pool.launch(Launch.from_message(message["launch"]), message["environment"])

    async def _warm(self, message: Message) -> Message:
        return await self._pool.warm(Code(**message["code"]), message["environment"])

    async def _terminate(self, message: Message) -> Message:
        return {"was": self._pool.terminate(message["run_id"])}

    async def _status(self, message: Message) -> Message:
        return self._pool.status(message["run_id"])

    async def _overview(self, _message: Message) -> Message:
        return {"pid": os.getpid(), **self._pool.overview()}


def _user_of(writer: asyncio.StreamWriter) -> int:
    """Return the user on the other end; the folder's mode keeps others out as well."""
    peer: socket.socket = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return os.geteuid()
    _pid, user, _group = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return int(user)


def _be_the_only_one(path: Path) -> IO[str] | None:
    """Take the server's lock for the life of this process; None where another server has it."""
    handle = path.open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        handle.close()
        return None
    return handle


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return listening


def main() -> None:
    """Serve with the configuration in the first argument, in a child that belongs to nobody.

    When this process ends well, a server listens: its own child, or one that was there before.
    """
    config = LauncherConfig.from_json(sys.argv[1])
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    held = _be_the_only_one(config.server_lock)
    if held is None:
        return
    with held, _listen(config.socket) as listening:
        if os.fork() > 0:
            # Whoever started us waits for this and no longer, and never has to reap a server.
            os._exit(0)
        os.setsid()
        held.truncate(0)
        held.write(f"{os.getpid()}\n{config.socket}\n")
        held.flush()
        asyncio.run(Server(config).run(listening))


if __name__ == "__main__":
    main()
