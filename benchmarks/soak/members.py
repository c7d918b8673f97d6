"""The processes of a stack, by part and role: memory, open descriptors, threads, processor time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psutil

from benchmarks import processes
from benchmarks.bed import Bed

LOAD = "load"
RUNS = processes.RUNS
# By what their command lines say. A part starts helpers of its own, and here also the load and a fleet's processes
# count as the supervisor's otherwise.
_ROLES = {
    "benchmarks.soak.load": LOAD,
    "redis-server": "broker",
    "greenlight_dagster.cli.main": "worker",
    "greenlight_dagster.launcher.server": "launcher",
    "greenlight_dagster.launcher.template": "template",
}
_KILOBYTES_PER_MEGABYTE = 1024


def look(bed: Bed) -> dict[str, Any]:
    """Return `parts`, figures by part, and `processes`, megabytes by part, process id and moment of its start."""
    parts: dict[str, dict[str, float]] = {}
    each: dict[str, float] = {}
    for part, members in processes.by_part(bed.stack, bed.server.pid).items():
        for process in members:
            try:
                role = role_of(process, part)
                megabytes = memory_megabytes(process)
                descriptors, threads = process.num_fds(), process.num_threads()
                name = f"{role} {process.pid} {process.create_time():.0f}"
            except (psutil.Error, OSError):
                continue  # it has ended meanwhile
            cpu = processes.cpu_seconds([process])
            found = parts.setdefault(
                role, dict.fromkeys(("memory", "largest", "processes", "fds", "threads", "cpu"), 0.0)
            )
            found["memory"] += megabytes
            found["largest"] = max(found["largest"], megabytes)
            found["processes"] += 1
            found["fds"] += descriptors
            found["threads"] += threads
            found["cpu"] += cpu
            each[name] = round(megabytes, 2)
    return {
        "parts": {part: {what: round(value, 2) for what, value in found.items()} for part, found in parts.items()},
        "processes": each,
    }


def memory_megabytes(process: psutil.Process) -> float:
    """Return PSS in megabytes without what lies in shared memory; elsewhere than on Linux the unshared memory.

    PostgreSQL's shared buffers are as large as its settings say, but count only as far as they have been touched: on a
    fresh server that grows for hours, and is no leak.
    """
    rollup = Path(f"/proc/{process.pid}/smaps_rollup")
    if not rollup.parent.exists():
        return processes.pss_megabytes(process)
    kilobytes = {
        line.partition(":")[0]: int(line.split()[1])
        for line in rollup.read_text().splitlines()[1:]
        if line.endswith("kB")
    }
    return (kilobytes["Pss"] - kilobytes.get("Pss_Shmem", 0)) / _KILOBYTES_PER_MEGABYTE


def role_of(process: psutil.Process, part: str) -> str:
    """Return what a process of `part` does there, by the command lines of it and of those that it descends from."""
    # A process belongs to the nearest one that has a role; a stack's own part has one by its place.
    if process.pid == os.getpid():
        return part
    for ancestor in (process, *process.parents()):
        if ancestor.pid == os.getpid():
            break
        role = next((role for word, role in _ROLES.items() if any(word in said for said in ancestor.cmdline())), None)
        if role == "template" and _forked(process):
            return RUNS
        if role is not None:
            return role
    return part


def _forked(process: psutil.Process) -> bool:
    # A run's process is a fork of a template, with the same command line, and so are the tools that it starts.
    return any("greenlight_dagster.launcher.template" in said for p in process.parents() for said in p.cmdline())
