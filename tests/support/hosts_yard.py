"""The process that keeps the hosts of a test: a private network, a bridge in it, and pid 1 of every host.

`python -m tests.support.hosts_yard FD` is started by `tests.support.hosts` and takes orders over the socket `FD`. All
that it makes is in namespaces: the machine's own network is never touched. Every process of every host lives in the
yard's process namespace, so that all of them are gone when the yard is, however the test ends: the yard dies with the
process that started it, and the kernel kills the rest.

Without root the yard makes a user namespace first, in which it may do the same.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from studio.code.sandbox.inside import linux
from tests.support import hosts_init

BRIDGE = "lan"
PREFIX = 24
MESSAGE_BYTES = 1 << 18

_PR_SET_PDEATHSIG = 1
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_NET_ADMIN = 12
_CAPABILITY_VERSION = 0x20080522


class Plot(NamedTuple):
    """What makes a host another one than its neighbours."""

    name: str
    address: str
    mac: str
    folder: str
    neighbours: dict[str, tuple[str, str]]


def die_with_parent() -> None:
    """Be killed when the process that started this one ends."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def become_ruler() -> None:
    """Without root: enter a user namespace in which this user may make all others. Each program stays that user."""
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        return
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def _keep_net_admin() -> None:
    """Let the program that is about to be started keep the right to configure this network: for who is not root."""
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    held = (ctypes.c_uint32 * 6)()
    libc.capget(header, held)
    held[2] |= 1 << _CAP_NET_ADMIN
    libc.capset(header, held)
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_NET_ADMIN, 0, 0)


def ip(*arguments: str) -> None:
    """Run iproute2's `ip`; raise `RuntimeError` with what it says."""
    done = subprocess.run(
        ["ip", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/sbin:/usr/bin:/bin"},
        preexec_fn=None if os.geteuid() == 0 else _keep_net_admin,
    )
    if done.returncode != 0:
        raise RuntimeError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Yard:
    """The hosts by name, and what can be done to them from outside."""

    def __init__(self, orders: socket.socket) -> None:
        self._orders = orders
        self._inits: dict[str, int] = {}
        linux.loopback_up()
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("link", "set", BRIDGE, "up")

    def serve(self) -> None:
        """Carry out orders until the test's end of the socket is closed."""
        # What a killed host leaves is collected by name; other orphans collect themselves.
        while message := self._orders.recv(MESSAGE_BYTES):
            order = json.loads(message)
            todo: dict[str, Callable[..., list[int]]] = {
                "start": self.start,
                "kill": self.kill,
                "cut": self.cut,
                "join": self.join,
            }
            handed: list[int] = []
            try:
                handed = todo[order.pop("do")](**order)
                answer: dict[str, Any] = {"done": True}
            except (OSError, RuntimeError) as exc:
                answer = {"error": str(exc)}
            socket.send_fds(self._orders, [json.dumps(answer).encode()], handed)
            for descriptor in handed:
                os.close(descriptor)

    def start(self, plot: list[Any]) -> list[int]:
        """Start a host; return the other end of the socket of its pid 1."""
        host = Plot(*plot)
        theirs, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        wired, wire = os.pipe()
        pid = _fork_into_namespaces(lambda: _live(host, ours, wired), keep={ours.fileno(), wired})
        ours.close()
        os.close(wired)
        self._inits[host.name] = pid
        port = _port(host.name)
        # A host that was killed a moment ago may still have its end.
        with contextlib.suppress(RuntimeError):
            ip("link", "delete", port)
        ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "address", host.mac, "netns", str(pid))
        ip("link", "set", port, "master", BRIDGE, "up")
        os.close(wire)
        return [theirs.detach()]

    def kill(self, name: str) -> list[int]:
        """Kill every process of a host at one instant, and return when none is left."""
        pid = self._inits.pop(name)
        os.kill(pid, signal.SIGKILL)
        # The kernel lets pid 1 of a namespace be collected only when all the others are gone.
        os.waitpid(pid, 0)
        return []

    def cut(self, name: str) -> list[int]:
        """Take the host's cable out of the bridge: it keeps its link, and what it sends goes nowhere."""
        ip("link", "set", _port(name), "nomaster")
        return []

    def join(self, name: str) -> list[int]:
        """Put the cable back."""
        ip("link", "set", _port(name), "master", BRIDGE)
        return []


def _port(name: str) -> str:
    # Names of devices have 15 characters.
    return f"to-{name}"[:15]


def _fork_into_namespaces(live: Callable[[], None], keep: set[int]) -> int:
    """Run `live` as pid 1 of namespaces of its own; return its id in this one."""
    reading, writing = os.pipe()
    middle = os.fork()
    if middle == 0:
        linux.unshare(
            linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWPID
        )
        pid = os.fork()
        if pid != 0:
            os.write(writing, str(pid).encode())
            os._exit(0)
        code = 1
        try:
            _close_all_but(keep | {0, 1, 2})
            live()
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    said = os.read(reading, 20)
    os.close(reading)
    _, status = os.waitpid(middle, 0)
    if not said:
        raise RuntimeError(f"a host's namespaces could not be made (exit code {os.waitstatus_to_exitcode(status)})")
    return int(said)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            with contextlib.suppress(OSError):
                os.close(int(name))


def _live(host: Plot, orders: socket.socket, wired: int) -> None:
    """Be pid 1 of `host`."""
    hosts_init.furnish(Path(host.folder), host.name, {host.name: host.address, **_addresses(host)})
    os.read(wired, 1)  # ends when the cable is there
    linux.loopback_up()
    ip("address", "add", f"{host.address}/{PREFIX}", "dev", "eth0")
    ip("link", "set", "eth0", "up")
    for address, mac in host.neighbours.values():
        # Who asks for a host that is cut off would else be told that there is none; across routers nobody tells.
        ip("neighbour", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent")
    hosts_init.serve(orders)


def _addresses(host: Plot) -> dict[str, str]:
    return {name: address for name, (address, _) in host.neighbours.items()}


def main(descriptor: int) -> int:
    """Make the private world, and serve in it as its first process."""
    die_with_parent()
    orders = socket.socket(fileno=descriptor)
    try:
        become_ruler()
        linux.unshare(
            linux.CLONE_NEWNET | linux.CLONE_NEWUTS | linux.CLONE_NEWNS | linux.CLONE_NEWIPC | linux.CLONE_NEWPID
        )
    except OSError as exc:
        orders.send(json.dumps({"error": str(exc)}).encode())
        return 1
    first = os.fork()
    if first:
        orders.close()
        _, status = os.waitpid(first, 0)
        return os.waitstatus_to_exitcode(status)
    die_with_parent()
    try:
        linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
        linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
        yard = Yard(orders)
    except (OSError, RuntimeError) as exc:
        orders.send(json.dumps({"error": str(exc)}).encode())
        return 1
    orders.send(json.dumps({"done": True}).encode())
    yard.serve()
    return 0


if __name__ == "__main__":
    os._exit(main(int(sys.argv[1])))
