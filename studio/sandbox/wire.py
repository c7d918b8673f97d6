"""How an answer leaves: whole, as a paced stream, or cut off in its middle."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from studio.sandbox import sse
from studio.sandbox.errors import error_body
from studio.sandbox.faults import Fault
from studio.sandbox.journal import Entry

ORDERED = "This error was ordered for a test."
# A stream that is slower than this says now and then that it still lives.
PING_SECONDS = 10.0


class Cut(Exception):
    """The connection is to be closed in the middle of an answer."""


class Clock:
    """Waits that end early: all of them when the server stops, each when its client has gone."""

    def __init__(self) -> None:
        self.stopping = asyncio.Event()

    async def pause(self, seconds: float, receive: Receive | None = None) -> None:
        """Wait `seconds`, or raise `Cut` as soon as the server stops or the client behind `receive` has gone."""
        if self.stopping.is_set():
            raise Cut
        if seconds <= 0:
            return
        waiting: list[asyncio.Task[Any]] = [asyncio.create_task(self.stopping.wait())]
        if receive is not None:
            waiting.append(asyncio.create_task(gone(receive)))
        try:
            done, _ = await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in waiting:
                task.cancel()
        if done:
            raise Cut


async def gone(receive: Receive) -> None:
    """Return when the client has closed its connection; the request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


class EventStream(Response):
    """A stream of events with a pause before each piece that a model would take time to produce."""

    def __init__(
        self, events: Iterator[sse.Event], entry: Entry, fault: Fault | None, clock: Clock, delay_ms: float
    ) -> None:
        super().__init__(media_type="text/event-stream")
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-cache"
        self.headers["request-id"] = entry.request_id
        self._events = list(events)
        self._entry, self._fault, self._clock = entry, fault, clock
        self._delay = (fault.delay_ms if fault and fault.kind == "slow" else delay_ms) / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; return without an end where the stream was cut, which closes the connection."""
        self._entry.status = 200
        left = asyncio.create_task(gone(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            with contextlib.suppress(Cut):
                async for event in self._paced():
                    if left.done():
                        return
                    await send({"type": "http.response.body", "body": event.encode(), "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                self._entry.finished = True
        finally:
            left.cancel()

    async def _paced(self) -> AsyncIterator[sse.Event]:
        fault, middle = self._fault, len(self._events) // 2
        silent = 0.0
        for position, event in enumerate(self._events):
            if fault and position == middle:
                if fault.kind == "drop":
                    raise Cut
                if fault.kind == "hang" and fault.where == "middle":
                    await self._clock.pause(fault.seconds)
                if fault.kind == "stream_error":
                    yield sse.Event("error", error_body(fault.status, ORDERED, self._entry.request_id))
                    return
            if event.paced:
                await self._clock.pause(self._delay)
                silent += self._delay
                if silent >= PING_SECONDS:
                    silent = 0.0
                    yield sse.PING
            yield event


class Severed(Response):
    """An answer of which half is sent before the connection closes."""

    def __init__(self, entry: Entry, body: bytes) -> None:
        super().__init__(media_type="application/json")
        self._half = body[: len(body) // 2]
        self.headers["content-length"] = str(len(body))
        self.headers["request-id"] = entry.request_id
        entry.status = 200

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the body; returning before its end closes the connection."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self._half, "more_body": True})


def handed_over(entry: Entry, response: Response) -> Response:
    """Return `response` with the request's id, and write down that it goes out whole."""
    entry.status = response.status_code
    entry.finished = True
    response.headers["request-id"] = entry.request_id
    return response
