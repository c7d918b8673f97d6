"""How long news take to the event streams: a notification's way from here through the database and back.

That is the way of every event, up to the reader who then fetches it: `NOTIFY` at the commit, the server's queue, the
connection that LISTENs, and the listener's thread, which shares the interpreter with all else in its process. It is
measured, not computed: the database does not know when somebody has heard of an event.
"""

from __future__ import annotations

import time
from uuid import uuid4

from studio.database.connection import Database
from studio.listener import Listener

LONGEST_SECONDS = 2.0
# The safety net of a subscription would be taken for an answer.
_NEVER = 86_400.0


def measure(db: Database, listener: Listener, seconds: float = LONGEST_SECONDS) -> float | None:
    """Return in how many seconds a notification came back, None where none did within `seconds`.

    `listener` must be one that LISTENs. Takes a few milliseconds where all is well, and `seconds` twice at most.
    """
    # A channel of its own: its first wake-up says that the LISTEN is active, and the second can only be the answer.
    channel = f"greenlight_lag_{uuid4().hex[:12]}"
    with listener.subscribe(channel, safety_poll_seconds=_NEVER) as subscription:
        if not subscription.wait(seconds):
            return None
        asked = time.perf_counter()
        db.execute("select pg_notify(%s, '')", [channel])
        return time.perf_counter() - asked if subscription.wait(seconds) else None
