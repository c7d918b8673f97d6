"""What is refused before any route looks at it: foreign hosts, foreign pages, floods, bodies that are too large."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web import headers
from web.answers import overloaded, refusal
from web.site import Site

# A sign-up with twenty answers of the greatest length is a quarter of this.
MAX_BODY_BYTES = 64 * 1024
# More at work at once than this is a flood: it is told so, and the others are served.
MAX_REQUESTS = 200
# Two connections' worth of these stays below the files that a process may have open.
MAX_STREAMS = 1000


@dataclass(frozen=True)
class Limits:
    """What an application takes. Of what `uploads` matches (method and path) up to `max_upload_bytes`.

    What `streams` matches lasts by design, and is counted by itself.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    max_requests: int = MAX_REQUESTS
    uploads: re.Pattern[str] | None = None
    max_upload_bytes: int = 0
    streams: re.Pattern[str] | None = None
    max_streams: int = MAX_STREAMS

    def body_bytes(self, scope: Scope) -> int:
        """Return how large the body of a request may be."""
        if self.uploads and self.uploads.fullmatch(f"{scope['method']} {scope['path']}"):
            return self.max_upload_bytes
        return self.max_body_bytes

    def lasts(self, scope: Scope) -> bool:
        """Say whether an answer lasts by design."""
        return bool(self.streams and self.streams.fullmatch(scope["path"]))


DEFAULT_LIMITS = Limits()


class Guard:
    """Middleware around everything.

    A page on another host whose name was made to point at this machine would otherwise be answered as if it were ours.
    """

    def __init__(self, app: ASGIApp, site: Site, limits: Limits | None = None) -> None:
        self._app = app
        self._site = site
        self._given = limits
        self._at_work = 0
        self._streaming = 0

    @property
    def _limits(self) -> Limits:
        return self._given or DEFAULT_LIMITS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        answering = _with_headers(send)
        limit = self._limits.body_bytes(scope)
        if _host_name(asked.get("host", "")) not in self._site.hosts:
            await refusal(Request(scope), 400, "This address is not served here.")(scope, receive, answering)
            return
        if (why := self._site.forbids(Request(scope))) is not None:
            await refusal(Request(scope), 403, why)(scope, receive, answering)
            return
        if _announced(asked) > limit:
            await refusal(Request(scope), 413, "This is more than is taken here.")(scope, receive, answering)
            return
        if self._limits.lasts(scope):
            await self._stream(scope, receive, answering)
            return
        if self._at_work >= self._limits.max_requests:
            await overloaded(Request(scope))(scope, receive, answering)
            return
        self._at_work += 1
        try:
            await self._app(scope, _bounded(receive, limit), answering)
        finally:
            self._at_work -= 1

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streaming >= self._limits.max_streams:
            await overloaded(Request(scope))(scope, receive, send)
            return
        self._streaming += 1
        try:
            await self._app(scope, _bounded(receive, self._limits.max_body_bytes), send)
        finally:
            self._streaming -= 1


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _announced(asked: Headers) -> int:
    length = asked.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0


def _bounded(receive: Receive, limit: int) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, "This is more than is taken here.")
        return message

    return bounded


def _with_headers(send: Send) -> Send:
    async def answering(message: Message) -> None:
        if message["type"] == "http.response.start":
            told = MutableHeaders(scope=message)
            for name, value in headers.ALWAYS.items():
                told.setdefault(name, value)
        await send(message)

    return answering
