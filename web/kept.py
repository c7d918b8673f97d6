"""An answer that is asked for seldom, however many want to know it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """What `ask` answered, for `seconds` from then on. Thread-safe.

    Whoever comes while somebody asks hears the last answer; only where there is none yet does he wait for it.
    """

    def __init__(self, ask: Callable[[], T], seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking = threading.Lock()
        self._known: tuple[T, float] | None = None

    def get(self) -> T:
        """Return the answer. What `ask` raises is raised, and not kept."""
        known = self._known
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        if not self._asking.acquire(blocking=known is None):
            assert known is not None  # noqa: S101 - it waits while nothing is known
            return known[0]
        try:
            # Somebody may have asked while this one waited.
            if self._known is None or self._known is known:
                answer = self._ask()
                self._known = (answer, time.monotonic() + self._seconds)
                return answer
            return self._known[0]
        finally:
            self._asking.release()
