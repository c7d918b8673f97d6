"""Hints that a page shows something that is no longer so: changes that are no event of a job.

The database says of which project and what (migration `change_hints`). One subscription for each project that
somebody follows, for all who follow it; nothing is asked. A hint is no news, only a reason to read again what is
shown, so it may come without cause, and several soon after each other are one.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

from studio.doorbell import Doorbell
from studio.listener import Listener
from studio.subscriptions import Subscription

CHANNEL = "project_changes"
# What may change: the second half of a notification's payload.
WHAT = ("approvals", "assets", "chat", "ledger", "mail", "outbox", "packets", "project", "spend")
# The safety net of a subscription is no reason: it would let every page read anew for nothing.
_NEVER = 86_400.0


class Changes:
    """Tells the streams of this process what has changed in their projects. Thread-safe."""

    def __init__(self, listener: Listener, *, listens: bool) -> None:
        """Where the listener cannot LISTEN (not `listens`) there are no hints."""
        self._listener = listener
        self._listens = listens
        self._lock = threading.Lock()
        self._rooms: dict[UUID, _Room] = {}

    @contextlib.contextmanager
    def hints(self, project_ids: Iterable[UUID], wake: Callable[[], None], pause_seconds: float) -> Iterator[Hints]:
        """Lend the hints about some projects to code in the running event loop; `wake` is called for each there is."""
        loop = asyncio.get_running_loop()
        hints = Hints(loop, wake, pause_seconds)
        joined = list(project_ids) if self._listens else []
        for project_id in joined:
            self._join(project_id, hints)
        try:
            yield hints
        finally:
            hints.close()
            for project_id in joined:
                self._leave(project_id, hints)

    def _join(self, project_id: UUID, hints: Hints) -> None:
        with self._lock:
            room = self._rooms.get(project_id)
            if room is None:
                room = self._rooms[project_id] = _Room(project_id, self._subscribe)
            room.members.add(hints)

    def _leave(self, project_id: UUID, hints: Hints) -> None:
        with self._lock:
            room = self._rooms[project_id]
            room.members.discard(hints)
            if not room.members:
                del self._rooms[project_id]
                room.close()

    def _subscribe(self, project_id: UUID, what: str, on_wake: Callable[[], None]) -> Subscription:
        return self._listener.subscribe(CHANNEL, f"{project_id}:{what}", on_wake, safety_poll_seconds=_NEVER)


class _Room:
    """Those who are to hear of one project."""

    def __init__(self, project_id: UUID, subscribe: Callable[[UUID, str, Callable[[], None]], Subscription]) -> None:
        self.members: set[Hints] = set()
        self._project_id = project_id
        self._subscriptions = [subscribe(project_id, what, functools.partial(self._tell, what)) for what in WHAT]

    def _tell(self, what: str) -> None:
        # In the listener's thread; who joins or leaves meanwhile hears of it or does not.
        for member in self.members.copy():
            member.add(self._project_id, what)

    def close(self) -> None:
        for subscription in self._subscriptions:
            subscription.close()


class Hints:
    """What has changed since somebody has last taken it: at once after a pause, and at the end of the next one."""

    def __init__(self, loop: asyncio.AbstractEventLoop, wake: Callable[[], None], pause_seconds: float) -> None:
        self._loop = loop
        self._wake = wake
        self._pause_seconds = pause_seconds
        self._bell = Doorbell(loop, wake)
        self._changed: set[tuple[UUID, str]] = set()
        self._quiet_until: dict[UUID, float] = {}
        self._alarms: dict[UUID, asyncio.TimerHandle] = {}

    def add(self, project_id: UUID, what: str) -> None:
        """Take a hint. From any thread."""
        self._changed.add((project_id, what))
        self._bell.ring()

    def take(self) -> Sequence[tuple[UUID, set[str]]]:
        """Return the projects with changes, and what they are; each at most once in `pause_seconds`."""
        if not self._changed:
            return ()
        now = self._loop.time()
        due: dict[UUID, set[str]] = {}
        for change in self._changed.copy():
            project_id, what = change
            if (until := self._quiet_until.get(project_id, now)) > now:
                if project_id not in self._alarms:
                    self._alarms[project_id] = self._loop.call_at(until, self._end_pause, project_id)
                continue
            self._changed.discard(change)
            due.setdefault(project_id, set()).add(what)
        for project_id in due:
            self._quiet_until[project_id] = now + self._pause_seconds
        return list(due.items())

    def close(self) -> None:
        """Ring nobody any more."""
        for alarm in self._alarms.values():
            alarm.cancel()

    def _end_pause(self, project_id: UUID) -> None:
        del self._alarms[project_id]
        self._quiet_until.pop(project_id, None)
        self._wake()
