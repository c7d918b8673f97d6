"""What tests of model calls share: settings for a server, an account that pays, a progress that remembers.

`ScriptedModel` is a server for the few answers that the sandbox model cannot give. It writes what the test
hands it in the events of the real API, and keeps the requests.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import httpx
from pydantic import BaseModel

from studio.agents.profiles import PROFILES, AgentProfile
from studio.database.connection import Database
from studio.model import spend
from studio.model.call import Call
from studio.model.client import Model
from studio.model.spend import Spender
from studio.sandbox import reply, sse
from studio.sandbox.reply import Reply
from studio.settings import ModelPrice, Settings
from tests.support.queue import make_project

# Dollars per million tokens, so that a token costs this many micro-dollars.
INPUT_PRICE, OUTPUT_PRICE, SEARCH_PRICE = 3, 15, Decimal("0.01")
PRICE = ModelPrice(input_usd_per_million=INPUT_PRICE, output_usd_per_million=OUTPUT_PRICE, search_usd=SEARCH_PRICE)
MAX_TOKENS = 2_000

# Long enough for a loaded machine to answer in, short enough to wait for.
SHORT_TIMEOUT = 0.4
# How long a fault lasts that a test does not wait for, and what is far less.
LONG_FAULT = 60.0
FAR_LESS = 20.0

TOOLS_PAGE = """---
url: https://lendly.test/about
title: Lendly
---
Lendly lends power tools to neighbours for 5 euros a day. The market for tool rental grew to 12 million households.
"""


class Note(BaseModel):
    """The smallest thing to ask for."""

    title: str


def model_settings(url: str, **changes: Any) -> Settings:
    """Return settings for a model server; retries are off and every token has a price unless changed."""
    values: dict[str, Any] = {
        "anthropic_api_key": "test",
        "anthropic_base_url": url,
        "model": "sandbox",
        "model_max_retries": 0,
        "model_prices": {"sandbox": PRICE},
        "outbound_enabled": False,
    }
    return Settings(**{**values, **changes})


@contextlib.contextmanager
def open_model(url: str, db: Database, **changes: Any) -> Iterator[Model]:
    """Lend a model client for the server at `url`."""
    model = Model(model_settings(url, **changes), db)
    try:
        yield model
    finally:
        model.close()


def account(db: Database, *, usd: Decimal | int = 100, tokens: int = 100_000_000, calls: int = 1_000) -> Spender:
    """Make a project with a budget and return who spends it."""
    project_id = make_project(db)
    with db.transaction() as conn:
        spend.set_budget(conn, project_id, Decimal(usd), tokens, calls)
    return Spender(project_id)


def call(
    prompt: str = "<idea>A tool library for neighbours who rarely need a drill.</idea>",
    *,
    profile: AgentProfile | str = "synthesizer",
    max_tokens: int = MAX_TOKENS,
    **fields: Any,
) -> Call:
    """Return a question; `profile` may be the name of one."""
    chosen = PROFILES[profile] if isinstance(profile, str) else profile
    return Call(chosen, "a-step", "You are an agent.", prompt, max_tokens, **fields)


def ledger(db: Database, project_id: UUID) -> list[dict[str, Any]]:
    """Return the project's model calls, oldest first."""
    return db.fetch_all("select * from public.model_calls where project_id = %s order by created_at, id", [project_id])


def settled(db: Database, payer: Spender) -> tuple[int, int, int]:
    """Return what was spent and what is still reserved in micro-dollars, and the number of calls."""
    now = spend.budget(db, payer.project_id)
    return now.spent_micros, now.reserved_micros, now.calls


def worst_case_micros(row: dict[str, Any]) -> int:
    """Return what a row of the ledger reserved, which is what the call costs at most."""
    return int(row["reserved_micros"])


class Recorder:
    """A progress that remembers what it was told, from any thread. `on_delta` is called with each delta's text."""

    def __init__(self, on_delta: Callable[[str], None] = lambda _text: None) -> None:
        self._lock = threading.Lock()
        self._on_delta = on_delta
        self.logs: list[tuple[str, dict[str, Any]]] = []
        self.deltas: list[tuple[str, dict[str, Any]]] = []
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.results: list[tuple[str, dict[str, Any]]] = []

    def log(self, message: str, **data: Any) -> None:
        with self._lock:
            self.logs.append((message, data))

    def delta(self, text: str, **data: Any) -> None:
        with self._lock:
            self.deltas.append((text, data))
        self._on_delta(text)

    def tool_call(self, tool: str, **data: Any) -> None:
        with self._lock:
            self.calls.append((tool, data))

    def tool_result(self, tool: str, **data: Any) -> None:
        with self._lock:
            self.results.append((tool, data))

    @property
    def said(self) -> str:
        """All log lines, a line each."""
        return "\n".join(message for message, _ in self.logs)

    @property
    def streamed(self) -> str:
        """All streamed text."""
        return "".join(text for text, _ in self.deltas)


# --- a server with written answers


Answer = Reply | Callable[["ScriptedRequest"], None]


@dataclass
class _Script:
    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)


class ScriptedRequest(BaseHTTPRequestHandler):
    """One request, answered by the next entry of the script: a `Reply`, or a function over the open connection."""

    protocol_version = "HTTP/1.1"
    script: _Script
    body: dict[str, Any]

    def do_POST(self) -> None:
        self.close_connection = True
        self.body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        script = self.script
        script.requests.append(self.body)
        answer = script.answers[min(len(script.requests), len(script.answers)) - 1]
        with contextlib.suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Connection", "close")
            self.end_headers()
            if isinstance(answer, Reply):
                self.stream(answer)
            else:
                answer(self)

    def stream(self, answer: Reply) -> None:
        """Write a whole answer."""
        named = reply.with_ids(answer, f"msg_{len(self.script.requests)}")
        for event in sse.events(named, f"msg_{len(self.script.requests)}", 100):
            self.wfile.write(event.encode())

    def begin(self, events: int) -> None:
        """Write the first `events` events of an answer."""
        for event in list(sse.events(reply.text_reply("word " * 50), "msg_1", 100))[:events]:
            self.wfile.write(event.encode())

    def pings(self, pause: float = 0.02) -> None:
        """Say nothing but that the connection lives, until the client hangs up or the server is closed."""
        self.begin(4)
        while not self.script.closing.wait(pause):
            self.wfile.write(sse.PING.encode())
            self.wfile.flush()

    def forward(self, url: str, body: dict[str, Any]) -> None:
        """Let the server at `url` answer."""
        headers = {"x-api-key": "test", "anthropic-version": self.headers["anthropic-version"]}
        with httpx.stream(
            "POST", f"{url}{self.path}", json=body, headers=headers, verify=False, timeout=None
        ) as answer:
            for chunk in answer.iter_raw():
                self.wfile.write(chunk)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def scripted_model(*answers: Answer) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Serve the answers in order, the last one again and again; yield the URL and the list of request bodies."""
    script = _Script(list(answers))
    handler = type("Handler", (ScriptedRequest,), {"script": script})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", script.requests
    finally:
        script.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def overheard(url: str) -> Answer:
    """Return an answer that lets the server at `url` give it, for a test that wants to read the whole request."""
    return lambda request: request.forward(url, request.body)


def seconds(work: Callable[[], object]) -> float:
    """Run `work` and return how long it took."""
    began = time.monotonic()
    work()
    return time.monotonic() - began
