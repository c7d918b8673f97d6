"""Many followers of the projects' event streams, at the cost of one.

A project with at least one follower has a *feed*: the end of its stream in memory, kept up by one reader for all
feeds. A wake-up marks a feed; the reader reads all marked feeds by one statement and wakes their followers. A
follower is a position and nothing else: it takes what comes after it from the feed where that reaches back far
enough, and by pages from the database where it does not. So a slow follower holds up nobody and no queue grows:
it falls behind the feed, and catches up by itself.

| object | one per | holds |
|---|---|---|
| `EventHub` | process | the feeds, the reader's thread and its connection |
| `Feed` | followed project | the recent events, a subscription |
| `Follower` | stream being read | a position, and the way to wake who reads it |
| `Watch` | reader of several streams | their followers |

Nothing runs while nobody follows. A hub belongs to the process that made it, as its `Database` does.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Collection, Generator, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg

from studio import events
from studio.backoff import Backoff
from studio.database.connection import CONNECT_TIMEOUT_SECONDS, Connection, Database
from studio.doorbell import Doorbell
from studio.errors import DatabaseError
from studio.event_feed import Feed, Follower
from studio.event_watch import Watch
from studio.events import CHANNEL, PAGE, Event
from studio.listener import SAFETY_POLL_SECONDS, Listener

log = logging.getLogger(__name__)

# How many events of a project are kept in memory, at most.
KEPT = 2_000
# Pages for those who are behind what is in memory; more at once would take the pool's connections from everybody else.
PAGE_THREADS = 4
_BROKEN = (psycopg.OperationalError, DatabaseError)


class EventHub:
    """Hands the events of projects to everybody who follows them. A context manager; thread-safe."""

    def __init__(
        self,
        db: Database,
        listener: Listener,
        *,
        kept: int = KEPT,
        safety_poll_seconds: float = SAFETY_POLL_SECONDS,
    ) -> None:
        """`kept` bounds the events in memory per project. The listener stays the caller's, who closes it after this."""
        self._db = db
        self._listener = listener
        self._kept = kept
        self._safety_poll_seconds = safety_poll_seconds
        # Reentrant, because a collector may end a forgotten follower while this very thread holds it.
        self._changed = threading.Condition(threading.RLock())
        self._feeds: dict[UUID, Feed] = {}
        self._marked: set[UUID] = set()
        self._reader: threading.Thread | None = None
        self._closed = False
        # Starts none before one is needed.
        self._threads = ThreadPoolExecutor(PAGE_THREADS, "event-pages")

    def __enter__(self) -> EventHub:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End every stream, the reader's thread and its connection."""
        with self._changed:
            self._closed = True
            feeds, reader = list(self._feeds.values()), self._reader
            self._changed.notify_all()
        for feed in feeds:
            feed.subscription.close()
            feed.wake_followers()
        if reader is not None:
            reader.join(CONNECT_TIMEOUT_SECONDS + 1)
        self._threads.shutdown(wait=False, cancel_futures=True)

    def follow(
        self,
        project_id: UUID,
        after: int = 0,
        *,
        job_id: UUID | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> Generator[Event, None, None]:
        """Yield every event after seq `after`, each once and in order, as they are committed, until `stop()` is true.

        Only those of `job_id` where it is given. `stop` is looked at between batches and at every wake-up, at
        least every `safety_poll_seconds`; it ends when the hub is closed, too. A broken database is waited for;
        `DatabaseError` is raised only where the very first look at it fails.
        """
        woken = threading.Event()
        with self._following(Follower(self._db, project_id, after, job_id, woken.set)) as follower:
            while not self._closed:
                woken.clear()
                try:
                    if stop():
                        return
                    batch = follower.take()
                    if batch is None:
                        batch = follower.read()
                except _BROKEN as exc:
                    woken.wait(follower.pause_after(exc))
                    continue
                yield from batch
                # After a batch there may be a reason to stop that it gave.
                if not (batch or follower.behind):
                    woken.wait()

    async def follow_async(
        self,
        project_id: UUID,
        after: int = 0,
        *,
        job_id: UUID | None = None,
        stop: Callable[[], bool] = lambda: False,
    ) -> AsyncGenerator[Event, None]:
        """Yield as `follow` does, in an event loop that is never blocked; `stop` must not block either.

        Cancel the task that reads it at any time. Who leaves it half-read closes it (`contextlib.aclosing`).
        """
        woken = asyncio.Event()
        wake = Doorbell(asyncio.get_running_loop(), woken.set).ring
        with self._following(Follower(self._db, project_id, after, job_id, wake)) as follower:
            while not (self._closed or stop()):
                woken.clear()
                try:
                    batch = follower.take()
                    if batch is None:
                        batch = await asyncio.to_thread(follower.read)
                except _BROKEN as exc:
                    pause = follower.pause_after(exc)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), pause)
                    continue
                for event in batch:
                    yield event
                if not (batch or follower.behind):
                    await woken.wait()

    @contextlib.contextmanager
    def watch(
        self, positions: Mapping[UUID, int], wake: Callable[[], None], *, job_id: UUID | None = None
    ) -> Iterator[Watch]:
        """Lend a place in the streams of several projects, after the seq of each, to code in the running event loop.

        `wake` is called in the loop whenever there may be something to take, and when the hub is closed. For who
        waits for other things, too: nothing here waits.
        """
        watch = Watch(self._db, asyncio.get_running_loop(), self._threads, positions, wake, job_id)
        with contextlib.ExitStack() as left:
            left.callback(watch.close)
            for follower in watch.followers:
                left.enter_context(self._following(follower))
            yield watch

    @property
    def closed(self) -> bool:
        """Whether every stream has ended."""
        return self._closed

    # --- who follows what

    @contextlib.contextmanager
    def _following(self, follower: Follower) -> Iterator[Follower]:
        self._join(follower)
        try:
            yield follower
        finally:
            self._leave(follower)

    def _join(self, follower: Follower) -> None:
        project_id = follower.project_id
        with self._changed:
            if self._closed:
                return
            feed = self._feeds.get(project_id)
            if feed is None:
                # LISTEN first, then look: what is committed from here on marks the feed.
                subscription = self._listener.subscribe(
                    CHANNEL,
                    str(project_id),
                    functools.partial(self._mark, project_id),
                    safety_poll_seconds=self._safety_poll_seconds,
                )
                feed = self._feeds[project_id] = Feed(project_id, self._kept, subscription)
                self._mark(project_id)
            feed.followers.add(follower)
            follower.feed = feed
            if self._reader is None:
                self._reader = threading.Thread(target=self._read, name="event-hub", daemon=True)
                self._reader.start()

    def _leave(self, follower: Follower) -> None:
        if follower.feed is not None:
            with self._changed:
                follower.feed.followers.discard(follower)
                self._changed.notify_all()

    def _mark(self, project_id: UUID) -> None:
        with self._changed:
            self._marked.add(project_id)
            self._changed.notify_all()

    # --- the reader's thread

    def _read(self) -> None:
        backoff = Backoff()
        conn: Connection | None = None
        try:
            while (feeds := self._wait_for_marked()) is not None:
                try:
                    conn = conn or self._db.connect()
                    self._refresh(conn, feeds)
                    backoff.reset()
                except Exception as exc:  # the thread's boundary: those who follow would wait for ever
                    if isinstance(exc, _BROKEN):
                        log.warning("The event streams have lost the database and try again: %s", str(exc).strip())
                    else:
                        log.exception("The reader of the event streams stumbled and begins again.")
                    if conn is not None:
                        conn.close()
                        conn = None
                    with self._changed:
                        self._marked.update(feed.project_id for feed in feeds)
                        self._changed.wait_for(lambda: self._closed, backoff.pause())
                # Those without news, too: each may have a reason to stop.
                for feed in feeds:
                    feed.wake_followers()
        finally:
            if conn is not None:
                conn.close()

    def _wait_for_marked(self) -> list[Feed] | None:
        """Return the feeds that may have news; None when nobody follows any more."""
        with self._changed:
            while True:
                # Only here, so that nobody joins a feed that is just being given up.
                for feed in [feed for feed in self._feeds.values() if not feed.followers]:
                    del self._feeds[feed.project_id]
                    feed.subscription.close()
                if self._closed or not self._feeds:
                    # Under the lock, so that the next follower starts another.
                    self._reader = None
                    return None
                feeds = [self._feeds[project_id] for project_id in self._marked if project_id in self._feeds]
                self._marked.clear()
                if feeds:
                    return feeds
                self._changed.wait()

    def _refresh(self, conn: Connection, feeds: Collection[Feed]) -> None:
        """Read what is new in `feeds`: one statement for all, and one more for those that are new themselves."""
        # Only of those who are here before the database is asked is it known that nothing they know is newer.
        here = {feed: tuple(feed.followers) for feed in feeds}
        new = [feed for feed in feeds if feed.head is None]
        if new:
            last = events.last_seqs(conn, [feed.project_id for feed in new])
            for feed in new:
                feed.begin(feed.beginning(last[feed.project_id]))
        positions = {feed.project_id: feed.head for feed in feeds if feed.head is not None}
        found = events.read_after_each(conn, positions)
        for feed in feeds:
            news = found.get(feed.project_id, [])
            before = positions.get(feed.project_id)
            feed.extend(news)
            if len(news) == PAGE:
                self._mark(feed.project_id)
            elif before is not None and feed.head is not None:
                for follower in here[feed]:
                    follower.lead_back(feed.head, before)
