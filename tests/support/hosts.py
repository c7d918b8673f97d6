"""Hosts for tests: each has a network address, a name, a disk and processes of its own, and can be lost.

They are Linux namespaces on a bridge that nobody else can see (`tests.support.hosts_yard`). A host can be cut off, so
that what is sent to it and by it vanishes without a word, as at a broken cable; it can be killed, at one instant; and
its clock can be wrong (`tests/support/skewed_clock.c`). The code, Python and Debian's programs are the machine's.

    with Hosts(["control", "worker"]) as hosts:
        program = hosts["worker"].run([sys.executable, "-m", "http.server"], "web")
        hosts["control"].connect(hosts["worker"].address, 8000)
        hosts["worker"].cut_off()

Needs Linux with namespaces and `ip`; root, or a kernel that lets others make user namespaces. `hosts_or_skip` says why
a test is left out elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from studio.paths import ROOT
from tests.support import hosts_host
from tests.support.hosts_host import Host, HostError

START_SECONDS = 30.0


class Hosts:
    """The hosts of a test by their names, all switched on. A context manager; at its end nothing of them is left.

    `skews` says by how many seconds the clock of which host is ahead.
    """

    def __init__(self, names: Sequence[str], skews: Mapping[str, int] | None = None) -> None:
        # In memory where that is possible: the database's disk is among it.
        memory = Path("/dev/shm")
        self.folder = Path(tempfile.mkdtemp(prefix="gl-hosts-", dir=memory if os.access(memory, os.W_OK) else None))
        self.folder.chmod(0o755)
        self._by_name = {
            name: Host(self, number, name, (skews or {}).get(name, 0)) for number, name in enumerate(names, 1)
        }
        self._yard: subprocess.Popen[bytes] | None = None
        self._orders: socket.socket | None = None

    def __enter__(self) -> Hosts:
        self._orders, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._orders.settimeout(START_SECONDS)
        self._yard = subprocess.Popen(
            [sys.executable, "-m", "tests.support.hosts_yard", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        theirs.close()
        try:
            hosts_host.receive(self._orders)
            for host in self:
                host.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for host in self:
            host.forget()
        if self._orders is not None:
            self._orders.close()
        if self._yard is not None:
            # The kernel ends whatever lives in it.
            self._yard.kill()
            self._yard.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __iter__(self) -> Iterator[Host]:
        return iter(self._by_name.values())

    def __getitem__(self, name: str) -> Host:
        return self._by_name[name]

    @property
    def pid(self) -> int:
        """The process that keeps them."""
        assert self._yard is not None
        return self._yard.pid

    def order(self, what: str, **order: Any) -> list[int]:
        """Have the yard do something; return the descriptors that came along."""
        assert self._orders is not None
        found: list[int] = hosts_host.ask(self._orders, {"do": what, **order})["descriptors"]
        return found


@contextlib.contextmanager
def hosts_or_skip(names: Sequence[str], skews: Mapping[str, int] | None = None) -> Iterator[Hosts]:
    """Lend hosts; skip the test, and say why, where this machine cannot have any."""
    if not sys.platform.startswith("linux"):
        pytest.skip("hosts are Linux namespaces")
    if shutil.which("ip", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") is None:
        pytest.skip("hosts need iproute2 (`ip`)")
    with contextlib.ExitStack() as left:
        try:
            hosts = left.enter_context(Hosts(names, skews))
            for host in hosts:
                host.environment()
        except HostError as exc:
            pytest.skip(f"this machine cannot have hosts: {exc}")
        yield hosts
