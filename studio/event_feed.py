"""What the event hub holds in memory: the end of a project's stream, and the place of each who follows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple
from uuid import UUID

import psycopg

from studio import events
from studio.backoff import Backoff
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.events import PAGE, Event
from studio.subscriptions import Subscription

log = logging.getLogger(__name__)

# How far back a new feed begins: who comes back after a moment finds what it missed there.
BEGINNING = 200


class Recent(NamedTuple):
    """The end of a stream: all its events after seq `floor` and up to `head`. Never changed, so read without a lock."""

    floor: int
    head: int
    events: tuple[Event, ...] = ()

    def extended(self, news: Sequence[Event], limit: int) -> Recent:
        """Return the end of the stream with `news` behind it, and at most `limit` events."""
        if not news:
            return self
        kept = (*self.events, *news)
        # What is left out begins below the first that stays: everything after that floor is still here.
        floor = kept[-limit - 1].seq if len(kept) > limit else self.floor
        return Recent(floor, kept[-1].seq, kept[-limit:])

    def after(self, seq: int) -> tuple[Event, ...]:
        """Return the events after `seq`, at most a page of them."""
        low, high = 0, len(self.events)
        while low < high:
            middle = (low + high) // 2
            if self.events[middle].seq <= seq:
                low = middle + 1
            else:
                high = middle
        return self.events[low : low + PAGE]


class Feed:
    """The end of one project's stream, kept up by the hub's reader, and those who follow it."""

    def __init__(self, project_id: UUID, limit: int, subscription: Subscription) -> None:
        self.project_id = project_id
        self.subscription = subscription
        self.followers: set[Follower] = set()
        # None until the reader has looked for the first time.
        self.recent: Recent | None = None
        self._limit = limit

    @property
    def head(self) -> int | None:
        """The seq up to which the stream is known; None before the first look."""
        return None if self.recent is None else self.recent.head

    def begin(self, seq: int) -> None:
        """Let the feed reach back to `seq`."""
        self.recent = Recent(seq, seq)

    def beginning(self, last: int) -> int:
        """Return where it shall begin whose stream ends at `last`: a little before that, or where one waits for it."""
        wanted = [follower.position for follower in tuple(self.followers) if follower.waits_for_feed]
        return max(0, last - self._limit, min([last - BEGINNING, *wanted]))

    def extend(self, news: Sequence[Event]) -> None:
        """Take what follows the head."""
        if self.recent is not None:
            self.recent = self.recent.extended(news, self._limit)

    def wake_followers(self) -> None:
        """Let every follower look at the feed, and at its reason to stop."""
        for follower in tuple(self.followers):
            follower.wake()


class Follower:
    """A place in a project's stream, moved by whoever reads it."""

    def __init__(
        self, db: Database, project_id: UUID, after: int, job_id: UUID | None, wake: Callable[[], None]
    ) -> None:
        self.project_id = project_id
        self.wake = wake
        self.feed: Feed | None = None
        # Whether it waits for a feed that is just beginning to reach back to it, and does not look by itself.
        self.waits_for_feed = False
        # Whether there is more to take at once; if not, a wake-up says when to look again.
        self.behind = False
        self._db = db
        self._job_id = job_id
        self._after = after
        self.position = after
        self._backoff = Backoff()
        self._has_looked = False
        self._has_read_all = False

    def lead_back(self, head: int, before: int) -> None:
        """Go on after `before` where this began beyond `head`, the end of the stream when it was there already.

        Whoever asks for more than there is has followed a history that a restore of the database has lost.
        """
        if self.position == self._after > head:
            self.position = before

    def take(self) -> list[Event] | None:
        """Return what comes next, at most a page, from the feed; None where only the database knows."""
        recent = None if self.feed is None else self.feed.recent
        if recent is None and self._has_read_all:
            # What has come since is the feed's beginning, which wakes.
            return []
        if recent is None or self.position < recent.floor:
            return None
        self._has_looked = True
        batch = recent.after(self.position)
        if batch:
            self.position = batch[-1].seq
        self.behind = self.position < recent.head
        return [event for event in batch if self._job_id in (None, event.job_id)]

    def read(self) -> list[Event]:
        """Return what comes next, at most a page, from the database.

        Raises `DatabaseError` or `psycopg.OperationalError` where it cannot be reached.
        """
        recent = None if self.feed is None else self.feed.recent
        page = events.read_after(self._db, self.project_id, self.position, job_id=self._job_id)
        self._backoff.reset()
        self._has_looked = True
        if page:
            self.position = page[-1].seq
        self.behind = len(page) == PAGE
        self._has_read_all = not self.behind
        if not self.behind and recent is not None:
            # A page that is not full reaches to the end of the stream, so at least to where the head has been before:
            # up to there, nothing is left for this follower but other jobs' events.
            self.position = max(self.position, recent.head)
        return page

    def pause_after(self, exc: psycopg.OperationalError | DatabaseError) -> float:
        """Return how long to wait before the next look; raise `exc` where the first one failed."""
        if not self._has_looked:
            raise exc
        return self.rest_after(exc)

    def rest_after(self, exc: psycopg.OperationalError | DatabaseError) -> float:
        """Return how long to wait before the next look, the first one or another."""
        log.warning("A follower of project %s cannot reach the database: %s", self.project_id, str(exc).strip())
        return self._backoff.pause()
