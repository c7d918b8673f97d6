"""Sensors that wait: an evaluation looks, and looks again whenever it is woken, until there is something to do.

Several sensors take turns. One of them waits for the database's notification; when it has found something, it
ends, so that Dagster launches what it asks for, and the next one waits already. While one is being submitted
nothing is missed, and the daemon may look for sensors to evaluate as seldom as it likes.
"""

import logging
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import psycopg

from sensors import code_server
from studio.backoff import Backoff
from studio.errors import StudioError
from studio.listener import Listener
from studio.settings import get_settings

log = logging.getLogger(__name__)

T = TypeVar("T")

CHANNEL = "agent_jobs"
# Whatever is notified wakes; this is for what nobody has thought of, so it costs next to nothing.
SAFETY_POLL_SECONDS = 30.0
# How soon a database that is away is asked again.
RETRY_SECONDS = (0.1, 1.0)
# However often it is woken: many notifications in a row are one reason to look.
SHORTEST_PAUSE_SECONDS = 0.005
STOPPING_PAUSE_SECONDS = 0.5
# How soon a stop is noticed that nobody has announced.
LOOK_UP_SECONDS = 0.5
NOTHING_DUE = "No job is due."

_turns: defaultdict[tuple[int, str], threading.Lock] = defaultdict(threading.Lock)


class Pace(NamedTuple):
    """How sensors are evaluated: for how long one waits, and after how many seconds it may be evaluated again."""

    wait_seconds: float
    interval_seconds: int


# Looks once and comes again. Dagster takes whole seconds, and reads 0 as its default of 30.
POLLING = Pace(0.0, 1)
# Dagster always lets a negative number pass.
WAITING_INTERVAL = -1
# A waiting evaluation holds a thread of the code server. The rest is for runs, the UI, and other sensors.
OTHER_THREADS = 8


def pace(sensors: int) -> Pace:
    """Return how `sensors` sensors are evaluated: they wait, unless this code server is too small for that."""
    seconds = get_settings().pickup_wait_seconds
    if seconds <= 0 or code_server.threads() < sensors + OTHER_THREADS:
        return POLLING
    return Pace(seconds, WAITING_INTERVAL)


class Waited(NamedTuple):
    """Why an evaluation ended without anything to do, for the tick's list in the Dagster UI."""

    why: str


STOPPING = Waited("The stack, or the code server, is stopping.")


class Wait:
    """One evaluation by one of the sensors that take turns under the name `turn`.

    It takes the time of `pace` at most, looks at most every `gap` seconds, and ends when the stack or the code
    server does.
    """

    def __init__(self, turn: str, listener: Listener, pace: Pace, *, gap: float = 0.0) -> None:
        self._turn = turn
        self._listener = listener
        self._waits = pace.wait_seconds > 0
        self._deadline = time.monotonic() + pace.wait_seconds
        self._gap = gap
        self._stopping: Path | None = get_settings().stopping_file

    def until(
        self, look: Callable[[], T | None], *, lane: str | None = None, next_look: Callable[[], float | None]
    ) -> T | Waited:
        """Return what `look` finds, or why there was nothing.

        `look` is called at first, at each notification (of `lane`, or of any), and after `next_look()` seconds. A
        database that is away is waited for.
        """
        if self._stops:
            # Evaluated again and again until the daemon has ended, which must not keep it busy.
            time.sleep(min(STOPPING_PAUSE_SECONDS, max(0.0, self._left)))
            return STOPPING
        if not self._waits:
            return self._attend(look, lambda _seconds: False, next_look)
        turn = _turns[os.getpid(), self._turn]
        if not self._in_pieces(lambda seconds: turn.acquire(timeout=seconds), self._left):
            return STOPPING if self._stops else Waited("Another sensor waits.")
        try:
            with self._listener.subscribe(CHANNEL, lane, safety_poll_seconds=SAFETY_POLL_SECONDS) as woken:
                return self._attend(look, woken.wait, next_look)
        finally:
            turn.release()

    @property
    def _stops(self) -> bool:
        return code_server.is_ending() or (self._stopping is not None and self._stopping.exists())

    @property
    def _left(self) -> float:
        return self._deadline - time.monotonic()

    def _attend(
        self,
        look: Callable[[], T | None],
        wait: Callable[[float], bool],
        next_look: Callable[[], float | None],
    ) -> T | Waited:
        backoff = Backoff(*RETRY_SECONDS)
        trouble: Exception | None = None
        while True:
            if self._stops:
                return STOPPING
            try:
                found = look()
                if found is not None:
                    return found
                pause = next_look() if self._left > 0 else None
                trouble = None
                backoff.reset()
            except (StudioError, psycopg.OperationalError) as exc:
                # A restarting database is no reason for a failed tick.
                trouble, pause = exc, backoff.pause()
                log.info("The queue cannot be read and is asked again in %.1f s: %s", pause, exc)
            if self._left <= 0:
                return Waited(f"The queue cannot be read: {trouble}" if trouble else NOTHING_DUE)
            if trouble is not None:
                time.sleep(max(0.0, min(self._left, pause or 0.0)))
            else:
                time.sleep(max(SHORTEST_PAUSE_SECONDS, min(self._left, self._gap)))
                woken = self._in_pieces(wait, self._left if pause is None else min(self._left, pause))
                if not woken and self._left <= 0 and not self._stops:
                    # Nothing has happened since the last look.
                    return Waited(NOTHING_DUE)

    def _in_pieces(self, wait: Callable[[float], bool], seconds: float) -> bool:
        """Wait by `wait` for `seconds`, looking up now and then; return False where it was in vain."""
        end = time.monotonic() + seconds
        while True:
            left = max(0.0, end - time.monotonic())
            if wait(min(left, LOOK_UP_SECONDS)):
                return True
            if left <= LOOK_UP_SECONDS or self._stops:
                return False
