"""The clients' side of the launcher: ask the server, and start it where there is none."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict

from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.logfile import bound_log
from greenlight_dagster.launcher.messages import Channel, Code, Launch, Message
from greenlight_dagster.launcher.records import Process, Records
from greenlight_dagster.sockets import make_private
from studio.errors import StackError
from studio.paths import ROOT

# The server imports next to nothing, but the machine may be busy.
START_SECONDS = 30.0
POLL_SECONDS = 0.1
# A launch may have to wait for the code to be loaded.
ANSWER_SECONDS = 120.0


class LauncherClient:
    """Speaks to the one server of a Dagster instance. May be used from several threads."""

    def __init__(self, config: LauncherConfig) -> None:
        self._config = config

    def launch(self, launch: Launch) -> Message:
        """Have a run carried out; return `position` (0: it waits for no slot) and `limit`."""
        return self._ask({"op": "launch", "launch": launch.to_message(), "environment": dict(os.environ)})

    def warm(self, code: Code) -> None:
        """Return when workers can be forked that have loaded `code`."""
        self._ask({"op": "warm", "code": asdict(code), "environment": dict(os.environ)})

    def terminate(self, run_id: str) -> str:
        """Interrupt a run; return what it was: `waiting`, `running` or `unknown`."""
        return str(self._ask({"op": "terminate", "run_id": run_id})["was"])

    def status(self, run_id: str) -> Message:
        """Return `{"is": waiting|running|lost|unknown, "pid": …}` of a run."""
        return self._ask({"op": "status", "run_id": run_id})

    def overview(self) -> Message | None:
        """Return what the server has in hand; None where there is no server."""
        with contextlib.suppress(OSError):
            return self._ask({"op": "overview"}, start=False)
        return None

    def working(self) -> list[Process]:
        """Return the live processes that carry out runs, also where there is no server."""
        return Records(self._config.records).processes()

    def attend(self) -> bool:
        """Return when the server ends; until then, it knows that somebody needs it. True where it was told to stop."""
        with self._connected(start=True) as channel:
            channel.send({"op": "presence"})
            told = False
            while not told and (said := channel.receive()) is not None:
                told = bool(said.get("stopping"))
            return told

    def _ask(self, request: Message, *, start: bool = True) -> Message:
        """Send a request and return the answer. Raise `StackError` where it is an error."""
        # A server that ends between the question and the answer is followed by another: every request may be repeated.
        for last_try in (False, True):
            try:
                with self._connected(start=start) as channel:
                    channel.socket.settimeout(ANSWER_SECONDS)
                    channel.send(request)
                    answer = channel.receive()
                if answer is not None:
                    break
            except (ConnectionError, TimeoutError):
                if last_try:
                    raise
        else:
            raise StackError("The run launcher closed the connection.", f"Its log is {self._config.log}.")
        if "error" in answer:
            raise StackError(str(answer["error"]), f"The run launcher's log is {self._config.log}.")
        return answer

    @contextlib.contextmanager
    def _connected(self, *, start: bool) -> Iterator[Channel]:
        sock = self._connect()
        if sock is None and start:
            sock = self._start()
        if sock is None:
            raise ConnectionRefusedError("no run launcher serves this Dagster instance")
        with contextlib.closing(Channel(sock)) as channel:
            yield channel

    def _connect(self) -> socket.socket | None:
        with contextlib.ExitStack() as unless_connected:
            sock = unless_connected.enter_context(socket.socket(socket.AF_UNIX))
            try:
                sock.connect(str(self._config.socket))
            except (FileNotFoundError, ConnectionRefusedError):
                return None
            unless_connected.pop_all()
        return sock

    def _start(self) -> socket.socket:
        """Start the server, unless somebody else is just doing so; return a connection to it."""
        config = self._config
        config.records.mkdir(mode=0o700, parents=True, exist_ok=True)
        make_private(config.socket.parent)
        with config.start_lock.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if (sock := self._connect()) is not None:
                return sock
            bound_log(config.log)
            deadline = time.monotonic() + START_SECONDS
            while sock is None and time.monotonic() < deadline:
                _spawn(config)
                # A server that is just ending holds its lock for a moment, and keeps the next one from starting.
                sock = self._connect()
                time.sleep(0 if sock else POLL_SECONDS)
        if sock is None:
            raise StackError("The run launcher does not answer.", f"Its log is {config.log}.")
        return sock


def _spawn(config: LauncherConfig) -> None:
    """Start a server and return when it listens, or when another one holds the lock."""
    descriptor = os.open(config.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        # The process forks the server, which outlives whoever needed it first.
        subprocess.run(  # noqa: S603 - our own program
            [sys.executable, "-m", "greenlight_dagster.launcher.server", config.to_json()],
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            cwd=ROOT,
            timeout=START_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as exc:
        raise StackError(f"The run launcher does not start: {exc}.", f"Its log is {config.log}.") from exc
    finally:
        os.close(descriptor)
