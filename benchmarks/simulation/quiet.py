"""Measuring on a machine with neighbours: waits for a quiet moment, and keeps the least disturbed of some tries."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import psutil

from benchmarks import processes

T = TypeVar("T", bound=Mapping[str, Any])

# Cores that other programs may keep busy before that counts as a disturbance.
QUIET_CORES = 0.25
TRIES = 2
LOOK_SECONDS = 2.0


def busy_seconds() -> float:
    """Return the CPU seconds that all programs of the machine have used, and its host has taken away."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system + getattr(times, "irq", 0) + getattr(times, "steal", 0))


def beside_others(work: Callable[[], dict[str, Any]], server: psutil.Process) -> dict[str, Any]:
    """Return what `work` does, with the cores that neither this process nor the database `server` has used."""

    def ours() -> float:
        return processes.cpu_seconds([psutil.Process(), server, *server.children(recursive=True)])

    mine, busy, began = ours(), busy_seconds(), time.monotonic()
    found = work()
    others = busy_seconds() - busy - (ours() - mine)
    return {**found, "others": max(0.0, others) / (time.monotonic() - began)}


class Quiet:
    """Waits up to `patience` seconds before each measurement; without patience everything is measured once."""

    def __init__(self, patience: float, say: Callable[[str], None]) -> None:
        self._patience = patience
        self._say = say

    def best(self, what: str, measure: Callable[[], T]) -> T:
        """Return the result of `measure` with the fewest cores used by `others`, of some tries at most."""
        found: T | None = None
        for _ in range(TRIES if self._patience else 1):
            self._wait()
            one = measure()
            self._say(f"  {what}: others took {one['others']:.2f} cores")
            if found is None or one["others"] < found["others"]:
                found = one
            if found["others"] <= QUIET_CORES:
                break
        assert found is not None
        return found

    def _wait(self) -> None:
        until = time.monotonic() + self._patience
        while time.monotonic() < until:
            before, began = busy_seconds(), time.monotonic()
            time.sleep(LOOK_SECONDS)
            if (busy_seconds() - before) / (time.monotonic() - began) <= QUIET_CORES:
                return
