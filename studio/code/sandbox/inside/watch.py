"""The limits that no system call sets: the memory of all processes together, and what to say of the others.

Memory is looked at often, because nobody else counts it: control groups are not to be had by an ordinary user. Between
two looks a process may take more than it should; the kernel then ends one of ours first (`oom_score_adj`).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from . import processes
from .plan import Plan
from .processes import Process

CALM_SECONDS = 0.25
# While more than half of the memory is taken.
TENSE_SECONDS = 0.05
MEBIBYTE = 1024 * 1024
# The first process, and the one that made its user namespace, may count for the kernel, and do not here.
_UNSEEN = 2
# So that a program which runs into a limit again and again is not heard again and again.
MAX_NOTES = 20


class Watch:
    """Looks at the processes of a sandbox, ends what takes too much, and says so."""

    def __init__(self, plan: Plan, server: int, note: Callable[[str], None]) -> None:
        self._bounds = plan["bounds"]
        self._isolated = plan["isolated"]
        self._filesystems = plan["filesystems"]
        self._server = server
        self._note = note
        self._notes = 0
        self._reached: set[str] = set()

    def look(self) -> float:
        """Look once; return the seconds until the next look."""
        me = os.getpid()
        found = processes.all_visible() if self._isolated else processes.descendants(me)
        found = [process for process in found if process.pid != me]
        self._count(found)
        self._fill()
        taken = sum(process.memory for process in found)
        limit = self._bounds["memory_bytes"]
        if taken > limit:
            # The quick figure counts what a fork shares with its parent twice.
            exact = {process.pid: processes.held(process.pid) for process in found}
            taken = sum(exact.values())
            if taken > limit:
                self._end_largest(found, exact)
        return TENSE_SECONDS if taken > limit // 2 else CALM_SECONDS

    def _end_largest(self, found: list[Process], exact: dict[int, int]) -> None:
        limit = self._bounds["memory_bytes"]
        # The server only where it is the culprit itself: without it, the work is lost.
        able = [p for p in found if p.pid != self._server or exact[p.pid] > limit // 2]
        largest = max(able, key=lambda process: exact[process.pid])
        with suppress(ProcessLookupError):
            os.kill(largest.pid, signal.SIGKILL)
        self._say(
            f"{largest.name} was ended: it held {exact[largest.pid] // MEBIBYTE} MB of memory, and all processes"
            f" together more than their {limit // MEBIBYTE} MB."
        )

    def _count(self, found: list[Process]) -> None:
        limit = self._bounds["processes"]
        count = sum(process.threads for process in found)
        if count > limit:
            # Where the kernel does not hold the limit: then nothing but ending all of them is quick enough.
            for process in found:
                if process.pid != self._server:
                    with suppress(ProcessLookupError):
                        os.kill(process.pid, signal.SIGKILL)
            self._say(f"Everything that ran was ended: there were {count} processes and threads, {limit} are allowed.")
            return
        text = f"There were {count} processes and threads of {limit}: more could not be started."
        self._once("processes", count >= limit - _UNSEEN, text)

    def _fill(self) -> None:
        for filesystem in self._filesystems:
            target = filesystem["target"]
            state = os.statvfs(target)
            self._once(target, state.f_bavail == 0, f"{target} is full: it holds {filesystem['bytes'] // MEBIBYTE} MB.")
            self._once(
                f"{target} files",
                state.f_ffree == 0,
                f"{target} is full: it holds {filesystem['inodes']} files and folders.",
            )

    def _once(self, what: str, reached: bool, text: str) -> None:
        if reached and what not in self._reached:
            self._say(text)
        if reached:
            self._reached.add(what)
        else:
            self._reached.discard(what)

    def _say(self, text: str) -> None:
        self._notes += 1
        if self._notes <= MAX_NOTES:
            self._note(text)
