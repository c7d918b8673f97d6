"""Which processes belong to a stack, and how they are ended.

Dagster's code server starts a process per run, a run starts tools, and each of them may lose its parent
before it ends. So kinship alone does not find them: every child also carries the stack's id in its
environment, which its own children inherit.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable

import psutil

MARKER = "GREENLIGHT_STACK_ID"
POLL_SECONDS = 0.05
# A killed process is gone as soon as the kernel has unwound it; one on a dead disk may never be.
_KILL_SECONDS = 5.0


def alive(process: psutil.Process) -> bool:
    """Say whether `process` still runs; one that only waits to be reaped does not."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def family(roots: Iterable[int]) -> set[psutil.Process]:
    """Return the live processes with the ids `roots`, and all their descendants."""
    children: dict[int | None, list[psutil.Process]] = {}
    everyone: dict[int, psutil.Process] = {}
    for process in psutil.process_iter():
        everyone[process.pid] = process
        children.setdefault(_parent(process), []).append(process)
    found: set[psutil.Process] = set()
    open_ends = [everyone[pid] for pid in roots if pid in everyone]
    while open_ends:
        process = open_ends.pop()
        if process not in found:
            found.add(process)
            open_ends += children.get(process.pid, [])
    return {process for process in found if alive(process)}


def marked(stack_id: str) -> set[psutil.Process]:
    """Return the live processes that carry `stack_id`, and all their descendants, but not this process."""
    roots = [process.pid for process in psutil.process_iter() if _marker(process) == stack_id]
    return {process for process in family(roots) if process.pid != os.getpid()}


def elders(processes: Iterable[psutil.Process]) -> set[psutil.Process]:
    """Return those of `processes` whose parent is not among them."""
    everyone = set(processes)
    pids = {process.pid for process in everyone}
    return {process for process in everyone if _parent(process) not in pids}


def terminate(processes: Iterable[psutil.Process]) -> None:
    """Ask `processes` to end."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()


def end(processes: Iterable[psutil.Process], *, grace: float) -> None:
    """Terminate `processes`, kill after `grace` seconds what still runs, and return when all are gone."""
    everyone = set(processes)
    terminate(everyone)
    for process in wait(everyone, grace):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    wait(everyone, _KILL_SECONDS)


def wait(processes: Iterable[psutil.Process], seconds: float) -> set[psutil.Process]:
    """Wait until all of `processes` are gone; return those that still run after `seconds`."""
    deadline = time.monotonic() + seconds
    remaining = {process for process in processes if alive(process)}
    while remaining and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        remaining = {process for process in remaining if alive(process)}
    return remaining


def _marker(process: psutil.Process) -> str | None:
    try:
        return str(process.environ().get(MARKER, ""))
    except (psutil.Error, OSError):
        return None  # another user's, or gone


def _parent(process: psutil.Process) -> int | None:
    try:
        return int(process.ppid())
    except psutil.NoSuchProcess:
        return None
