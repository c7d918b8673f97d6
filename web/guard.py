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
MAX_LASTING = 1000


@dataclass(frozen=True)
class Limits:
    """What an application takes. Of what `uploads` matches (method and path) up to `max_upload_bytes`.

    These and what `streams` matches last by design, and are counted by themselves.
    """

    max_body_bytes: int = MAX_BODY_BYTES
    max_requests: int = MAX_REQUESTS
    uploads: re.Pattern[str] | None = None
    max_upload_bytes: int = 0
    streams: re.Pattern[str] | None = None
    max_lasting: int = MAX_LASTING

    def body_bytes(self, scope: Scope) -> int:
        """Return how large the body of a request may be."""
        return self.max_upload_bytes if self._uploads(scope) else self.max_body_bytes

    def lasts(self, scope: Scope) -> bool:
        """Say whether a request lasts by design."""
        return self._uploads(scope) or bool(self.streams and self.streams.fullmatch(scope["path"]))

    def _uploads(self, scope: Scope) -> bool:
        return bool(self.uploads and self.uploads.fullmatch(f"{scope['method']} {scope['path']}"))


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
        self._lasting = 0

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
        if not self._serves(scope, _host_name(asked.get("host", ""))):
            await refusal(Request(scope), 400, "This address is not served here.")(scope, receive, answering)
            return
        if (why := self._site.forbids(Request(scope))) is not None:
            await refusal(Request(scope), 403, why)(scope, receive, answering)
            return
        if _announced(asked) > limit:
            await refusal(Request(scope), 413, "This is more than is taken here.")(scope, receive, answering)
            return
        if self._limits.lasts(scope):
            await self._last(scope, _bounded(receive, limit), answering)
            return
        try:
            # Whoever sends his request slowly waits by himself: he takes nobody's place meanwhile.
            whole = await _whole(receive, limit)
        except HTTPException as exc:
            await refusal(Request(scope), exc.status_code, exc.detail)(scope, receive, answering)
            return
        if self._at_work >= self._limits.max_requests and not _is_health(scope):
            await overloaded(Request(scope))(scope, receive, answering)
            return
        self._at_work += 1
        try:
            await self._app(scope, whole, answering)
        finally:
            self._at_work -= 1

    def _serves(self, scope: Scope, host: str) -> bool:
        # A probe asks the machine, and not the studio by its name; a platform's may do so under a name of its own.
        return host in self._site.hosts or (_is_health(scope) and host in self._site.probe_hosts)

    async def _last(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._lasting >= self._limits.max_lasting:
            await overloaded(Request(scope))(scope, receive, send)
            return
        self._lasting += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._lasting -= 1


def _is_health(scope: Scope) -> bool:
    return scope["path"] in ("/healthz", "/readyz", "/metrics")


async def _whole(receive: Receive, limit: int) -> Receive:
    """Return what hands over a request that has come as a whole; raise where it is more than `limit` bytes."""
    messages: list[Message] = []
    taking = _bounded(receive, limit)
    while True:
        message = await taking()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    handed = iter(messages)

    async def hand_over() -> Message:
        for message in handed:
            return message
        # Next comes that the client has gone.
        return await receive()

    return hand_over


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
