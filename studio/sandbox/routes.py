"""The routes: the Messages API, and the two that tests and operators use beside it."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import os
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.sandbox import answers, checks, messages, reply, sse, tokens
from studio.sandbox.errors import ApiError, error_body, invalid
from studio.sandbox.faults import Fault, Faults
from studio.sandbox.journal import PREFIX_CHARS, Entry, Journal
from studio.sandbox.reply import MODEL, Reply
from studio.sandbox.request import MessagesRequest, text_of, title_of, tool_names
from studio.sandbox.search import Corpus
from studio.sandbox.threads import Threads
from studio.sandbox.wire import ORDERED, Clock, Cut, EventStream, Severed, handed_over
from studio.text import storable_json

# The API's own limit for a request.
MAX_BODY_BYTES = 32 * 1024 * 1024
DEFAULT_CHUNK_DELAY_MS = 15.0
# What the model says about itself; nothing depends on the figures.
MAX_OUTPUT_TOKENS = 64_000
CONTEXT_TOKENS = 200_000

_REFUSALS = {404: "Not found", 405: "Method not allowed", 413: "The request is larger than 32 MB"}


class Sandbox:
    """The state behind the routes, and the routes. One object per server, made inside its event loop or before."""

    def __init__(self, corpus: Corpus | None = None, *, chunk_delay_ms: float = DEFAULT_CHUNK_DELAY_MS) -> None:
        self.corpus = corpus or Corpus([])
        self.chunk_delay_ms = chunk_delay_ms
        self.faults = Faults()
        self.journal = Journal()
        self.threads = Threads()
        self.clock = Clock()
        # Ids differ from those of another start of the server, as ids of the real API do.
        self._seed = secrets.token_hex(8)
        self._serial = itertools.count(1)

    def request_id(self) -> str:
        """Return the id of the next request."""
        return reply.identifier("req", self._seed, str(next(self._serial)))

    # --- the Messages API -------------------------------------------------------------------------------

    async def create_message(self, request: Request) -> Response:
        """Answer `POST /v1/messages`, as JSON or as a stream."""
        raw = await _read(request)
        entry = self._opened(request, raw)
        fault = self.faults.take(raw.decode("utf-8", "replace"))
        entry.fault = fault.kind if fault else None
        try:
            body = _noted(entry, raw)
            if fault and fault.kind == "hang" and (fault.where == "start" or not entry.stream):
                await self.clock.pause(fault.seconds, request.receive)
            if fault and fault.kind == "status":
                raise ApiError(fault.status, ORDERED)
            _authorise(request)
            asked = checks.parse(self.threads.expand(body) if isinstance(body, dict) else body)
            entry.tools = asked.tool_names
            answer, message_id = self._answer(asked, entry, fault)
            if fault and fault.kind == "stream_error" and not asked.stream:
                raise ApiError(fault.status, ORDERED)
        except ApiError as exc:
            return _error(exc, entry, fault)
        except Cut:
            return _given_up(entry)
        except RecursionError:
            return _error(invalid("The request is nested too deeply."), entry, fault)
        self.threads.keep(asked.body, message_id, list(answer.blocks))
        if asked.stream:
            events = sse.events(answer, message_id, entry.input_tokens)
            return EventStream(events, entry, fault, self.clock, self.chunk_delay_ms)
        if fault and fault.kind == "slow":
            pieces = sum(1 for _ in sse.chunks(answer.text))
            try:
                await self.clock.pause(pieces * fault.delay_ms / 1000, request.receive)
            except Cut:
                return _given_up(entry)
        whole = reply.message(answer, message_id, entry.input_tokens)
        if fault and fault.kind == "drop":
            return Severed(entry, json.dumps(whole, ensure_ascii=False).encode())
        return handed_over(entry, JSONResponse(whole))

    def _answer(self, asked: MessagesRequest, entry: Entry, fault: Fault | None) -> tuple[Reply, str]:
        answer = faulty(messages.compose(asked, self.corpus), asked, fault)
        message_id = reply.identifier("msg", entry.request_id, entry.digest)
        answer = reply.with_ids(answer, message_id)
        entry.input_tokens = tokens.of_request(asked.body)
        entry.output_tokens = answer.output_tokens
        entry.stop_reason = answer.stop_reason
        return answer, message_id

    async def count_tokens(self, request: Request) -> Response:
        """Answer `POST /v1/messages/count_tokens`."""
        raw = await _read(request)
        entry = self._opened(request, raw)
        try:
            body = _noted(entry, raw)
            _authorise(request)
            asked = checks.parse(body, counting=True)
        except ApiError as exc:
            return _error(exc, entry, None)
        entry.input_tokens = tokens.of_request(asked.body)
        return handed_over(entry, JSONResponse({"input_tokens": entry.input_tokens}))

    async def list_models(self, request: Request) -> Response:
        """Answer `GET /v1/models`: the sandbox is the only one."""
        page = {"data": [model_info()], "has_more": False, "first_id": MODEL, "last_id": MODEL}
        return self._guarded(request, page)

    async def get_model(self, request: Request) -> Response:
        """Answer `GET /v1/models/{id}`: whatever name is asked for, the sandbox is who answers."""
        return self._guarded(request, model_info())

    # --- beside the API ---------------------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        """Answer `GET /health`; needs no key."""
        documents = len(self.corpus.documents)
        return JSONResponse({"status": "ok", "model": MODEL, "documents": documents, "pid": os.getpid()})

    async def requests(self, request: Request) -> Response:
        """Answer `GET` and `DELETE /sandbox/requests`."""
        if request.method == "DELETE":
            self.journal.clear()
        return JSONResponse({"requests": self.journal.entries(), "dropped": self.journal.dropped})

    async def order_faults(self, request: Request) -> Response:
        """Answer `GET`, `POST` and `DELETE /sandbox/faults`."""
        try:
            if request.method == "POST":
                # A web page cannot send this type to another origin without being asked first.
                if request.headers.get("content-type", "").split(";")[0].strip() != "application/json":
                    raise invalid("content-type: Input should be application/json")
                self.faults.order(_json(await _read(request)))
            elif request.method == "DELETE":
                self.faults.clear()
        except ApiError as exc:
            return JSONResponse(exc.body(self.request_id()), status_code=exc.status)
        return JSONResponse({"waiting": self.faults.pending()})

    # --- parts ------------------------------------------------------------------------------------------

    def _guarded(self, request: Request, answer: dict[str, Any]) -> Response:
        entry = self._opened(request, b"")
        try:
            _authorise(request)
        except ApiError as exc:
            return _error(exc, entry, None)
        return handed_over(entry, JSONResponse(answer))

    def _opened(self, request: Request, raw: bytes) -> Entry:
        entry = self.journal.open(self.request_id(), request.url.path, hashlib.sha256(raw).hexdigest()[:16])
        entry.traceparent = request.headers.get("traceparent")
        return entry


def model_info() -> dict[str, Any]:
    """Return the API's description of the sandbox model."""
    return {
        "type": "model",
        "id": MODEL,
        "display_name": "Sandbox model (no knowledge of its own)",
        "created_at": "2026-01-01T00:00:00Z",
        "lifecycle": "active",
        "max_input_tokens": CONTEXT_TOKENS,
        "max_tokens": MAX_OUTPUT_TOKENS,
    }


def faulty(answer: Reply, asked: MessagesRequest, fault: Fault | None) -> Reply:
    """Return the answer with what the fault does to its content."""
    if fault is None:
        return answer
    if fault.kind == "text":
        return reply.text_reply(fault.text)
    if fault.kind == "not_json":
        return reply.text_reply(f"Here is what I found, in prose instead of JSON: {asked.facts.idea[:200]}")
    if fault.kind == "wrong_schema":
        try:
            value = json.loads(answer.text)
        except ValueError:
            value = None
        return reply.text_reply(json.dumps(answers.misfit(value), ensure_ascii=False))
    return reply.cut_in_half(answer) if fault.kind == "cut_off" else answer


def _error(error: ApiError, entry: Entry, fault: Fault | None) -> Response:
    response = JSONResponse(error.body(entry.request_id), status_code=error.status)
    if fault and fault.retry_after is not None:
        response.headers["retry-after"] = f"{fault.retry_after:g}"
    return handed_over(entry, response)


def _given_up(entry: Entry) -> Response:
    """Return what a client still gets whose answer was waiting when the server stopped."""
    response = _error(ApiError(529, "The sandbox model is stopping."), entry, None)
    entry.finished = False
    return response


def _noted(entry: Entry, raw: bytes) -> Any:
    """Return the body's JSON, and write down what it asks for, also where it will be refused."""
    body = _json(raw)
    if not isinstance(body, dict):
        return body
    entry.model = body["model"] if isinstance(body.get("model"), str) else None
    entry.stream = body.get("stream") is True
    entry.schema_title = title_of(body)
    entry.tools = tool_names(body.get("tools"))
    with contextlib.suppress(AttributeError, TypeError):
        entry.system = text_of(body.get("system") or "")[:PREFIX_CHARS]
    with contextlib.suppress(AttributeError, TypeError, KeyError, IndexError):
        entry.user = text_of(body["messages"][-1]["content"])[:PREFIX_CHARS]
    return body


async def _read(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            raise HTTPException(413)
        parts.append(part)
    return b"".join(parts)


def _json(raw: bytes) -> Any:
    """Return the JSON of a body, made storable: a lone surrogate must not break the answer that repeats it."""
    try:
        return storable_json(json.loads(raw))
    except (ValueError, RecursionError) as exc:
        raise invalid("The request body is not valid JSON.") from exc


def _authorise(request: Request) -> None:
    """Accept any key, as `x-api-key` or as a bearer token; refuse a request without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key", "") or (token if scheme.lower() == "bearer" else "")
    if not key.strip():
        raise ApiError(401, "x-api-key header is required")
    if not request.headers.get("anthropic-version"):
        raise invalid("anthropic-version: header is required")


def application(sandbox: Sandbox) -> Starlette:
    """Return the ASGI application over `sandbox`."""

    async def refused(request: Request, exc: Exception) -> Response:
        status = exc.status_code if isinstance(exc, HTTPException) else 500
        identifier = sandbox.request_id()
        body = error_body(status, _REFUSALS.get(status, "Internal server error"), identifier)
        return JSONResponse(body, status_code=status, headers={"request-id": identifier})

    async def left(request: Request, exc: Exception) -> Response:
        # Whoever sent half a request and went will not read this.
        return Response(status_code=400)

    def route(path: str, handler: Callable[[Request], Awaitable[Response]], *methods: str) -> Route:
        return Route(path, handler, methods=list(methods))

    return Starlette(
        routes=[
            route("/v1/messages", sandbox.create_message, "POST"),
            route("/v1/messages/count_tokens", sandbox.count_tokens, "POST"),
            route("/v1/models", sandbox.list_models, "GET"),
            route("/v1/models/{model_id:path}", sandbox.get_model, "GET"),
            route("/health", sandbox.health, "GET"),
            route("/sandbox/requests", sandbox.requests, "GET", "DELETE"),
            route("/sandbox/faults", sandbox.order_faults, "GET", "POST", "DELETE"),
        ],
        exception_handlers={HTTPException: refused, ClientDisconnect: left, Exception: refused},
    )
