"""A hub on a test's own database, and readers that keep what they were given."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.events import Event, NewEvent
from studio.listener import Listener
from tests.support.queue import InBackground
from tests.support.waiting import eventually

NAME = "following"
# Nothing but a notification may wake a follower.
NEVER = 600.0


@contextlib.contextmanager
def hub_on(db: Database, *, listen: bool = True, kept: int = 2_000, net: float = NEVER) -> Iterator[EventHub]:
    with Listener(db, listen=listen, poll_seconds=0.01) as listener:
        with EventHub(db, listener, kept=kept, safety_poll_seconds=net) as hub:
            yield hub


def append(db: Database, job_id: UUID, *messages: str) -> None:
    with db.transaction() as conn:
        events.append(conn, job_id, [NewEvent("log", message) for message in messages])


class Reader:
    """Reads a stream in a thread of its own, and keeps what came."""

    def __init__(self, hub: EventHub, project_id: UUID, after: int = 0, **options: Any) -> None:
        self.events: list[Event] = []
        self._stop = False
        self._stream = hub.follow(project_id, after, stop=lambda: self._stop, **options)
        self._work = InBackground(self._read)

    def _read(self) -> None:
        self.events.extend(iter(self._take, None))

    def _take(self) -> Event | None:
        return next(self._stream, None)

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.events]

    def stop(self) -> None:
        """Let the reader stop when it is woken the next time."""
        self._stop = True

    def result(self) -> list[int]:
        """Wait for the end; return the seqs that came."""
        self._work.result()
        return self.seqs

    def wait_for(self, last: int) -> None:
        eventually(lambda: self.events and self.events[-1].seq >= last, what=f"event {last}")


async def until(probe: Callable[[], bool]) -> None:
    """Wait in an event loop until `probe` is true."""
    while not probe():  # noqa: ASYNC110 - what is waited for knows nothing of the loop
        await asyncio.sleep(0.001)


def running() -> set[str]:
    """Return which threads of a hub this process runs."""
    return {thread.name for thread in threading.enumerate()} & {"listener", "event-hub"}
