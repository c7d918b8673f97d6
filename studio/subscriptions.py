"""Who waits for what: subscriptions to the channels of `studio.listener`, and the register that it keeps of them."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator

log = logging.getLogger(__name__)

# Those whose safety net is nearly due are woken with those whose is: one waking of the thread for many.
EARLY = 0.1


class Subscription:
    """A reason to look at the database, renewed by wake-ups. A context manager; made by `Listener.subscribe`."""

    def __init__(
        self,
        channel: str,
        payload: str | None,
        on_wake: Callable[[], None] | None,
        *,
        net_seconds: float,
        poll_seconds: float,
        polls: bool,
        drop: Callable[[Subscription], None],
    ) -> None:
        """`polls` says that nothing but the time wakes it; `net_seconds` is how long it sleeps at most."""
        self.channel = channel
        self.payload = payload
        self.due = time.monotonic() + net_seconds
        self._on_wake = on_wake
        self._net_seconds = net_seconds
        self._poll_seconds = poll_seconds
        self._polls = polls
        self._drop = drop
        self._woken = threading.Event()
        self._ended = False
        self._process = os.getpid()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def wait(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for a wake-up; return whether there has been one since the last wait.

        Where nothing can wake it (the server cannot LISTEN, the subscription is closed, or a forked child has
        inherited it) the answer is True after `poll_seconds`, or after a shorter `timeout`: polling does it alone.
        """
        if self._ended or self._process != os.getpid():
            # An inherited event may be locked for ever by a thread that the child does not have.
            time.sleep(max(0.0, min(timeout, self._poll_seconds)))
            return True
        woken = self._woken.wait(max(0.0, timeout))
        if woken:
            # Only then: a wake-up that came just after the time was over belongs to the next wait.
            self._woken.clear()
        return woken or self._polls

    def close(self) -> None:
        """End the subscription; whoever waits returns at once. Takes no lock: a collector may call it at any moment."""
        self._drop(self)
        self.end()

    def wake(self) -> None:
        """Give the subscriber a reason to look. For the listener, which holds no lock meanwhile."""
        if self._ended:
            return
        self.due = time.monotonic() + self._net_seconds
        self._woken.set()
        if self._on_wake is not None:
            try:
                self._on_wake()
            except Exception:  # another's function in the thread that serves everybody
                log.exception("What a wake-up on %s calls has failed.", self.channel)

    def end(self) -> None:
        """Let whoever waits return: nothing will wake it any more. For the listener."""
        self._ended = True
        if self._process == os.getpid():
            self._woken.set()

    def is_due(self, now: float) -> bool:
        """Return whether its safety net is due at the monotonic time `now`, or nearly so."""
        return self.due - self._net_seconds * EARLY <= now


class Register:
    """The subscriptions of one process, by channel and payload. Guarded by its listener's lock."""

    def __init__(self) -> None:
        self._by_channel: dict[str, dict[str | None, set[Subscription]]] = {}
        self._next_due = float("inf")
        self.empty_since = time.monotonic()

    @property
    def channels(self) -> set[str]:
        """The channels that somebody has subscribed to."""
        return set(self._by_channel)

    def add(self, subscription: Subscription) -> None:
        """Enter a subscription."""
        by_payload = self._by_channel.setdefault(subscription.channel, {})
        by_payload.setdefault(subscription.payload, set()).add(subscription)
        self._next_due = min(self._next_due, subscription.due)

    def remove(self, subscription: Subscription) -> None:
        """Strike a subscription out, if it is there."""
        by_payload = self._by_channel.get(subscription.channel, {})
        subscriptions = by_payload.get(subscription.payload, set())
        if subscription not in subscriptions:
            return
        subscriptions.remove(subscription)
        if not subscriptions:
            del by_payload[subscription.payload]
        if not by_payload:
            del self._by_channel[subscription.channel]
            self.empty_since = time.monotonic()

    def of(self, channels: Iterable[str]) -> Iterator[Subscription]:
        """Yield the subscriptions to `channels`."""
        for channel in channels:
            for subscriptions in self._by_channel.get(channel, {}).values():
                yield from subscriptions

    def notified(self, notifications: Collection[tuple[str, str]]) -> Iterator[Subscription]:
        """Yield those that a notification, a channel and a payload, is for."""
        for channel, payload in notifications:
            by_payload = self._by_channel.get(channel, {})
            yield from by_payload.get(payload, ())
            yield from by_payload.get(None, ())

    def due(self, now: float) -> list[Subscription]:
        """Return those whose safety net is due at the monotonic time `now`."""
        if now < self._next_due:
            return []
        return [subscription for subscription in self.of(self._by_channel) if subscription.is_due(now)]

    def next_due(self, now: float) -> float:
        """Return when the next safety net is due, as a monotonic time, at `now` or later."""
        # Who has been woken since is due later than was noted, which costs one look in vain.
        if now >= self._next_due:
            everybody = self.of(self._by_channel)
            self._next_due = min((subscription.due for subscription in everybody), default=float("inf"))
        return self._next_due
