"""Pauses between attempts that fail: each twice as long as the last, up to a limit, and none like another's."""

from __future__ import annotations

import random

FIRST_SECONDS = 0.1
LAST_SECONDS = 5.0


class Backoff:
    """Doubles from `first` to `last` seconds. The jitter keeps those that failed together from trying together."""

    def __init__(self, first: float = FIRST_SECONDS, last: float = LAST_SECONDS) -> None:
        self._first = first
        self._last = last
        self._next = first

    def pause(self) -> float:
        """Return how many seconds to wait before the next attempt."""
        seconds, self._next = self._next, min(self._last, self._next * 2)
        return seconds * random.uniform(0.5, 1)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Begin with the first pause again: an attempt succeeded."""
        self._next = self._first
