"""The processes of a sandbox, as /proc shows them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

_NAME_CHARS = 32
# A page that is only read costs no memory of its own, but one page of the kernel's for each stretch of addresses.
_PAGE_TABLES = b"VmPTE"


@dataclass(frozen=True)
class Process:
    """A process, its threads, and the memory that it may be the only one to hold, page tables too, in bytes."""

    pid: int
    parent: int
    name: str
    threads: int
    memory: int


def all_visible() -> list[Process]:
    """Return every process that this one's /proc shows, zombies excepted."""
    return [process for pid in _pids() if (process := _process(pid)) is not None]


def descendants(root: int) -> list[Process]:
    """Return the living processes below `root`."""
    children: dict[int, list[Process]] = {}
    for process in all_visible():
        children.setdefault(process.parent, []).append(process)
    found: list[Process] = []
    left = [root]
    while left:
        for child in children.get(left.pop(), []):
            found.append(child)
            left.append(child.pid)
    return found


def end_descendants(root: int, *, spared: int | None = None) -> None:
    """Kill everything below `root` but `spared`, until nothing is left that could start more."""
    while left := [process for process in descendants(root) if process.pid != spared]:
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        reap()


def reap() -> list[tuple[int, int]]:
    """Collect the ended children of this process without waiting; return (process id, status) of each."""
    ended: list[tuple[int, int]] = []
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if pid == 0:
            return ended
        ended.append((pid, status))


def held(pid: int) -> int:
    """Return the bytes of memory of a process, where what several share counts by its share; 0 where it is gone.

    Its page tables count with it: nobody shares them.
    """
    shares = _bytes(_values(pid, "smaps_rollup"), b"Pss_Anon", b"Pss_Shmem")
    return shares + _bytes(_values(pid, "status"), _PAGE_TABLES)


def _pids() -> Iterator[int]:
    with os.scandir("/proc") as entries:
        for entry in entries:
            if entry.name.isdigit():
                yield int(entry.name)


def _process(pid: int) -> Process | None:
    values = _values(pid, "status")
    if values.get(b"State", b"Z")[:1] == b"Z":
        # It has ended since, or is about to be gone.
        return None
    memory = _bytes(values, b"RssAnon", b"RssShmem", _PAGE_TABLES)
    name = values[b"Name"].decode("utf-8", "replace")[:_NAME_CHARS]
    return Process(pid, int(values[b"PPid"]), name, int(values.get(b"Threads", b"1")), memory)


def _values(pid: int, name: str) -> dict[bytes, bytes]:
    """Return what one of the kernel's tables says of a process; nothing where the process is gone."""
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    return {key: value.strip() for key, _, value in (line.partition(b":") for line in lines)}


def _bytes(values: dict[bytes, bytes], *keys: bytes) -> int:
    return sum(int(values.get(key, b"0 kB").split()[0]) * 1024 for key in keys)
