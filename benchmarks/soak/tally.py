"""What the load has counted, and how long it has waited. Thread-safe."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from typing import Any


class Tally:
    """Counts since the beginning, and milliseconds since they were last taken."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._waits: defaultdict[str, list[float]] = defaultdict(list)

    def count(self, what: str, by: int = 1) -> None:
        """Count `by` of `what`; 0 makes it known that it is counted."""
        with self._lock:
            self._counts[what] += by

    def waited(self, what: str, milliseconds: float) -> None:
        """Note how long `what` took."""
        with self._lock:
            self._waits[what].append(round(milliseconds, 2))

    def take(self) -> dict[str, Any]:
        """Return `counts` since the beginning and `waits` since the last call."""
        with self._lock:
            taken = {"counts": dict(self._counts), "waits": dict(self._waits)}
            self._waits.clear()
        return taken
