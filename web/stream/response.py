"""One event stream, from its first byte to its last.

A stream is a position: nothing is queued for it. It takes what comes next when its last bytes have left, several
events in one write; whoever reads slowly gets behind, is cut off where nothing moves any more, and resumes by the id
of the last frame that it has seen. All streams of a project share one reader, and the frames.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from studio.event_hub import EventHub
from studio.event_watch import Watch
from studio.events import Event
from web.connections import StudioConnection
from web.stream import frames
from web.stream.changes import Changes
from web.stream.cursor import Standing
from web.stream.frames import Frames

MEDIA_TYPE = "text/event-stream"
# `no-transform`, because what compresses holds back. X-Accel-Buffering tells nginx not to do so, either.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
# A write is sent when it has grown to this.
WRITE_BYTES = 64 * 1024
# A page that reads anew four times a second is as live as one can see.
HINT_PAUSE_SECONDS = 0.25
# Streams that began together would else end together, and all come back at once.
SHORTER_AT_MOST = 0.2


@dataclass(frozen=True)
class Streams:
    """What all streams of a process share. `open` counts them by owner, in the loop's thread alone."""

    hub: EventHub
    changes: Changes
    frames: Frames
    open: Counter[str] = field(default_factory=Counter)

    @contextlib.contextmanager
    def counted(self, owner: str) -> Iterator[None]:
        """Count a stream of an owner for as long as it lasts."""
        self.open[owner] += 1
        try:
            yield
        finally:
            self.open[owner] -= 1
            # Owners who have gone cost no memory.
            if not self.open[owner]:
                del self.open[owner]


@dataclass(frozen=True)
class Course:
    """What one stream carries to an owner: events after these positions, of one job or of all, deltas or none.

    Of `several` projects the id of a frame is all positions, else it is the seq.
    """

    positions: Mapping[UUID, int]
    owner: str
    job_id: UUID | None = None
    several: bool = False
    deltas: bool = True


class EventStream(Response):
    """An answer that lasts `seconds`, or up to a fifth less, and says that it lives every `ping_seconds`."""

    media_type = MEDIA_TYPE

    def __init__(self, streams: Streams, course: Course, *, seconds: float, ping_seconds: float) -> None:
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._streams = streams
        self._course = course
        self._seconds = seconds * random.uniform(1 - SHORTER_AT_MOST, 1)  # noqa: S311 - spreads load, hides nothing
        self._ping_seconds = ping_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the time is over, the server stops, or the client has gone."""
        head = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        if scope["method"] == "HEAD":
            await send(head)
        else:
            with self._streams.counted(self._course.owner):
                await self._carry(head, scope, receive, send)
        # To a client that has gone it is sent in vain.
        await send({"type": "http.response.body", "body": frames.RECONNECT})

    async def _carry(self, head: Message, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and what there is."""
        write = _writer(scope, send)
        woken = asyncio.Event()
        with contextlib.ExitStack() as left:
            leaving = asyncio.create_task(_leaving(receive))
            left.callback(leaving.cancel)
            leaving.add_done_callback(lambda _: woken.set())
            course, hub = self._course, self._streams.hub
            watch = left.enter_context(hub.watch(course.positions, woken.set, job_id=course.job_id))
            hints = left.enter_context(
                self._streams.changes.hints(course.positions, woken.set, pause_seconds=HINT_PAUSE_SECONDS)
            )
            clock = left.enter_context(_Clock(self._seconds, self._ping_seconds, woken.set))
            news = _News(watch, course, self._streams.frames)
            # Not before: a client reads what it shows when it is answered, and is told of what changes from then on.
            await send(head)
            body = frames.OPENING
            while not (leaving.done() or clock.is_over or hub.closed):
                woken.clear()
                body += news.take()
                for project_id, what in hints.take():
                    body += frames.changed(project_id, what)
                if not body and clock.wants_ping:
                    body = frames.PING
                if body:
                    await write(body)
                    clock.note_sent()
                    body = b""
                else:
                    await woken.wait()


class _News:
    """The frames that come next, as many as a write takes."""

    def __init__(self, watch: Watch, course: Course, shared: Frames) -> None:
        self._watch = watch
        self._deltas = course.deltas
        self._frames = shared
        self._standing = Standing(course.positions) if course.several else None
        self._page: Iterator[Event] = iter(())

    def take(self) -> bytes:
        parts: list[bytes] = []
        size = 0
        while size < WRITE_BYTES:
            event = next(self._page, None)
            if event is None:
                page = self._watch.take()
                if not page:
                    break
                self._page = iter(page)
                continue
            if self._standing is not None:
                self._standing.move(event.project_id, event.seq)
            if event.type != "delta" or self._deltas:
                position = event.seq if self._standing is None else self._standing.text()
                parts.append(f"id: {position}\n".encode())
                parts.append(self._frames.of(event))
                size += len(parts[-1]) + len(parts[-2])
        return b"".join(parts)


class _Clock:
    """Wakes a stream for what is due: a sign of life, and its end."""

    def __init__(self, seconds: float, ping_seconds: float, wake: Callable[[], None]) -> None:
        self.is_over = False
        self.wants_ping = False
        self._ping_seconds = ping_seconds
        self._wake = wake
        self._loop = asyncio.get_running_loop()
        self._sent_at = self._loop.time()
        self._end = self._loop.call_later(seconds, self._finish)
        self._ping = self._loop.call_later(ping_seconds, self._look)

    def __enter__(self) -> _Clock:
        return self

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self._ping.cancel()

    def note_sent(self) -> None:
        self._sent_at = self._loop.time()
        self.wants_ping = False

    def _finish(self) -> None:
        self.is_over = True
        self._wake()

    def _look(self) -> None:
        # One timer, which is not set anew at every write: it looks when the last one is long enough ago.
        due_at = self._sent_at + self._ping_seconds
        if due_at <= self._loop.time():
            self.wants_ping = True
            self._wake()
            due_at = self._loop.time() + self._ping_seconds
        self._ping = self._loop.call_at(due_at, self._look)


def _writer(scope: Scope, send: Send) -> Callable[[bytes], Awaitable[None]]:
    """Return how a part of the body is sent: by the connection itself, where it is one of ours."""
    connection = scope.get("state", {}).get("connection")
    if isinstance(connection, StudioConnection):
        connection.begin_stream()
        return connection.write_stream

    async def write(body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})

    return write


async def _leaving(receive: Receive) -> None:
    """Return when the client has gone."""
    # A body that is larger than a request without one may have: the guard has heard enough, and so have we.
    with contextlib.suppress(HTTPException):
        while (await receive())["type"] != "http.disconnect":
            pass
