"""Pid 1 of a host: makes its rooms, starts its programs as it is told, and collects what ends.

Runs in a fork of `tests.support.hosts_yard`. Programs are in sessions of their own; whoever outlives its parent
becomes a child of this process, as on any machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
from pathlib import Path
from typing import Any

from studio.code.sandbox.inside import linux

MESSAGE_BYTES = 1 << 18


def furnish(folder: Path, name: str, addresses: dict[str, str]) -> None:
    """Give this host its name, its process list, its shared memory, and its own disk alone.

    The disk is `folder`; those of the other hosts, beside it, are hidden. Everything else is the machine's.
    """
    socket.sethostname(name)
    linux.mount(None, "/", None, linux.MS_REC | linux.MS_PRIVATE)
    linux.mount("proc", "/proc", "proc", linux.MS_NOSUID | linux.MS_NODEV | linux.MS_NOEXEC)
    names = folder / "hosts"
    names.write_text(
        "".join(f"{address} {host}\n" for host, address in {"localhost": "127.0.0.1", **addresses}.items())
    )
    linux.mount(str(names), "/etc/hosts", None, linux.MS_BIND)
    own = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    # Semaphores of killed programs end with the host.
    linux.mount("tmpfs", "/dev/shm", "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=1777")
    folder.parent.mkdir(parents=True, exist_ok=True)
    linux.mount("tmpfs", str(folder.parent), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=0755")
    folder.mkdir()
    linux.mount(f"/proc/self/fd/{own}", str(folder), None, linux.MS_BIND)
    os.close(own)
    os.chdir(folder)


class _Programs:
    """What was started here, and how it ended."""

    def __init__(self) -> None:
        self._ended: dict[int, int] = {}

    def start(self, argv: list[str], environment: dict[str, str], cwd: str, output: int) -> dict[str, Any]:
        """Start a program whose output goes to the descriptor `output`."""
        started = subprocess.Popen(
            argv,
            env=environment,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            restore_signals=True,
        )
        # Pid 1 collects everybody's children, so this object must not wait for its own.
        started.returncode = 0
        return {"pid": started.pid}

    def ended(self, pid: int) -> dict[str, Any]:
        """Say how a program ended: its exit code, negative for a signal, or None while it runs."""
        self.collect()
        return {"code": self._ended.get(pid)}

    def collect(self) -> None:
        """Collect all that has ended, orphans included."""
        with contextlib.suppress(ChildProcessError):
            while (found := os.waitpid(-1, os.WNOHANG))[0]:
                self._ended[found[0]] = os.waitstatus_to_exitcode(found[1])


def _signal(pid: int, number: int, group: bool) -> dict[str, Any]:
    with contextlib.suppress(ProcessLookupError):
        (os.killpg if group else os.kill)(pid, number)
    return {}


def _processes() -> dict[str, Any]:
    found: dict[str, str] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != "1":
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                # A zombie has none.
                if command:
                    found[entry.name] = command
    return {"processes": found}


def serve(orders: socket.socket) -> None:
    """Carry out orders until the test's end of the socket is closed; then everything here ends."""
    programs = _Programs()
    # The default action of a signal does not reach pid 1 of a namespace; a handler makes `select` return.
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    while True:
        ready, _, _ = select.select([orders.fileno(), reading], [], [])
        if reading in ready:
            os.read(reading, 4096)
            programs.collect()
        if orders.fileno() not in ready:
            continue
        message, descriptors, _, _ = socket.recv_fds(orders, MESSAGE_BYTES, 1)
        if not message:
            return
        _answer(orders, programs, json.loads(message), descriptors)


def _answer(orders: socket.socket, programs: _Programs, order: dict[str, Any], descriptors: list[int]) -> None:
    what = order.pop("do")
    handed: list[int] = []
    try:
        if what == "start":
            answer = programs.start(**order, output=descriptors[0])
        elif what == "ended":
            answer = programs.ended(**order)
        elif what == "signal":
            answer = _signal(**order)
        elif what == "processes":
            programs.collect()
            answer = _processes()
        elif what == "socket":
            # A socket belongs to the network it was made in, whoever uses it.
            handed = [socket.socket().detach()]
            answer = {}
        else:
            answer = {"error": f"there is no order {what!r}"}
    except OSError as exc:
        answer = {"error": str(exc)}
    socket.send_fds(orders, [json.dumps(answer).encode()], handed)
    for descriptor in [*descriptors, *handed]:
        os.close(descriptor)
