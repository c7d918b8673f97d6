"""Brokers on a host: Debian's `redis-server` and `rabbitmq-server`, each with folders and a port of its own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
from pathlib import Path
from typing import ClassVar

import pytest

from tests.support.hosts_host import Host, Program

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin:/usr/lib/rabbitmq/bin"
RABBIT_START_SECONDS = 120.0


def _installed(program: str, package: str) -> str:
    found = shutil.which(program, path=PATH)
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: {package})")
    return found


class HostRedis:
    """A Redis on `host` that keeps nothing on a disk: it comes back empty."""

    PORT: ClassVar[int] = 6379

    def __init__(self, host: Host) -> None:
        self.host = host
        self.url = f"redis://{host.address}:{self.PORT}/0"
        self._program: Program | None = None

    def start(self) -> None:
        """Start it and return when it answers."""
        options = ["--bind", self.host.address, "127.0.0.1", "--port", str(self.PORT), "--protected-mode", "no"]
        nowhere = ["--save", "", "--appendonly", "no", "--dir", str(self.host.folder)]
        self._program = self.host.run([_installed("redis-server", "redis-server"), *options, *nowhere], "redis")
        self.host.listens(self.PORT)

    def crash(self) -> None:
        """Kill it: whatever it held is gone."""
        assert self._program is not None
        self._program.send(signal.SIGKILL)
        self._program.wait(30.0)

    def ask(self, *words: str) -> bytes:
        """Send one command by Redis' protocol from the host itself, and return the first line of the answer."""
        with contextlib.closing(self.host.connect(self.host.address, self.PORT)) as conn:
            asked = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
            conn.sendall(f"*{len(words)}\r\n{asked}".encode())
            with conn.makefile("rb") as answer:
                return answer.readline().strip()


class HostRabbit:
    """A RabbitMQ on `host`, under a node name of its own, without Erlang's port mapper of the machine."""

    PORT: ClassVar[int] = 5672

    def __init__(self, host: Host) -> None:
        self.host = host
        self.url = f"amqp://guest:guest@{host.address}:{self.PORT}//"
        self._folder = host.folder / "rabbitmq"
        self._program: Program | None = None

    def start(self) -> None:
        """Start it, which takes some seconds, and return when it answers."""
        _installed("rabbitmq-server", "rabbitmq-server")
        (self._folder / "log").mkdir(parents=True, exist_ok=True)
        # Guests are let in from loopback alone by default.
        settings = self._folder / "rabbitmq.conf"
        settings.write_text(f"listeners.tcp.1 = 0.0.0.0:{self.PORT}\nloopback_users = none\n")
        plugins = self._folder / "enabled_plugins"
        plugins.write_text("[].\n")
        server = _server()
        self._program = self.host.run(
            [server],
            "rabbitmq",
            {
                "PATH": PATH,
                "HOME": str(self._folder),
                "RABBITMQ_NODENAME": f"rabbit@{self.host.name}",
                "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
                "RABBITMQ_LOG_BASE": str(self._folder / "log"),
                "RABBITMQ_CONFIG_FILE": str(settings.with_suffix("")),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
                "RABBITMQ_PID_FILE": str(self._folder / "pid"),
                "RABBITMQ_CONF_ENV_FILE": str(self._folder / "none"),
                "RABBITMQ_ADVANCED_CONFIG_FILE": str(self._folder / "advanced.config"),
            },
        )
        self.host.listens(self.PORT, RABBIT_START_SECONDS)

    def stop(self) -> None:
        """Let it end in order."""
        assert self._program is not None
        self._program.send(signal.SIGTERM)
        self._program.wait(60.0)


def _server() -> str:
    # Debian's wrapper in PATH insists on being root or the system user, and changes to the latter.
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    return str(inner) if inner.exists() else _installed("rabbitmq-server", "rabbitmq-server")
