"""The language model behind the `anthropic` SDK: every call reserves, streams, and settles.

`Model.complete` is the one way to call a model, `Model.structured` adds a schema and one retry with the
validation error, `Model.run_tools` is the SDK's tool runner with a reservation per turn. Overload and rate
limits are retried by the SDK; a request that broke after it was sent is not sent again, because it may have
been billed.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

import anthropic
import httpx2
from anthropic import Anthropic, transform_schema
from anthropic.lib.tools import BetaFunctionTool
from anthropic.types import Message, MessageParam
from pydantic import BaseModel, ValidationError

from studio.agents.profiles import AgentProfile
from studio.database.connection import Database
from studio.errors import ModelAnswerInvalid, ModelError, ModelRefused, ModelUnavailable, SettingsError
from studio.model import spend
from studio.model.answers import Answer, passages_of, retrieved_urls, text_of, usage_of
from studio.model.prices import PriceList, Usage
from studio.model.spend import Spender
from studio.progress import Progress
from studio.settings import Settings
from studio.text import clip, storable, storable_json

log = logging.getLogger(__name__)

CONNECT_TIMEOUT_SECONDS = 10.0
# A model that searches for long may pause its turn and ask to go on; more rounds than this is a loop.
MAX_PAUSES = 4
# How much of an invalid answer a retry shows to the model, and an error to a person.
SHOWN_ANSWER_CHARS = 4_000
SHOWN_ERROR_CHARS = 400
_FENCED = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL | re.IGNORECASE)

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One question to a model. `step` names the work it belongs to, in the ledger and the event stream."""

    profile: AgentProfile
    step: str
    system: str
    prompt: str
    max_tokens: int
    search: bool = False
    stream_text: bool = True


class CompletesCalls(Protocol):
    """What an agent needs of a model."""

    def complete(self, call: Call, spender: Spender, progress: Progress) -> Answer:
        """Answer in prose; see `Model.complete`."""

    def structured(self, call: Call, schema: type[M], spender: Spender, progress: Progress) -> tuple[M, Answer]:
        """Answer as `schema`; see `Model.structured`."""


class _Sent(anthropic.AnthropicError):
    """The request broke after it was sent; it may have been billed, so nobody sends it again."""


def _do_not_resend(request: Any, call_next: Callable[[Any], Any]) -> Any:
    try:
        return call_next(request)
    except anthropic.APIConnectionError as exc:
        if isinstance(exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout):
            raise  # never reached the service: the SDK may try again
        # The SDK looks for retryable errors along the chain of causes, so this one has none.
        raise _Sent(_one_line(exc)) from None


class _Bounded(httpx2.SyncByteStream):
    """The bytes of an answer until `deadline`. A service that only says that it lives may not hold a job for ever."""

    def __init__(self, stream: httpx2.SyncByteStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            if time.monotonic() > self._deadline:
                raise httpx2.ReadTimeout("The answer takes too long.")
            yield chunk

    def close(self) -> None:
        self._stream.close()


class Model:
    """A model, its prices and its ledger. Safe to use from several threads."""

    def __init__(self, settings: Settings, db: Database) -> None:
        if settings.anthropic_api_key is None:
            raise SettingsError(
                "No language model is configured.",
                "Set ANTHROPIC_API_KEY, or run on the embedded stack, which brings a sandbox model.",
            )
        self.name = settings.model
        self._settings = settings
        self._db = db
        self._prices = PriceList(settings.model_prices)
        self._client = Anthropic(
            api_key=settings.anthropic_api_key.get_secret_value(),
            base_url=settings.anthropic_base_url,
            max_retries=settings.model_max_retries,
            middleware=[_do_not_resend],
        )

    def close(self) -> None:
        """Close the connections to the service."""
        self._client.close()

    # --- prose

    def complete(self, call: Call, spender: Spender, progress: Progress) -> Answer:
        """Ask once and return the whole answer, streaming its text to `progress` as it comes.

        Raises `BudgetExhausted` before anything is sent, `ModelRefused` where a retry cannot help,
        `ModelUnavailable` where it may.
        """
        return self._converse(call, [{"role": "user", "content": call.prompt}], None, spender, progress)

    # --- structure

    def structured(self, call: Call, schema: type[M], spender: Spender, progress: Progress) -> tuple[M, Answer]:
        """Ask for an answer that fits `schema`; ask once more with the validation error where it does not.

        Raises `ModelAnswerInvalid` after the second misfit, else as `complete`. Nothing is filled in.
        """
        messages: list[MessageParam] = [{"role": "user", "content": call.prompt}]
        first = self._converse(call, messages, schema, spender, progress)
        try:
            return _parse(first, schema), first
        except ModelAnswerInvalid as exc:
            problem = exc.message
            progress.log(f"The answer does not fit {schema.__name__}; asking once more. {problem}", step=call.step)
        messages += [
            {"role": "assistant", "content": clip(first.text, SHOWN_ANSWER_CHARS) or "(empty)"},
            {
                "role": "user",
                "content": f"That answer cannot be used: {problem} Answer again, complete, as JSON alone.",
            },
        ]
        second = self._converse(call, messages, schema, spender, progress)
        both = Answer(
            second.text,
            second.model,
            second.stop_reason,
            first.usage + second.usage,
            first.cost_micros + second.cost_micros,
            call_ids=first.call_ids + second.call_ids,
        )
        return _parse(second, schema), both

    def _converse(
        self,
        call: Call,
        messages: list[MessageParam],
        schema: type[BaseModel] | None,
        spender: Spender,
        progress: Progress,
    ) -> Answer:
        request: dict[str, Any] = {"model": self.name, "max_tokens": call.max_tokens, "system": call.system}
        searches = call.profile.searches if call.search else 0
        if searches:
            request["tools"] = [{"type": "web_search_20250305", "name": "web_search", "max_uses": searches}]
        if schema is not None:
            request["output_config"] = {"format": {"type": "json_schema", "schema": transform_schema(schema)}}
        messages = list(messages)
        finished: list[Message] = []
        usage, cost, calls = Usage(), 0, []
        for _ in range(MAX_PAUSES + 1):
            message, used, micros, call_id = self._stream(
                call, {**request, "messages": messages}, searches, spender, progress, prose=schema is None
            )
            finished.append(message)
            usage, cost = usage + used, cost + micros
            calls.append(str(call_id))
            if message.stop_reason != "pause_turn":
                break
            messages.append({"role": "assistant", "content": cast("Any", message.content)})
        return Answer(
            text=storable("".join(text_of(message) for message in finished)),
            model=finished[-1].model,
            stop_reason=finished[-1].stop_reason or "",
            usage=usage,
            cost_micros=cost,
            passages=tuple(passages_of(finished)),
            retrieved_urls=tuple(retrieved_urls(finished)),
            call_ids=tuple(calls),
        )

    def _stream(
        self,
        call: Call,
        request: dict[str, Any],
        searches: int,
        spender: Spender,
        progress: Progress,
        *,
        prose: bool,
    ) -> tuple[Message, Usage, int, UUID]:
        deadline = time.monotonic() + self._seconds(call)
        with self._reserved(call, _size(request), call.max_tokens, searches, spender) as reservation:
            client = self._client.with_options(timeout=self._timeout(call))
            with client.messages.stream(**request) as stream:
                message: Message = _read(stream, deadline, call, progress, prose=prose)
            used = usage_of(message)
            reservation.settle(used)
        _report_cost(message, used, reservation.cost_micros, call, progress)
        return message, used, reservation.cost_micros, reservation.call_id

    def _seconds(self, call: Call) -> float:
        return self._settings.model_timeout_seconds or call.profile.timeout_seconds

    def _timeout(self, call: Call) -> httpx2.Timeout:
        return httpx2.Timeout(self._seconds(call), connect=CONNECT_TIMEOUT_SECONDS)

    # --- tools

    def run_tools(
        self, call: Call, tools: Sequence[BetaFunctionTool[Any]], spender: Spender, progress: Progress
    ) -> Answer:
        """Let the model work with `tools` (the SDK's `@beta_tool` functions) until it answers, at most its turns.

        Each turn is a call of its own in the ledger. Raises as `complete`, and `ModelUnavailable` where the
        turns are used up without an answer.
        """
        described = sum(len(json.dumps(cast("Any", tool.to_dict())).encode()) for tool in tools)
        size = described + len(call.system.encode()) + len(call.prompt.encode())
        usage, cost, calls = Usage(), 0, []
        runner = self._client.beta.messages.tool_runner(
            model=self.name,
            max_tokens=call.max_tokens,
            system=call.system,
            messages=[{"role": "user", "content": call.prompt}],
            tools=list(tools),
            stream=True,
            timeout=self._timeout(call),
        )
        with contextlib.closing(runner):
            for _ in range(call.profile.turns):
                deadline = time.monotonic() + self._seconds(call)
                with self._reserved(call, size, call.max_tokens, 0, spender) as reservation:
                    message: Any = _read(next(runner), deadline, call, progress, prose=True)
                    used = usage_of(message)
                    reservation.settle(used)
                _report_cost(message, used, reservation.cost_micros, call, progress)
                usage, cost = usage + used, cost + reservation.cost_micros
                calls.append(str(reservation.call_id))
                results = _use_tools(runner, message, call, progress)
                if results is None:
                    text = storable(text_of(message))
                    return Answer(text, message.model, message.stop_reason or "", usage, cost, call_ids=tuple(calls))
                size += len(message.to_json().encode()) + len(results)
        raise ModelUnavailable(
            f"The agent used all its {call.profile.turns} turns without an answer.", "The job is tried again."
        )

    # --- the ledger

    @contextlib.contextmanager
    def _reserved(
        self, call: Call, request_bytes: int, max_tokens: int, searches: int, spender: Spender
    ) -> Iterator[_Reservation]:
        micros, worst = self._prices.worst_case(
            self.name, request_bytes=request_bytes, max_tokens=max_tokens, searches=searches
        )
        call_id = spend.reserve(
            self._db, spender, step=call.step, agent=call.profile.name, model=self.name, micros=micros, usage=worst
        )
        reservation = _Reservation(self._db, self._prices, self.name, call_id)
        try:
            yield reservation
        except anthropic.AnthropicError as exc:
            if _unbilled(exc):
                reservation.settle(Usage(), error=_one_line(exc))
            else:
                reservation.settle_in_full(micros, worst, _one_line(exc))
            raise _translated(exc, self.name) from exc
        except BaseException as exc:
            # Interrupted or timed out in mid-stream: what was used is unknown, so it counts in full.
            if not reservation.settled:
                reservation.settle_in_full(micros, worst, _one_line(exc))
            if isinstance(exc, httpx2.TimeoutException):
                raise ModelUnavailable(
                    f"The model took longer than the {self._seconds(call):g} s of profile {call.profile.name}.",
                    "The job is tried again.",
                ) from exc
            if isinstance(exc, httpx2.HTTPError):
                raise ModelUnavailable(f"The stream of the model broke: {_one_line(exc)}.", "") from exc
            raise


class _Reservation:
    def __init__(self, db: Database, prices: PriceList, model: str, call_id: UUID) -> None:
        self._db = db
        self._prices = prices
        self._model = model
        self._started = time.perf_counter()
        self.call_id = call_id
        self.cost_micros = 0
        self.settled = False

    def settle(self, usage: Usage, error: str | None = None) -> None:
        self._settle(self._prices.cost_micros(self._model, usage), usage, error)

    def settle_in_full(self, micros: int, worst: Usage, error: str) -> None:
        self._settle(micros, worst, error)

    def _settle(self, micros: int, usage: Usage, error: str | None) -> None:
        self.cost_micros = micros
        self.settled = True
        duration_ms = round((time.perf_counter() - self._started) * 1000)
        spend.settle(self._db, self.call_id, micros=micros, usage=usage, duration_ms=duration_ms, error=error)


def _size(request: dict[str, Any]) -> int:
    return len(
        json.dumps(request, default=lambda block: block.to_dict(), ensure_ascii=False).encode("utf-8", "replace")
    )


def _read(stream: Any, deadline: float, call: Call, progress: Progress, *, prose: bool) -> Any:
    """Read `stream` (of the SDK, either API) to its end, pass on what it brings, and return its message."""
    stream.response.stream = _Bounded(stream.response.stream, deadline)
    whole = False
    for event in stream:
        if event.type == "text" and prose and call.stream_text:
            progress.delta(storable(event.text), step=call.step, agent=call.profile.name)
        elif event.type == "content_block_stop":
            _report_tools(event.content_block, call, progress)
        whole = whole or event.type == "message_stop"
    if not whole:
        # A connection that a proxy closes in good order: what came so far is neither the answer nor its bill.
        raise httpx2.RemoteProtocolError("it ended before the answer did")
    return stream.get_final_message()


def _use_tools(runner: Any, message: Any, call: Call, progress: Progress) -> str | None:
    """Let the runner carry out the tool calls of `message`; return their results as JSON, None where it made none."""
    if message.stop_reason != "tool_use":
        return None  # a call in an answer that was cut off or declined is not meant to be carried out
    for block in message.content:
        if block.type == "tool_use":
            progress.tool_call(block.name, step=call.step, input=block.input)
    answered = runner.generate_tool_call_response()
    if answered is None:
        return None
    results = json.dumps(answered, default=str)
    progress.tool_result("tools", step=call.step, result=clip(results, SHOWN_ERROR_CHARS))
    return results


def _report_cost(message: Any, used: Usage, micros: int, call: Call, progress: Progress) -> None:
    progress.log(
        f"{call.profile.name}: {used.input_tokens:,} tokens in, {used.output_tokens:,} out, ${spend.usd(micros)}",
        step=call.step,
        model=message.model,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_micros=micros,
    )


def _report_tools(block: Any, call: Call, progress: Progress) -> None:
    if block.type == "server_tool_use":
        progress.tool_call(block.name, step=call.step, input=block.input)
    elif block.type == "web_search_tool_result":
        if isinstance(block.content, list):
            urls = [result.url for result in block.content]
            progress.tool_result("web_search", step=call.step, results=len(urls), urls=urls[:10])
        else:
            progress.tool_result("web_search", step=call.step, results=0, error=block.content.error_code)


def _parse(answer: Answer, schema: type[M]) -> M:
    if answer.stop_reason == "max_tokens":
        raise ModelAnswerInvalid("It was cut off at the token limit.", "Raise max_tokens of this call.")
    if answer.stop_reason == "refusal":
        raise ModelRefused("The model declined to answer.", "Change the idea or the guidance.")
    try:
        # JSON can spell characters that no database can hold, which its text does not show.
        return schema.model_validate_json(json.dumps(storable_json(_json_object(answer.text))))
    except ValueError as exc:
        problems = clip(_problems(exc), SHOWN_ERROR_CHARS).rstrip(".")
        raise ModelAnswerInvalid(f"The model's answer does not fit {schema.__name__}: {problems}.", "") from exc


def _problems(exc: ValueError) -> str:
    if not isinstance(exc, ValidationError):
        return str(exc)
    return "; ".join(f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in exc.errors()[:6])


def _json_object(text: str) -> dict[str, Any]:
    """Return the JSON object in `text`, or raise `ValueError`.

    It is all of the text, its first fenced block, or what stands from the first brace to the last.
    """
    candidates = [text]
    if fenced := _FENCED.search(text):
        candidates.append(fenced.group(1))
    candidates.append(text[text.find("{") : text.rfind("}") + 1])
    for candidate in candidates:
        try:
            value = json.loads(candidate)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    raise ValueError("it is not a JSON object")


def _unbilled(exc: anthropic.AnthropicError) -> bool:
    """Whether the service certainly did not bill the request: it refused it, or never got it."""
    if isinstance(exc, anthropic.APIStatusError):
        return exc.status_code >= 400  # an error event in mid-stream carries the stream's 200
    return isinstance(exc.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)


def _translated(exc: anthropic.AnthropicError, model: str) -> ModelError:
    if isinstance(exc, anthropic.AuthenticationError | anthropic.PermissionDeniedError):
        return ModelRefused(f"The model service refuses the key: {_one_line(exc)}.", "Check ANTHROPIC_API_KEY.")
    if isinstance(exc, anthropic.APIStatusError) and exc.status_code in range(400, 500):
        if exc.status_code in (408, 409, 429):
            return ModelUnavailable(f"The model service is busy: {_one_line(exc)}.", "The job is tried again.")
        return ModelRefused(
            f"The model service rejects the request to {model!r}: {_one_line(exc)}.",
            "Check CLAUDE_DIRECT_MODEL and the account's limits.",
        )
    return ModelUnavailable(f"The model cannot be reached: {_one_line(exc)}.", "The job is tried again.")


def _one_line(exc: BaseException) -> str:
    return clip(" ".join(str(exc).split()).rstrip(".") or type(exc).__name__, SHOWN_ERROR_CHARS)
