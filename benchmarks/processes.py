"""Which processes a stack consists of, by part, and what they cost."""

from __future__ import annotations

import os
from collections.abc import Iterable

import psutil

from greenlight_dagster.stack import descent, parts, state
from greenlight_dagster.stack.stack import Stack

SUPERVISOR = "supervisor"
WARDEN = "warden"
RUNS = "runs"
_MEGABYTE = 1024 * 1024


def by_part(stack: Stack, postgres_pid: int) -> dict[str, set[psutil.Process]]:
    """Return all processes of `stack`, and of the database server, by the part they belong to.

    A process belongs to the nearest part among its ancestors. This process is the supervisor.
    """
    roots = {record.pid: name for name, record in state.running_state(stack.folder).processes.items()}
    roots |= {postgres_pid: parts.POSTGRES, os.getpid(): SUPERVISOR}
    found: dict[str, set[psutil.Process]] = {}
    for process in descent.family(roots) | descent.marked(stack.id):
        found.setdefault(_part(process, roots), set()).add(process)
    return found


def _part(process: psutil.Process, roots: dict[int, str]) -> str:
    try:
        if any("greenlight_dagster.stack.warden" in argument for argument in process.cmdline()):
            return WARDEN
        for ancestor in (process, *process.parents()):
            if (name := roots.get(ancestor.pid)) is not None:
                return name
    except psutil.NoSuchProcess:
        pass
    # A run outlives the code server that has started it.
    return RUNS


def cpu_seconds(processes: Iterable[psutil.Process]) -> float:
    """Return the CPU time of `processes` and of those of their children that have ended and been waited for.

    The difference of two such sums holds the time of short-lived children, too: a server's process for each of
    the connections that are opened for one question, for instance.
    """
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def pss_megabytes(process: psutil.Process) -> float:
    """Return the process's memory, of which shared pages count by share (Linux); elsewhere its own, unshared."""
    full = process.memory_full_info()
    return float(getattr(full, "pss", full.uss)) / _MEGABYTE


def spare_pids(stack: Stack) -> set[int]:
    """Return the workers that wait for their first run; empty where another launcher is configured."""
    return set((stack.folders.launcher.overview() or {}).get("spares", ()))
