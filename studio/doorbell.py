"""Calls something in an event loop, from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from weakref import WeakKeyDictionary


class Doorbell:
    """Calls `answer` in its loop for whoever rings, with at most one call under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, answer: Callable[[], None]) -> None:
        self.loop = loop
        self._answer = answer
        self._chime = _chime_of(loop)
        self._rung = False

    def ring(self) -> None:
        """Let the answer be called soon. From any thread; waits for nobody."""
        # A loop that is held up must not gather a call for every batch.
        if not self._rung:
            self._rung = True
            self._chime.ring(self)

    def open(self) -> None:
        """Answer. For the chime, in the loop."""
        # In this order: who rings in between is heard once too often, never once too little.
        self._rung = False
        self._answer()


class _Chime:
    """All bells of a loop that were rung while it was busy, answered in one go.

    Waking a loop costs the one who does it a system call, after which the loop holds the interpreter: hundreds of
    bells would be as many changes from one thread to the other.
    """

    def __init__(self) -> None:
        self._rung: deque[Doorbell] = deque()
        self._is_called = False

    def ring(self, bell: Doorbell) -> None:
        self._rung.append(bell)
        if self._is_called:
            return
        self._is_called = True
        try:
            bell.loop.call_soon_threadsafe(self._answer)
        except RuntimeError:
            # A loop that is closed has nobody left who waits.
            self._rung.clear()

    def _answer(self) -> None:
        self._is_called = False
        while self._rung:
            self._rung.popleft().open()


_chimes: WeakKeyDictionary[asyncio.AbstractEventLoop, _Chime] = WeakKeyDictionary()
_making = threading.Lock()


def _chime_of(loop: asyncio.AbstractEventLoop) -> _Chime:
    with _making:
        return _chimes.setdefault(loop, _Chime())
