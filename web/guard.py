"""What is refused before any route looks at it: foreign host names, floods, and bodies that are too large."""

from __future__ import annotations

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


class Guard:
    """Middleware around everything.

    A page on another host whose name was made to point at this machine would otherwise be answered as if it were ours.
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site
        self._at_work = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        answering = _with_headers(send)
        if _host_name(asked.get("host", "")) not in self._site.hosts:
            await refusal(Request(scope), 400, "This address is not served here.")(scope, receive, answering)
            return
        if _announced(asked) > MAX_BODY_BYTES:
            await refusal(Request(scope), 413, "This is more than is taken here.")(scope, receive, answering)
            return
        if self._at_work >= MAX_REQUESTS:
            await overloaded(Request(scope))(scope, receive, answering)
            return
        self._at_work += 1
        try:
            await self._app(scope, _bounded(receive), answering)
        finally:
            self._at_work -= 1


def _host_name(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower().rstrip(".")


def _announced(asked: Headers) -> int:
    length = asked.get("content-length", "0")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def bounded() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
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
