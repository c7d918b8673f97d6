"""How often an owner may change something: a token bucket for each, in this process.

A page that sends in a loop, a script with a mistake and a stolen session are slowed down; a person never notices.
Several web processes count each for itself, so that together they allow a little more: these limits guard the machine,
and what costs money has caps in the database.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import FastAPI, Request

from studio.errors import RateLimited
from web.identity.origin import SAFE
from web.identity.owner import SignedIn

What = Literal["writes", "chat"]


@dataclass(frozen=True)
class Rate:
    """So many a minute for ever, and so many at once after a rest."""

    a_minute: float
    burst: int


# Somebody who clears an inbox of sixty is not stopped; two a second without end is no person.
WRITES = Rate(120, 60)
# Each message is a job with a model call. Nobody reads twenty answers a minute.
CHAT = Rate(20, 10)
# Those who have rested are forgotten beyond this many, so that many owners cost no memory.
REMEMBERED = 10_000


class OwnerLimits:
    """Counts what owners do. Thread-safe.

    Per owner it keeps one moment: when all that was taken will have been given back (the generic cell rate algorithm,
    ITU-T I.371).
    """

    def __init__(
        self, writes: Rate = WRITES, chat: Rate = CHAT, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rates: dict[What, Rate] = {"writes": writes, "chat": chat}
        self._clock = clock
        self._lock = threading.Lock()
        self._rested_at: dict[tuple[What, str], float] = {}

    def take(self, what: What, owner: str) -> None:
        """Count one; raise `RateLimited` with the seconds to wait where it is one too many."""
        rate = self._rates[what]
        interval = 60 / rate.a_minute
        with self._lock:
            now = self._clock()
            self._forget(now)
            rested_at = max(now, self._rested_at.get((what, owner), now))
            wait = rested_at - now - (rate.burst - 1) * interval
            # A rounding error is no reason to wait.
            if wait <= interval / 1000:
                self._rested_at[what, owner] = rested_at + interval
                return
        raise RateLimited("That was too much at once.", "Wait a moment.", retry_after=math.ceil(wait))

    def _forget(self, now: float) -> None:
        if len(self._rested_at) >= REMEMBERED:
            self._rested_at = {key: at for key, at in self._rested_at.items() if at > now}


_making = threading.Lock()


def owner_limits(app: FastAPI) -> OwnerLimits:
    """Return the limits of an application: what stands in its `state.owner_limits`, the usual ones at first."""
    with _making:
        if not hasattr(app.state, "owner_limits"):
            app.state.owner_limits = OwnerLimits()
        found: OwnerLimits = app.state.owner_limits
        return found


def within_writes(request: Request, owner: SignedIn) -> None:
    """Count a request of the signed-in owner, where it would change something."""
    if request.method not in SAFE:
        owner_limits(request.app).take("writes", owner.clerk_id)


def within_chat(request: Request, owner: SignedIn) -> None:
    """Count a message of the signed-in owner."""
    owner_limits(request.app).take("chat", owner.clerk_id)
