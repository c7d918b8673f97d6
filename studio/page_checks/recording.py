"""What a page asks for, gets and complains of while it is visited. Runs in the browser's process.

Requests are told by the browser's own protocol, which knows what came over the wire, also of an answer that never
ended; frames of other sites, which have processes of their own, are only seen by Playwright: theirs are added from
there.
"""

from __future__ import annotations

import time
from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.egress.connection import OURS

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page
    from playwright.sync_api import Request as PlaywrightRequest
    from playwright.sync_api import Response as PlaywrightResponse

# Said of an unencrypted request, which the guard itself answers; of an encrypted one only the guard's list tells.
REFUSED = "the guard refuses this address"
UNREACHED = "nobody could be reached there"
# What is no request to anybody.
_WITHIN = ("data", "blob", "about")
# A page may ask for and say as much as it likes; beyond this nobody counts on.
MAX_REQUESTS = 2000
MAX_MESSAGES = 200
TEXT_CHARS = 500
URL_CHARS = 500


def is_stream(kind: str, status: int | None, error: str | None) -> bool:
    """Say whether a request is an answered stream of events, which is open for as long as its page is."""
    return kind.lower() == "eventsource" and status is not None and status < 400 and error is None


@dataclass
class Request:
    """One request: `bytes` came over the wire, `error` is why it failed, `ended` whether it is over.

    `framed` says that it is that of a frame within the page, `cut` that it was us who stopped it.
    """

    url: str
    kind: str
    method: str = "GET"
    status: int | None = None
    bytes: int = 0
    encoded: int = 0
    decoded: int = 0
    error: str | None = None
    ended: bool = False
    main: bool = False
    framed: bool = False
    cut: bool = False

    @property
    def under_way(self) -> bool:
        """Whether its end is still to come: a stream of events that was answered well has none, and lacks nothing."""
        return not (self.ended or self.cut or is_stream(self.kind, self.status, self.error))

    @property
    def key(self) -> tuple[str, str]:
        """What it has in common with the same request as somebody else saw it."""
        return self.method, self.url.partition("#")[0]


@dataclass
class Recording:
    """Everything that a page did, from `attach` or the last `begin` on."""

    requests: dict[str, Request] = field(default_factory=dict)
    messages: list[dict[str, str]] = field(default_factory=list)
    changed_at: float = field(default_factory=time.monotonic)
    _main_frame: str = ""
    _document: Request | None = None
    _asked: Request | None = None
    _framed: dict[PlaywrightRequest, Request] = field(default_factory=dict)

    def attach(self, page: Page, session: CDPSession) -> None:
        """Listen to the page and to its protocol session."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._answered)
        session.on("Network.dataReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.loadingFailed", self._failed)
        session.on("Page.frameNavigated", self._navigated)
        session.send("Network.enable")
        self._main_frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        page.on("console", lambda message: self._say(message.type, message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._say("uncaught", str(error)))
        page.on("request", self._sent_by_frame)
        page.on("response", self._answered_to_frame)
        page.on("requestfinished", self._ended_elsewhere)
        page.on("requestfailed", self._ended_elsewhere)

    def begin(self) -> None:
        """Forget what an earlier page of the same tab did."""
        self.requests.clear()
        self._framed.clear()
        self.messages.clear()
        self._document = self._asked = None

    @property
    def document(self) -> Request | None:
        """The request whose answer the page shows; None where that is no answer of the web's."""
        return self._document

    @property
    def asked(self) -> Request | None:
        """The last request for a page in place of the one that was there, whatever came of it."""
        return self._asked

    def stop(self) -> None:
        """Note that what is under way now is stopped by us."""
        for request in (*self.requests.values(), *self._framed.values()):
            request.cut = request.cut or not request.ended

    def busy(self) -> int:
        """Return how many requests are under way."""
        return sum(request.under_way for request in self._all())

    def quiet_for(self) -> float:
        """Return for how many seconds no request has begun or ended."""
        return time.monotonic() - self.changed_at

    def as_json(self) -> dict[str, Any]:
        """Return all of it as it is now, in the order in which it was asked for."""
        self._weigh()
        return {
            "requests": [dict(vars(request)) for request in self._all()],
            "messages": list(self.messages),
        }

    def _sent(self, event: dict[str, Any]) -> None:
        self.changed_at = time.monotonic()
        key, request = event["requestId"], event["request"]
        before = self.requests.get(key)
        if before is not None and event.get("redirectResponse"):
            # The same id goes on after a redirect: what was before it is an answer of its own.
            before.status, before.ended = event["redirectResponse"]["status"], True
            before.bytes += max(0, int(event["redirectResponse"].get("encodedDataLength") or 0))
            self.requests[f"{key}/{len(self.requests)}"] = before
        elif len(self.requests) >= MAX_REQUESTS:
            return
        if request["url"].partition(":")[0] in _WITHIN:
            return
        self.requests[key] = Request(
            url=request["url"][:URL_CHARS],
            kind=str(event.get("type", "Other")),
            method=request["method"],
            main=event.get("type") == "Document" and event.get("requestId") == event.get("loaderId"),
            # A worker's has none.
            framed=event.get("frameId", self._main_frame) != self._main_frame,
        )
        if self.requests[key].main and not self.requests[key].framed:
            self._asked = self.requests[key]

    def _navigated(self, event: dict[str, Any]) -> None:
        frame = event["frame"]
        if frame["id"] == self._main_frame:
            self._document = self.requests.get(frame["loaderId"])

    def _answered(self, event: dict[str, Any]) -> None:
        if request := self.requests.get(event["requestId"]):
            request.status = event["response"]["status"]
            headers = {name.lower(): value for name, value in event["response"].get("headers", {}).items()}
            if said := headers.get(OURS.lower()):
                request.error = REFUSED if said == "403" else UNREACHED

    def _received(self, event: dict[str, Any]) -> None:
        if request := self.requests.get(event["requestId"]):
            request.encoded += int(event.get("encodedDataLength") or 0)
            request.decoded += int(event.get("dataLength") or 0)
            # What came over the wire is told late; until then what came of it stands for it.
            request.bytes = request.encoded or request.decoded

    def _finished(self, event: dict[str, Any]) -> None:
        self.changed_at = time.monotonic()
        if request := self.requests.get(event["requestId"]):
            request.ended = True
            request.bytes = max(0, int(event["encodedDataLength"]))

    def _failed(self, event: dict[str, Any]) -> None:
        self.changed_at = time.monotonic()
        request = self.requests.get(event["requestId"])
        if request is not None and not request.cut:
            request.ended = True
            request.error = str(event.get("blockedReason") or event.get("errorText") or "failed")[:TEXT_CHARS]

    def _sent_by_frame(self, request: PlaywrightRequest) -> None:
        from playwright.sync_api import Error

        try:
            within = request.frame.parent_frame is not None
        except Error:
            # A worker's, or that of a window that is not there yet.
            return
        if within and len(self._framed) < MAX_REQUESTS and request.url.partition(":")[0] not in _WITHIN:
            self.changed_at = time.monotonic()
            kind = request.resource_type.capitalize()
            self._framed[request] = Request(request.url[:URL_CHARS], kind, request.method, framed=True)

    def _answered_to_frame(self, answer: PlaywrightResponse) -> None:
        if known := self._framed.get(answer.request):
            known.status = answer.status
            if said := answer.headers.get(OURS.lower()):
                known.error = REFUSED if said == "403" else UNREACHED

    def _ended_elsewhere(self, request: PlaywrightRequest) -> None:
        error = str(request.failure)[:TEXT_CHARS] if request.failure else None
        if known := self._framed.get(request):
            self.changed_at = time.monotonic()
            if not known.cut:
                known.ended, known.error = True, known.error or error
            return
        url = request.url[:URL_CHARS]
        if error and not any(one.url == url for one in self.requests.values()) and len(self.requests) < MAX_REQUESTS:
            self.requests[f"elsewhere/{len(self.requests)}"] = Request(
                url, request.resource_type, request.method, error=error, ended=True
            )

    def _all(self) -> list[Request]:
        """Return every request once. Of a frame that moved to another process the protocol only saw the beginning."""
        seen: dict[tuple[str, str], deque[Request]] = defaultdict(deque)
        for one in self.requests.values():
            if one.framed:
                seen[one.key].append(one)
        more: list[Request] = []
        for one in self._framed.values():
            if not (same := seen[one.key]):
                more.append(one)
                continue
            known = same.popleft()
            known.bytes = max(known.bytes, one.bytes)
            if one.ended and not known.ended:
                known.status, known.error, known.ended = one.status or known.status, one.error, True
        return [*self.requests.values(), *more][:MAX_REQUESTS]

    def _weigh(self) -> None:
        """Ask how much came for the frames whose processes told nothing of it."""
        from playwright.sync_api import Error

        told = {one.key for one in self.requests.values() if one.framed and one.bytes}
        for request, one in self._framed.items():
            if one.key in told or not one.ended or one.error:
                continue
            try:
                sizes = request.sizes()
            except Error:
                # The frame, or the page, is gone, and with it whoever knew.
                continue
            one.bytes = max(0, sizes["responseBodySize"]) + max(0, sizes["responseHeadersSize"])

    def _say(self, kind: str, text: str) -> None:
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append({"kind": kind, "text": text[:TEXT_CHARS]})
