"""GitHub, Meta and a deploy host on loopback, as far as the studio speaks to them, with what goes wrong there.

They keep what they were asked for and what came of it. A fault is ordered for the next request that changes
something, or asks: before it takes effect, or after.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from tests.support.local_web import TLS_FOLDER

Kind = Literal["status", "drop", "hang", "slow", "raw"]
# The tests' authority has signed for this name.
HOOK_HOST = "site.test"
HOOK_PATH = "/v1/integrations/deploy/prj_9Fh2kLq7/SecretHookKey42"


@dataclass
class Fault:
    """What happens to the next matching request instead of an ordinary answer."""

    kind: Kind
    method: str = "POST"
    status: int = 500
    body: Any = None
    # Whether it has happened although the answer does not say so.
    done: bool = False
    released: threading.Event = field(default_factory=threading.Event)


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(urllib.parse.parse_qsl(self.body.decode()))

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Providers:
    """The providers and their records. `page_size` cuts Meta's lists."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self.clear()
        self.url = ""
        self.hook_address = ("127.0.0.1", 0)

    def clear(self) -> None:
        """Forget faults, requests and effects."""
        with self._lock:
            self._faults.clear()
            self.page_size = 200
            self.requests: list[Asked] = []
            self.campaigns: list[dict[str, Any]] = []
            self.dispatches: list[dict[str, Any]] = []
            self.deployments: list[dict[str, Any]] = []

    def fault(self, kind: Kind, **options: Any) -> Fault:
        """Order a fault for the next request of its method."""
        fault = Fault(kind, **options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def changes(self) -> list[Asked]:
        """The requests that change something."""
        return [asked for asked in self.requests if asked.method == "POST"]

    def effects_for(self, mark: str) -> int:
        """How many effects carry `mark` (a project's id, an approval's marker) in what was asked for."""
        everything = [*self.campaigns, *self.dispatches, *self.deployments]
        return sum(mark in json.dumps(effect) for effect in everything)

    def _take_fault(self, method: str) -> Fault | None:
        with self._lock:
            found = next((fault for fault in self._faults if fault.method == method), None)
            if found is not None:
                self._faults.remove(found)
            return found

    def _happen(self, asked: Asked) -> tuple[int, Any]:
        """Do what a request asks for and return status and answer."""
        with self._lock:
            if re.fullmatch(r"/v21\.0/act_\d+/campaigns", asked.path):
                return self._campaigns(asked)
            if re.fullmatch(r"/repos/[^/]+/[^/]+/dispatches", asked.path) and asked.method == "POST":
                self.dispatches.append({"path": asked.path, **asked.json})
                return 204, None
            if asked.path == HOOK_PATH and asked.method == "POST":
                self.deployments.append(asked.json)
                return 201, {"job": {"id": f"job-{len(self.deployments)}", "state": "PENDING"}}
        return 404, {"message": "Not Found"}

    def _campaigns(self, asked: Asked) -> tuple[int, Any]:
        if asked.method == "POST":
            campaign = {**asked.form, "id": str(12_000 + len(self.campaigns))}
            campaign.pop("access_token", None)
            self.campaigns.append(campaign)
            return 200, {"id": campaign["id"]}
        start = int(asked.query.get("after", "0"))
        size = min(self.page_size, int(asked.query.get("limit", "25")))
        wanted = json.loads(asked.query.get("effective_status", '["ACTIVE", "PAUSED"]'))
        found = [c for c in self.campaigns if c["status"] in wanted]
        page = [{k: c[k] for k in ("id", "name", "status")} for c in found[start : start + size]]
        answer: dict[str, Any] = {"data": page}
        if start + size < len(found):
            answer["paging"] = {"cursors": {"after": str(start + size)}, "next": "https://…"}
        return 200, answer


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        self.close_connection = True
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length", "0"))
            body = self.rfile.read(length)
            if len(body) < length:
                return  # who asks has died in the middle of his request
            asked = Asked(self.command, parts.path, dict(urllib.parse.parse_qsl(parts.query)), dict(self.headers), body)
            providers = self.server.providers
            providers.requests.append(asked)
            fault = providers._take_fault(self.command)
            if fault is None:
                self._answer(*providers._happen(asked))
                return
            if fault.done:
                providers._happen(asked)
            if fault.kind == "status":
                self._answer(fault.status, fault.body)
            elif fault.kind == "raw":
                self.wfile.write(fault.body)
            elif fault.kind == "hang":
                fault.released.wait(30)
            elif fault.kind == "slow":
                fault.released.wait(30)
                self._answer(*providers._happen(asked))
            # "drop": the connection ends without a word.

    def _answer(self, status: int, answer: Any) -> None:
        body = b"" if answer is None else answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status in (301, 307):
            self.send_header("Location", "https://elsewhere.test/")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    providers: Providers
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that dies in the middle is the point of many tests."""


@contextlib.contextmanager
def providers(listener: socket.socket | None = None) -> Iterator[Providers]:
    """Run the providers: the APIs over HTTP, at `listener` where it is given; the deploy host over TLS."""
    state = Providers()
    with _served(state, listener, tls=False) as plain, _served(state, tls=True) as secure:
        state.url = f"http://{plain[0]}:{plain[1]}"
        state.hook_address = secure
        yield state


@contextlib.contextmanager
def _served(state: Providers, listener: socket.socket | None = None, *, tls: bool) -> Iterator[tuple[str, int]]:
    server = _Server(("127.0.0.1", 0), _Handler)
    if listener is not None:
        server.socket.close()
        server.socket = listener
    if tls:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(TLS_FOLDER / "site.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.providers = state
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.socket.getsockname()
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
