"""A model server that plays a list of turns, for tests that need an agent which does exactly this, good or bad.

It speaks enough of the Messages API for the real SDK: streams and plain answers, tool calls, usage, errors. Which turn
is next is read from the conversation itself, as with a real model: a client that resumes where it stopped gets the
turn after, and one that asks again gets the same turn again. `seen` records every request and how it ended.

    with ScriptedModel(turn(bash("id"), write("a.txt", "b")), say("Done.")) as model:
        model.fault(1, "drop")             # the first request for turn 1 breaks in its middle, the next does not
        gate = model.hold(0)               # turn 0 waits in its middle until `gate.open()`
        ... anthropic.Anthropic(base_url=model.url, api_key="test") ...
        assert model.played == [0, 1, 1]
        assert model.results(1) == [Result("bash", "uid=0(root)", False), ...]
"""

from __future__ import annotations

import json
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, NamedTuple

import httpx

from studio.sandbox import sse, tokens
from studio.sandbox.errors import error_body
from studio.sandbox.request import blocks_of, text_of
from tests.support.scripted_turns import Step, Turn, events_of, message_of, position, tool_id

# How often a held answer looks whether its client or the server has gone; it delays no test that succeeds.
LOOK_SECONDS = 0.01
# A client that neither reads nor hangs up must not keep the server, and so the test, for ever.
STUCK_SECONDS = 30.0

How = Literal["drop", "drop_before", "hang", "overloaded", "error_event"]
End = Literal["whole", "cut", "hung_up", "refused", "forwarded"]


class Result(NamedTuple):
    """What a client reports of one of its tools."""

    tool: str
    text: str
    is_error: bool


@dataclass
class Seen:
    """One request. `turn` is None where it was none of the agent's; `ended` is None as long as it is being answered."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    turn: int | None = None
    ended: End | None = None


class Gate:
    """An answer that waits: `reached` is set when it does, `open()` lets it go on."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._opened = threading.Event()

    def open(self) -> None:
        """Let the answer go on."""
        self._opened.set()

    def wait(self, gone: Callable[[], bool]) -> bool:
        """Wait; return False where `gone` becomes true before the gate is opened."""
        self.reached.set()
        while not self._opened.wait(LOOK_SECONDS):
            if gone():
                return False
        return True


class _Cut(Exception):
    """The connection is to be closed in the middle of an answer."""


@dataclass
class _Fault:
    how: How
    status: int = 529


class ScriptedModel:
    """The server, in a thread of the test process. A context manager; `url` is its address.

    What offers none of the client's own tools is no turn of the agent. `otherwise` answers it: a turn, a function, or
    the address of another model server; without it such a request is refused. A script that is over refuses as well.
    """

    def __init__(self, *steps: Step, otherwise: Step | str | None = None) -> None:
        self.steps = list(steps)
        self.otherwise = otherwise
        self.seen: list[Seen] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._faults: dict[int, list[_Fault]] = {}
        self._gates: dict[int, Gate] = {}
        handler = type("Handler", (_Handler,), {"model": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": LOOK_SECONDS})

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fault(self, number: int, how: How, *, times: int = 1, status: int = 529) -> None:
        """Let the next `times` requests for turn `number` fail.

        drop          close the connection in the middle of the stream
        drop_before   close it before the first byte
        hang          say nothing until the client hangs up or the server closes
        overloaded    answer with the HTTP `status`
        error_event   send an error of `status` in the middle of the stream
        """
        with self._lock:
            self._faults.setdefault(number, []).extend([_Fault(how, status)] * times)

    def hold(self, number: int) -> Gate:
        """Let the next request for turn `number` wait in the middle of its answer."""
        with self._lock:
            self._gates[number] = Gate()
            return self._gates[number]

    @property
    def played(self) -> list[int]:
        """The turns that were asked for, in order, also those that failed."""
        return [seen.turn for seen in list(self.seen) if seen.turn is not None]

    def endings(self) -> list[End]:
        """Wait until every request has ended, and return how; a client may be done before the server is."""
        deadline = time.monotonic() + STUCK_SECONDS
        while any(seen.ended is None for seen in list(self.seen)) and time.monotonic() < deadline:
            time.sleep(LOOK_SECONDS)
        return [seen.ended for seen in list(self.seen) if seen.ended is not None]

    def results(self, number: int) -> list[Result]:
        """Return what the client reports of the tools that turn `number` called; empty where it has not yet."""
        wanted = tool_id(number, "")
        for seen in list(self.seen):
            names = {
                block["id"]: block["name"]
                for message in seen.body.get("messages") or []
                for block in blocks_of(message["content"])
                if block["type"] == "tool_use"
            }
            found = [
                Result(names[block["tool_use_id"]], text_of(block.get("content") or ""), bool(block.get("is_error")))
                for message in seen.body.get("messages") or []
                for block in blocks_of(message["content"])
                if block["type"] == "tool_result" and block["tool_use_id"].startswith(wanted)
            ]
            if found:
                return found
        return []

    def take(self, number: int) -> tuple[_Fault | None, Gate | None]:
        """Remove and return what was ordered for the next request of turn `number`."""
        with self._lock:
            waiting = self._faults.get(number) or []
            return (waiting.pop(0) if waiting else None), self._gates.pop(number, None)


def offers_tools(body: dict[str, Any]) -> bool:
    """Say whether a request offers tools of the client's own, as an agent's does."""
    return any((tool.get("type") or "custom") == "custom" for tool in body.get("tools") or [])


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is the point of many tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = STUCK_SECONDS
    model: ScriptedModel
    seen: Seen

    def do_POST(self) -> None:
        self.close_connection = True
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.seen = Seen(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
        self.model.seen.append(self.seen)
        try:
            self.seen.ended = self._answer(body)
        except _Cut:
            self.seen.ended = "cut"
        except OSError:
            self.seen.ended = "hung_up"

    def _answer(self, body: dict[str, Any]) -> End:
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            return self._json(200, {"input_tokens": tokens.of_request(body)})
        if path != "/v1/messages":
            return self._json(404, error_body(404, "Not found", "req_script"))
        if not offers_tools(body):
            return self._other(body)
        number = self.seen.turn = position(body)
        if number >= len(self.model.steps):
            return self._refuse(f"The script has no turn {number}: it is over.")
        fault, gate = self.model.take(number)
        if fault and fault.how == "drop_before":
            raise _Cut
        if fault and fault.how == "hang":
            Gate().wait(self._gone)
            return "hung_up"
        if fault and fault.how == "overloaded":
            return self._json(fault.status, error_body(fault.status, "Ordered for a test.", "req_script"))
        return self._play(self.model.steps[number], number, fault, gate)

    def _other(self, body: dict[str, Any]) -> End:
        otherwise = self.model.otherwise
        if otherwise is None:
            return self._refuse("This request offers no tools, and the script says nothing for such ones.")
        if not isinstance(otherwise, str):
            return self._play(otherwise, None, None, None)
        headers = {"x-api-key": "test", "anthropic-version": self.headers["anthropic-version"]}
        with httpx.stream(
            "POST", f"{otherwise}{self.path}", json=body, headers=headers, verify=False, timeout=None
        ) as answer:
            self._head(answer.status_code, answer.headers["content-type"])
            for chunk in answer.iter_raw():
                self.wfile.write(chunk)
        return "forwarded"

    def _play(self, step: Step, number: int | None, fault: _Fault | None, gate: Gate | None) -> End:
        played = step if isinstance(step, Turn) else step(self.seen.body)
        events = list(events_of(played, number if number is not None else 0, tokens.of_request(self.seen.body)))
        if not self.seen.body.get("stream"):
            self._wait_in_the_middle(fault, gate)
            return self._json(200, message_of(events))
        self._head(200, "text/event-stream")
        for index, event in enumerate(events):
            if index == len(events) // 2:
                self._wait_in_the_middle(fault, gate)
            if event.paced and played.pause and self.model.closing.wait(played.pause):
                raise _Cut
            self._send(event)
        return "whole"

    def _wait_in_the_middle(self, fault: _Fault | None, gate: Gate | None) -> None:
        if fault and fault.how == "drop":
            raise _Cut
        if fault and fault.how == "error_event":
            self._send(sse.Event("error", error_body(fault.status, "Ordered for a test.", "req_script")))
            raise _Cut
        if gate is not None and not gate.wait(self._gone):
            raise ConnectionError("gone while the answer was held")

    def _gone(self) -> bool:
        """Say whether the client has hung up, or the server closes."""
        if self.model.closing.is_set():
            return True
        readable, _, _ = select.select([self.connection], [], [], 0)
        return bool(readable) and self.connection.recv(1, socket.MSG_PEEK) == b""

    def _send(self, event: sse.Event) -> None:
        self.wfile.write(event.encode())

    def _refuse(self, why: str) -> End:
        self._json(400, error_body(400, why, "req_script"))
        return "refused"

    def _json(self, status: int, value: Any) -> End:
        data = json.dumps(value).encode()
        self._head(status, "application/json", len(data))
        self.wfile.write(data)
        return "whole" if status == 200 else "refused"

    def _head(self, status: int, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        self.send_header("request-id", "req_script")
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass
