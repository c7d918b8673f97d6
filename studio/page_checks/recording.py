"""What a page asks for, gets and complains of while it is visited. Runs in the browser's process.

Requests are told by the browser's own protocol, which knows what came over the wire, also of an answer that never
ended; frames in processes of their own are only seen by Playwright, so theirs are added from there.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from playwright.sync_api import CDPSession, Page

# Said of an unencrypted request, which the guard itself answers; of an encrypted one only the guard's list tells.
REFUSED = "the guard refuses this address"
# A page may ask for and say as much as it likes; beyond this nobody counts on.
MAX_REQUESTS = 2000
MAX_MESSAGES = 200
TEXT_CHARS = 500
URL_CHARS = 500


@dataclass
class Request:
    """One request: `bytes` came over the wire, `error` is why it failed, `ended` whether it is over."""

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


@dataclass
class Recording:
    """Everything that a page did, from `attach` or the last `begin` on."""

    requests: dict[str, Request] = field(default_factory=dict)
    messages: list[dict[str, str]] = field(default_factory=list)
    changed_at: float = field(default_factory=time.monotonic)

    def attach(self, page: Page, session: CDPSession) -> None:
        """Listen to the page and to its protocol session."""
        session.on("Network.requestWillBeSent", self._sent)
        session.on("Network.responseReceived", self._answered)
        session.on("Network.dataReceived", self._received)
        session.on("Network.loadingFinished", self._finished)
        session.on("Network.loadingFailed", self._failed)
        session.send("Network.enable")
        page.on("console", lambda message: self._say(message.type, message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._say("uncaught", str(error)))
        page.on("requestfailed", self._failed_elsewhere)

    def begin(self) -> None:
        """Forget what an earlier page of the same tab did."""
        self.requests.clear()
        self.messages.clear()

    def busy(self) -> int:
        """Return how many requests are under way."""
        return sum(not request.ended for request in self.requests.values())

    def quiet_for(self) -> float:
        """Return for how many seconds no request has begun or ended."""
        return time.monotonic() - self.changed_at

    def as_json(self) -> dict[str, Any]:
        """Return all of it as it is now, in the order in which it was asked for."""
        return {
            "requests": [dict(vars(request)) for request in self.requests.values()],
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
        if urlsplit(request["url"]).scheme in ("data", "blob", "about"):
            return
        self.requests[key] = Request(
            url=request["url"][:URL_CHARS],
            kind=str(event.get("type", "Other")),
            method=request["method"],
            main=event.get("type") == "Document" and event.get("requestId") == event.get("loaderId"),
        )

    def _answered(self, event: dict[str, Any]) -> None:
        if request := self.requests.get(event["requestId"]):
            request.status = event["response"]["status"]
            headers = {name.lower(): value for name, value in event["response"].get("headers", {}).items()}
            if headers.get("x-greenlight") == "refused":
                request.error = REFUSED

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
        if request := self.requests.get(event["requestId"]):
            request.ended = True
            request.error = str(event.get("blockedReason") or event.get("errorText") or "failed")[:TEXT_CHARS]

    def _failed_elsewhere(self, request: Any) -> None:
        url = request.url[:URL_CHARS]
        if not any(known.url == url for known in self.requests.values()) and len(self.requests) < MAX_REQUESTS:
            error = str(request.failure or "failed")[:TEXT_CHARS]
            self.requests[f"elsewhere/{len(self.requests)}"] = Request(
                url, request.resource_type, request.method, error=error, ended=True
            )

    def _say(self, kind: str, text: str) -> None:
        if len(self.messages) < MAX_MESSAGES:
            self.messages.append({"kind": kind, "text": text[:TEXT_CHARS]})
