"""Start parts, and start them again when they die."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from greenlight_dagster.stack.child import Child
from greenlight_dagster.stack.parts import Part
from studio.backoff import Backoff
from studio.errors import StackError
from studio.paths import ROOT

POLL_SECONDS = 0.05
# The first and the longest pause before what keeps failing is tried again.
RESTART_SECONDS = (0.2, 30.0)
# A part that has run for this long has recovered; its next death is a new story.
STABLE_SECONDS = 60.0


class Abandoned(Exception):
    """The start was called off, because the stack is to stop or another part failed."""


@dataclass
class _Kept:
    part: Part
    child: Child
    backoff: Backoff
    restart_at: float | None = None
    returning: bool = False


class Keeper:
    """The children of a stack. `changed` is called after each start, `say` takes lines for a person."""

    def __init__(
        self,
        logs: Path,
        environment: Callable[[], Mapping[str, str]],
        *,
        say: Callable[[str], None],
        changed: Callable[[], None],
    ) -> None:
        self._logs = logs
        self._environment = environment
        self._say = say
        self._changed = changed
        self._kept: dict[str, _Kept] = {}
        self.abandon = threading.Event()

    def children(self) -> dict[str, Child]:
        """Return the children by part name, the dead among them too."""
        return {name: kept.child for name, kept in list(self._kept.items())}

    def start(self, part: Part) -> None:
        """Start `part` and return when it answers.

        Raise `StackError` with the end of its log where it does not, and `Abandoned` where `abandon` is set.
        """
        for attempt in range(part.retries + 1):
            child = self._launch(part)
            self._kept[part.name] = _Kept(part, child, Backoff(*RESTART_SECONDS))
            self._changed()
            if self._becomes_ready(part, child):
                return
            if child.running or attempt == part.retries:
                raise _start_failure(part, child)

    def together(self, *tasks: Callable[[], None]) -> None:
        """Do `tasks` at the same time; raise the first error, after the others have been called off."""
        with ThreadPoolExecutor(len(tasks), thread_name_prefix="greenlight-stack") as pool:
            futures = [pool.submit(task) for task in tasks]
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            errors = [error for future in done if (error := future.exception()) is not None]
            if errors:
                self.abandon.set()
        # A real error says more than that of a task which it had called off.
        for error in sorted(errors, key=lambda error: isinstance(error, Abandoned)):
            raise error
        if self.abandon.is_set():
            raise Abandoned

    def look_after(self) -> None:
        """Look once at each child; start again those that have died and whose time has come."""
        for kept in list(self._kept.values()):
            if kept.child.running:
                self._welcome(kept)
            elif kept.restart_at is None:
                self._mourn(kept)
            elif time.monotonic() >= kept.restart_at:
                self._revive(kept)

    def _welcome(self, kept: _Kept) -> None:
        if kept.returning and kept.part.ready(kept.child):
            kept.returning = False
            self._say(f"{kept.part.name} is back.")

    def _mourn(self, kept: _Kept) -> None:
        if kept.child.uptime > STABLE_SECONDS:
            kept.backoff.reset()
        delay = kept.backoff.pause()
        kept.restart_at = time.monotonic() + delay
        self._say(
            f"{kept.part.name} ended ({kept.child.ending()}), and is started again in {delay:.1f} s; "
            f"its log is {kept.child.log}."
        )

    def _revive(self, kept: _Kept) -> None:
        try:
            kept.child = self._launch(kept.part)
        except StackError as exc:
            delay = kept.backoff.pause()
            kept.restart_at = time.monotonic() + delay
            self._say(f"{exc} The next attempt follows in {delay:.1f} s.")
            return
        kept.restart_at = None
        kept.returning = True
        self._changed()

    def _launch(self, part: Part) -> Child:
        part.before_start()
        log = self._logs / f"{part.name}.log"
        return Child(part.name, part.command(), self._environment(), ROOT, log, part.descriptors())

    def _becomes_ready(self, part: Part, child: Child) -> bool:
        deadline = time.monotonic() + part.timeout
        while not part.ready(child):
            if self.abandon.wait(POLL_SECONDS):
                raise Abandoned
            if not child.running or time.monotonic() > deadline:
                return False
        return True


def _start_failure(part: Part, child: Child) -> StackError:
    what = f"does not answer after {part.timeout:.0f} s" if child.running else f"ended with {child.ending()}"
    return StackError(f"The {part.name} {what}.", f"The end of {child.log}:\n{child.tail()}")
