"""Whole transactions that outlast a restart of the database."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from studio.backoff import Backoff
from studio.database.errors import CONNECTION_BROKE
from studio.errors import DatabaseError

log = logging.getLogger(__name__)

T = TypeVar("T")

# A server that is restarted, or replays its log after a crash, is back by then. A pool that has no living connection
# waits as long by itself; who holds a lease is stopped when that runs out.
PATIENCE_SECONDS = 30.0
LONGEST_PAUSE_SECONDS = 2.0


def patiently(work: Callable[[], T]) -> T:
    """Run `work` again where the connection to the database broke, for `PATIENCE_SECONDS` from when it first did.

    The answer may have been all that was lost: `work` has to bear being carried out twice, or look first.
    """
    deadline: float | None = None
    backoff = Backoff(last=LONGEST_PAUSE_SECONDS)
    while True:
        try:
            return work()
        except (DatabaseError, psycopg.OperationalError) as exc:
            deadline = deadline or time.monotonic() + PATIENCE_SECONDS
            if not is_absence(exc) or time.monotonic() > deadline:
                raise
            pause = backoff.pause()
            log.info("The database is away, and asked again in %.1f s: %s", pause, exc)
            time.sleep(pause)


def is_absence(error: BaseException | None) -> bool:
    """Say whether `error` tells of a database that is away, rather than of what it was asked."""
    if isinstance(error, DatabaseError):
        error = error.__cause__
    return isinstance(error, psycopg.OperationalError) and (error.sqlstate or "08").startswith(CONNECTION_BROKE)
