"""Whether the database is there, asked seldom however many want to know."""

from __future__ import annotations

import threading
import time

from studio.database.connection import Database
from studio.errors import DatabaseError

# However many ask, the database is asked once in this time.
KEPT_SECONDS = 1.0


class Pulse:
    """Whether the database is there, as far as was known a moment ago.

    It is asked over a connection of its own: the pool would wait half a minute before it says that there is none.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._asking = threading.Lock()
        self._known: tuple[bool, float] | None = None

    def beats(self) -> bool:
        """Ask the database, unless that was done just now; whoever comes while somebody asks hears the last answer."""
        known = self._known
        if known is not None and time.monotonic() < known[1]:
            return known[0]
        if not self._asking.acquire(blocking=known is None):
            assert known is not None  # noqa: S101 - it waits while nothing is known
            return known[0]
        try:
            if self._known is known:
                self._known = (self._ask(), time.monotonic() + KEPT_SECONDS)
            assert self._known is not None  # noqa: S101 - somebody has just asked
            return self._known[0]
        finally:
            self._asking.release()

    def _ask(self) -> bool:
        try:
            self._db.connect().close()
        except DatabaseError:
            return False
        return True
