"""One reader of several projects' streams, in an event loop that it never blocks.

It costs what its projects' news cost: a wake-up says which of them has some, and the others are not looked at.
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from uuid import UUID

import psycopg

from studio.database.connection import Database
from studio.doorbell import Doorbell
from studio.errors import DatabaseError
from studio.event_feed import Follower
from studio.events import Event


class Watch:
    """Places in the streams of several projects. Made by `EventHub.watch`; belongs to one event loop."""

    def __init__(
        self,
        db: Database,
        loop: asyncio.AbstractEventLoop,
        threads: Executor,
        positions: Mapping[UUID, int],
        wake: Callable[[], None],
        job_id: UUID | None,
    ) -> None:
        self._loop = loop
        self._threads = threads
        self._wake = wake
        self._bell = Doorbell(loop, wake)
        self._closed = False
        # Those that may have something to take. Added to by the hub's thread: one step of a set each.
        self._ready: set[Follower] = set()
        # Those that a thread moves at the moment.
        self._asking: set[Follower] = set()
        # What was read from the database and not yet taken.
        self._answers: deque[asyncio.Future[list[Event]]] = deque()
        self.followers = [Follower(db, one, after, job_id, lambda: None) for one, after in positions.items()]
        for follower in self.followers:
            # A crowd that comes together is not to ask one by one.
            follower.waits_for_feed = True
            follower.wake = functools.partial(self._mark, follower)
            self._ready.add(follower)

    def take(self) -> list[Event]:
        """Return what comes next in one of the streams, at most a page; nothing where a wake-up will say when.

        Raises what reading from the database has raised, but not that it cannot be reached: that is waited for.
        """
        while self._answers:
            if page := self._answers.popleft().result():
                return page
        while self._ready:
            follower = self._ready.pop()
            if follower in self._asking or (follower.feed is not None and follower.feed.recent is None):
                # Its answer wakes, or the feed's beginning.
                continue
            batch = follower.take()
            if batch is None:
                self._ask(follower)
                continue
            if follower.behind:
                self._ready.add(follower)
            if batch:
                return batch
        return []

    def close(self) -> None:
        """Read nothing any more."""
        self._closed = True

    # --- what only the database knows

    def _ask(self, follower: Follower) -> None:
        # In a thread: meanwhile the loop serves the others, and this reader whatever else it waits for.
        try:
            reading = self._loop.run_in_executor(self._threads, self._page, follower)
        except RuntimeError:
            # The threads end with the hub, which wakes whoever watches.
            return
        self._asking.add(follower)
        reading.add_done_callback(functools.partial(self._answered, follower))

    def _page(self, follower: Follower) -> list[Event]:
        # While the database is away they queue up here, and outlast their readers.
        return [] if self._closed else follower.read()

    def _answered(self, follower: Follower, reading: asyncio.Future[list[Event]]) -> None:
        self._asking.discard(follower)
        if reading.cancelled():
            return
        exc = reading.exception()
        if self._closed:
            return
        if isinstance(exc, (psycopg.OperationalError, DatabaseError)):
            self._loop.call_later(follower.rest_after(exc), self._again, follower)
            return
        self._answers.append(reading)
        self._ready.add(follower)
        self._wake()

    def _again(self, follower: Follower) -> None:
        if not self._closed:
            self._ready.add(follower)
            self._wake()

    def _mark(self, follower: Follower) -> None:
        self._ready.add(follower)
        self._bell.ring()
