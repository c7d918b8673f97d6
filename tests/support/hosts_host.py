"""One host as the test holds it: its programs, its disk, its connections. See `tests.support.hosts`."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from studio.paths import ROOT
from tests.support.hosts_yard import MESSAGE_BYTES, Plot
from tests.support.waiting import eventually

# Of the block that is reserved for the benchmarks of networks (RFC 2544): no office network has it.
NETWORK = "198.18.77"
LISTEN_SECONDS = 30.0
# What a host's programs find of the test's own environment.
INHERITED = ("PATH", "LANG", "VIRTUAL_ENV")


class _Hosts(Protocol):
    """What a host needs of its `Hosts`."""

    folder: Path

    def __iter__(self) -> Iterator[Host]: ...

    def order(self, what: str, **order: Any) -> list[int]: ...


class HostError(RuntimeError):
    """A host, or the machine, did not do what was asked of it."""


class Program:
    """A program on a host."""

    def __init__(self, host: Host, pid: int, argv: Sequence[str], log: Path) -> None:
        self.pid = pid
        self.log = log
        self._host = host
        self._argv = argv

    @property
    def code(self) -> int | None:
        """The exit code, negative for a signal; None while it runs. `HostError` where its host is gone."""
        code = self._host.order("ended", pid=self.pid)["code"]
        return None if code is None else int(code)

    def wait(self, seconds: float) -> int:
        """Wait for the end and return the exit code; fail the test where it does not come."""
        eventually(lambda: self.code is not None, seconds, f"the end of {self._argv[:4]}\n{self.output()[-2000:]}")
        code = self.code
        assert code is not None
        return code

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the program, or to all of its session's group."""
        self._host.order("signal", pid=self.pid, number=int(number), group=group)

    def output(self) -> str:
        """Return what it has written."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""


class Host:
    """One host. `folder` is its disk; it survives the host's death, and no other host sees it."""

    def __init__(self, hosts: _Hosts, number: int, name: str, skew_seconds: int) -> None:
        self.name = name
        self.address = f"{NETWORK}.{number}"
        self.mac = f"02:00:0a:4d:00:{number:02x}"
        self.folder = hosts.folder / "disks" / name
        self.logs = hosts.folder / "logs" / name
        self.skew_seconds = skew_seconds
        self._hosts = hosts
        self._orders: socket.socket | None = None
        self._clock: Path | None = None
        for folder in (self.folder / "tmp", self.folder / "home", self.logs):
            folder.mkdir(parents=True)

    @property
    def up(self) -> bool:
        """Whether it runs."""
        return self._orders is not None

    def start(self) -> None:
        """Switch the host on, with an empty process list and the disk as it was; it is joined to the network."""
        assert self._orders is None, f"{self.name} runs already"
        neighbours = {h.name: (h.address, h.mac) for h in self._hosts if h is not self}
        plot = Plot(self.name, self.address, self.mac, str(self.folder), neighbours)
        (descriptor,) = self._hosts.order("start", plot=plot)
        self._orders = socket.socket(fileno=descriptor)
        # The first answer comes when its network is there.
        self.order("processes")

    def kill(self) -> None:
        """`kill -9` for all of the host's processes at one instant; its kernel still closes their connections."""
        self._hosts.order("kill", name=self.name)
        self.forget()

    def forget(self) -> None:
        """Give no more orders: it is, or will be, gone."""
        if self._orders is not None:
            self._orders.close()
        self._orders = None

    def power_off(self) -> None:
        """Pull the plug: nobody is told, and nothing is ever answered again."""
        self.cut_off()
        self.kill()

    def cut_off(self) -> None:
        """Let everything that is sent to and by this host vanish. Its own processes reach each other."""
        self._hosts.order("cut", name=self.name)

    def reconnect(self) -> None:
        """End a cut: what was sent meanwhile is sent again by TCP, in its own time."""
        self._hosts.order("join", name=self.name)

    def run(
        self, argv: Sequence[str | Path], name: str, environment: Mapping[str, str] | None = None, cwd: Path = ROOT
    ) -> Program:
        """Start a program with this host's environment and `environment`; its output is appended to `logs/name.log`."""
        log = self.logs / f"{name}.log"
        command = [str(part) for part in argv]
        with log.open("ab") as output:
            given = {**self.environment(), **(environment or {})}
            answer = self.order("start", argv=command, environment=given, cwd=str(cwd), descriptors=[output.fileno()])
        return Program(self, answer["pid"], command, log)

    def environment(self) -> dict[str, str]:
        """Return the variables that every program of this host has."""
        found = {name: os.environ[name] for name in INHERITED if name in os.environ}
        found |= {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "tmp"),
            "HOSTNAME": self.name,
            "PYTHONPATH": str(ROOT),
            # Several hosts share the checkout, which to each of them is its own.
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        if self.skew_seconds:
            if self._clock is None:
                self._clock = build_clock(self.folder)
            found |= {"LD_PRELOAD": str(self._clock), "SKEWED_CLOCK_SECONDS": str(self.skew_seconds)}
        return found

    def processes(self) -> dict[int, str]:
        """Return the command lines of the host's programs, by their ids on it."""
        return {int(pid): command for pid, command in self.order("processes")["processes"].items()}

    def tcp_socket(self) -> socket.socket:
        """Return a TCP socket on this host, for the test's own use."""
        return socket.socket(fileno=self.order("socket")["descriptors"][0])

    def connect(self, address: str, port: int, timeout: float = 10.0) -> socket.socket:
        """Return a connection from this host."""
        made = self.tcp_socket()
        try:
            made.settimeout(timeout)
            made.connect((address, port))
        except BaseException:
            made.close()
            raise
        return made

    def listens(self, port: int, seconds: float = LISTEN_SECONDS) -> None:
        """Wait until somebody answers at this host's `port`."""

        def answers() -> bool:
            with contextlib.suppress(OSError):
                self.connect(self.address, port, 1.0).close()
                return True
            return False

        eventually(answers, seconds, f"{self.name} listening at port {port}")

    def order(self, what: str, descriptors: Sequence[int] = (), **order: Any) -> dict[str, Any]:
        """Have pid 1 do something; return its answer, with the descriptors that came along."""
        if self._orders is None:
            raise HostError(f"{self.name} does not run")
        return ask(self._orders, {"do": what, **order}, descriptors)


def build_clock(folder: Path) -> Path:
    """Compile `skewed_clock.c`. Raise `HostError` with the reason where that is not possible."""
    library = folder / "skewed_clock.so"
    compiler = shutil.which("cc")
    if compiler is None:
        raise HostError("there is no C compiler (`cc`), which a wrong clock needs")
    source = Path(__file__).with_name("skewed_clock.c")
    done = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise HostError(f"{source.name} cannot be compiled: {done.stderr}")
    return library


def ask(orders: socket.socket, order: Mapping[str, Any], descriptors: Sequence[int] = ()) -> dict[str, Any]:
    """Give an order with descriptors; return the answer, with the `descriptors` that came along."""
    try:
        socket.send_fds(orders, [json.dumps(order).encode()], descriptors)
    except OSError as exc:
        raise HostError(f"nobody takes orders any more: {exc}") from exc
    return receive(orders)


def receive(orders: socket.socket) -> dict[str, Any]:
    """Return the next answer; raise `HostError` where it says what went wrong, or none comes."""
    try:
        message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE_BYTES, 4)
    except OSError as exc:
        raise HostError(f"no answer: {exc!r}") from exc
    if not message:
        raise HostError("whoever takes the orders has ended")
    answer: dict[str, Any] = json.loads(message)
    if "error" in answer:
        raise HostError(answer["error"])
    return {**answer, "descriptors": list(descriptors)}
