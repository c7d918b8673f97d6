"""The process's ear at the database: one connection that LISTENs for everybody who waits for something.

Whoever waits subscribes to a channel first and looks at the database then. A notification says only that
there may be something to see; a subscription is a reason to look, never the news itself. It is woken

- by a notification, a millisecond or two after the commit; several between two waits are one,
- when the LISTEN on its channel becomes active, for what was committed before that has woken nobody,
- after a lost connection, once the LISTEN is active again,
- in any case every `safety_poll_seconds`, or every `poll_seconds` where the server cannot LISTEN.

So nothing is missed by "subscribe, then look, then wait, then look, then wait …", whatever breaks on the way.

One daemon thread serves all subscriptions. It starts with the first and gives its connection back when the
last has been gone for a while; while nothing happens it sleeps. Subscriptions belong to the process that made
them: a forked child begins without any, with a connection and a thread of its own when it needs them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import selectors
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Iterable

import psycopg

from studio.backoff import Backoff
from studio.database.connection import CONNECT_TIMEOUT_SECONDS, Connection, Database
from studio.database.notifications import Alarm, Ear
from studio.errors import DatabaseError, InvalidInput
from studio.subscriptions import Register, Subscription

log = logging.getLogger(__name__)

# Without LISTEN this is the whole latency of whoever waits; with it, the safety net for a lost wake-up.
POLL_SECONDS = 0.25
SAFETY_POLL_SECONDS = 5.0
# Longer than a browser takes to come back; a connection that nobody needs is somebody else's slot.
IDLE_SECONDS = 10.0
# Between two looks at the clock, so that no rounding makes the thread spin.
SHORTEST_SLEEP_SECONDS = 0.001
# PostgreSQL cuts off longer identifiers, and would listen to another channel than is notified.
CHANNEL_BYTES = 63


class Listener:
    """Wakes subscriptions by a database's notifications. A context manager; thread-safe; one per process will do."""

    def __init__(
        self,
        db: Database,
        *,
        listen: bool = True,
        poll_seconds: float = POLL_SECONDS,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        """Nothing starts before the first subscription.

        `listen=False` is for poolers in transaction mode: no connection is held, and subscriptions are woken every
        `poll_seconds`. `idle_seconds` is how long thread and connection outlive the last subscription.
        """
        self._db = db
        self._listens = listen
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_seconds
        self._closed = False
        self._lock = threading.Lock()
        self._register = Register()
        # Closed, and not yet struck out of the register.
        self._dropped: deque[Subscription] = deque()
        self._thread: threading.Thread | None = None
        self._alarm: Alarm | None = None
        self._conn: Connection | None = None
        _listeners.add(self)

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def subscribe(
        self,
        channel: str,
        payload: str | None = None,
        on_wake: Callable[[], None] | None = None,
        *,
        safety_poll_seconds: float = SAFETY_POLL_SECONDS,
    ) -> Subscription:
        """Return a subscription to `channel`, only to notifications with `payload` where it is given.

        Look at the database after this returns, not before: either the LISTEN is active by then, or the
        subscription is woken when it becomes active. `on_wake` is called at every wake-up, in the listener's
        thread, and must be quick and wait for nobody. Raises `InvalidInput` for a name that no channel can have,
        and `RuntimeError` where the listener is closed.
        """
        if not 0 < len(channel.encode()) <= CHANNEL_BYTES or "\0" in channel:
            raise InvalidInput(f"{channel!r} cannot be a channel.", f"Use 1 to {CHANNEL_BYTES} bytes.")
        subscription = Subscription(
            channel,
            payload,
            on_wake,
            net_seconds=safety_poll_seconds if self._listens else min(safety_poll_seconds, self._poll_seconds),
            poll_seconds=self._poll_seconds,
            polls=not self._listens,
            drop=self._drop,
        )
        with self._lock:
            if self._closed:
                raise RuntimeError("The listener is closed.")
            self._register.add(subscription)
            if self._alarm is None:
                self._alarm = Alarm()
                self._thread = threading.Thread(target=self._run, args=[self._alarm], name="listener", daemon=True)
                self._thread.start()
            else:
                self._alarm.ring()
        return subscription

    def close(self) -> None:
        """End every subscription, the thread and the connection. A connection that is just being made ends itself."""
        with self._lock:
            self._closed = True
            ended = list(self._register.of(self._register.channels))
            self._register = Register()
            thread = self._thread
            if self._alarm is not None:
                self._alarm.ring()
        for subscription in ended:
            subscription.end()
        if thread is not None and thread is not threading.current_thread():
            thread.join(CONNECT_TIMEOUT_SECONDS + 1)

    def _drop(self, subscription: Subscription) -> None:
        self._dropped.append(subscription)
        if (alarm := self._alarm) is not None:
            alarm.ring()

    # --- the thread

    def _run(self, alarm: Alarm) -> None:
        backoff = Backoff()
        pause = 0.0
        with contextlib.closing(alarm):
            while True:
                try:
                    # The nets are kept, and a close is heard, while the database is given time.
                    self._serve(alarm, seconds=pause)
                    self._attend(alarm, backoff)
                except _Over:
                    return
                except (psycopg.Error, DatabaseError) as exc:
                    log.warning("The listener has lost the database and tries again: %s", str(exc).strip())
                except Exception:  # the thread's boundary: whoever waits would wait for ever
                    log.exception("The listener stumbled and begins again.")
                pause = backoff.pause()

    def _attend(self, alarm: Alarm, backoff: Backoff) -> None:
        """Serve until the thread is to end, or the connection breaks."""
        if not self._listens:
            self._serve(alarm)
            return
        with contextlib.closing(self._db.connect_directly()) as conn:
            self._conn = conn
            try:
                self._serve(alarm, Ear(conn), on_hearing=backoff.reset)
            finally:
                self._conn = None

    def _serve(
        self,
        alarm: Alarm,
        ear: Ear | None = None,
        *,
        seconds: float = float("inf"),
        on_hearing: Callable[[], None] = lambda: None,
    ) -> None:
        """Wake subscriptions for `seconds`, by what `ear` hears and by their nets; raise `_Over` where none is left."""
        end = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(alarm, selectors.EVENT_READ)
            if ear is not None:
                selector.register(ear, selectors.EVENT_READ)
            while True:
                if ear is not None:
                    self._wake(self._heard(ear))
                    on_hearing()
                wake_at = min(end, self._keep_nets())
                now = time.monotonic()
                if now >= end:
                    return
                selector.select(None if wake_at == float("inf") else max(SHORTEST_SLEEP_SECONDS, wake_at - now))
                alarm.clear()

    def _heard(self, ear: Ear) -> set[Subscription]:
        """Return whom to wake: those whose channel has just become active, and those who were notified."""
        with self._lock:
            self._strike_out()
            wanted = self._register.channels
        # While nobody listens at all, the channels are kept for who comes back soon.
        begun = ear.listen(wanted) if wanted else set()
        notifications = ear.hear()
        with self._lock:
            return {*self._register.of(begun), *self._register.notified(notifications)}

    def _keep_nets(self) -> float:
        """Wake whose safety net is due; return when to look again, as a monotonic time. Raise `_Over` at the end."""
        now = time.monotonic()
        with self._lock:
            self._strike_out()
            idle = not self._register.channels
            idle_until = self._register.empty_since + self._idle_seconds
            if self._closed or (idle and now >= idle_until):
                # Under the lock, so that the next subscription starts another thread.
                self._thread = self._alarm = None
                raise _Over
            due = self._register.due(now)
        self._wake(due)
        with self._lock:
            return idle_until if idle else self._register.next_due(now)

    def _strike_out(self) -> None:
        while self._dropped:
            self._register.remove(self._dropped.popleft())

    @staticmethod
    def _wake(subscriptions: Iterable[Subscription]) -> None:
        # Never under the lock: what a wake-up calls may subscribe, or close.
        for subscription in subscriptions:
            subscription.wake()

    # --- a forked child

    def _forget_parent(self) -> None:
        """Begin afresh in a forked child: thread, lock and connection are the parent's."""
        self._lock = threading.Lock()
        self._register = Register()
        if self._alarm is not None:
            self._alarm.close()
        if self._conn is not None:
            # Closing it properly would end the parent's session. Keeping the socket would keep that session alive
            # after the parent, deaf, with the server's queue of notifications growing behind it.
            with contextlib.suppress(psycopg.Error, OSError):
                os.close(self._conn.fileno())
            _inherited.append(self._conn)
        self._thread = self._alarm = self._conn = None


class _Over(Exception):
    """The listener's thread has nothing left to do."""


_listeners: weakref.WeakSet[Listener] = weakref.WeakSet()
# Connections of this process's parent: never to be closed, nor collected, which would complain of that.
_inherited: list[Connection] = []


def _after_fork() -> None:
    for listener in list(_listeners):
        listener._forget_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
