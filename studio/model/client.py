"""The language model behind the `anthropic` SDK: every call reserves, streams, and settles.

`Model.complete` is the one way to call a model, `Model.structured` adds a schema and one retry with the
validation error, `Model.run_tools` is the SDK's tool runner with a reservation per turn. Overload and rate
limits are retried by the SDK; a request that broke after it was sent is not sent again, because it may have
been billed.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast
from uuid import UUID

import httpx2
from anthropic import Anthropic, transform_schema
from anthropic.lib.tools import BetaFunctionTool
from anthropic.types import Message, MessageParam
from pydantic import BaseModel

from studio.database.connection import Database
from studio.errors import ModelAnswerInvalid, ModelDeclined, ModelUnavailable, SettingsError
from studio.model import spend
from studio.model.answers import Answer, pages_of, passages_of, retrieved_urls, text_of, usage_of
from studio.model.call import Call, web_tools, web_uses
from studio.model.prices import PriceList, Usage
from studio.model.reservation import Reservation, settling
from studio.model.spend import Spender
from studio.model.structure import parse
from studio.model.tracing import traced_tools, watch_attempts
from studio.model.transport import do_not_resend
from studio.model.turn import read, report_cost, use_tools
from studio.model.turns import CACHED, Turn, sent_back, with_cache_mark
from studio.model.turns import Message as Said
from studio.progress import Progress
from studio.settings import Settings
from studio.text import clip, storable
from studio.tracing import genai
from studio.tracing.genai import traced_llm

SERVICE_URL = "https://api.anthropic.com"
CONNECT_TIMEOUT_SECONDS = 10.0
# A model that searches for long may pause its turn and ask to go on; more rounds than this is a loop.
MAX_PAUSES = 4
# How much of an invalid answer a retry shows to the model.
SHOWN_ANSWER_CHARS = 4_000

M = TypeVar("M", bound=BaseModel)


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
            # Never None: the SDK would look into the environment by itself, and take an empty variable at its word.
            base_url=settings.anthropic_base_url or SERVICE_URL,
            max_retries=settings.model_max_retries,
            middleware=[watch_attempts, do_not_resend],
        )

    def close(self) -> None:
        """Close the connections to the service."""
        self._client.close()

    # --- prose

    @traced_llm()
    def complete(self, call: Call, spender: Spender, progress: Progress) -> Answer:
        """Ask once and return the whole answer, streaming its text to `progress` as it comes.

        Raises `BudgetExhausted` before anything is sent, `ModelRefused` where a retry cannot help (`ModelDeclined`
        where the model would not answer), `ModelUnavailable` where it may.
        """
        return self._converse(call, [{"role": "user", "content": call.prompt}], None, spender, progress)

    # --- structure

    @traced_llm()
    def structured(self, call: Call, schema: type[M], spender: Spender, progress: Progress) -> tuple[M, Answer]:
        """Ask for an answer that fits `schema`; ask once more with the validation error where it does not.

        Raises `ModelAnswerInvalid` after the second misfit, else as `complete`. Nothing is filled in.
        """
        messages: list[MessageParam] = [{"role": "user", "content": call.prompt}]
        first = self._converse(call, messages, schema, spender, progress)
        try:
            return parse(first, schema), first
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
        return parse(second, schema), both

    def _converse(
        self,
        call: Call,
        messages: list[MessageParam],
        schema: type[BaseModel] | None,
        spender: Spender,
        progress: Progress,
    ) -> Answer:
        request: dict[str, Any] = {"model": self.name, "max_tokens": call.max_tokens, "system": call.system}
        if schema is not None:
            request["output_config"] = {"format": {"type": "json_schema", "schema": transform_schema(schema)}}
        messages = list(messages)
        finished: list[Message] = []
        usage, cost, calls = Usage(), 0, []
        for _ in range(MAX_PAUSES + 1):
            # What was used before a pause counts; the tools stay, because the conversation speaks of them.
            left = web_uses(call, usage)
            if tools := web_tools(*left):
                request["tools"] = tools
            message, used, micros, call_id = self._stream(
                call, {**request, "messages": messages}, left, spender, progress, prose=schema is None
            )
            finished.append(message)
            usage, cost = usage + used, cost + micros
            calls.append(str(call_id))
            if message.stop_reason != "pause_turn":
                break
            messages.append({"role": "assistant", "content": cast("Any", message.content)})
        if finished[-1].stop_reason == "pause_turn":
            raise ModelUnavailable(
                f"The model paused {len(finished)} times and did not answer.", "The job is tried again."
            )
        if finished[-1].stop_reason == "refusal":
            raise ModelDeclined("The model declined to answer.", "Change the idea or the guidance.")
        if schema is None and finished[-1].stop_reason == "max_tokens":
            progress.log("The answer was cut off at the token limit; what it says is kept.", step=call.step)
        return Answer(
            text=storable("".join(text_of(message) for message in finished)),
            model=finished[-1].model,
            stop_reason=finished[-1].stop_reason or "",
            usage=usage,
            cost_micros=cost,
            passages=tuple(passages_of(finished)),
            pages=tuple(pages_of(finished)),
            retrieved_urls=tuple(retrieved_urls(finished)),
            call_ids=tuple(calls),
        )

    def _stream(
        self,
        call: Call,
        request: dict[str, Any],
        web: tuple[int, int],
        spender: Spender,
        progress: Progress,
        *,
        prose: bool,
    ) -> tuple[Message, Usage, int, UUID]:
        deadline = time.monotonic() + self._seconds(call)
        with self._reserved(call, _size(request), call.max_tokens, web, spender) as reservation:
            client = self._client.with_options(timeout=self._timeout(call))
            with genai.request_span(self.name, call.profile.name, reservation.call_id) as asked:
                with client.messages.stream(**request) as stream:
                    message: Message = read(stream, deadline, call, progress, prose=prose)
                used = usage_of(message)
                genai.answered(asked, message, used)
            reservation.settle(used)
        report_cost(message, used, reservation.cost_micros, call, progress)
        return message, used, reservation.cost_micros, reservation.call_id

    def _seconds(self, call: Call) -> float:
        seconds = self._settings.model_timeout_seconds or call.profile.timeout_seconds
        return seconds if call.most_seconds is None else min(seconds, call.most_seconds)

    def _timeout(self, call: Call) -> httpx2.Timeout:
        return httpx2.Timeout(self._seconds(call), connect=CONNECT_TIMEOUT_SECONDS)

    # --- tools

    @traced_llm()
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
            tools=traced_tools(tools),
            stream=True,
            timeout=self._timeout(call),
        )
        with contextlib.closing(runner):
            for _ in range(call.profile.turns):
                deadline = time.monotonic() + self._seconds(call)
                with self._reserved(call, size, call.max_tokens, (0, 0), spender) as reservation:
                    with genai.request_span(self.name, call.profile.name, reservation.call_id) as asked:
                        message: Any = read(next(runner), deadline, call, progress, prose=True)
                        used = usage_of(message)
                        genai.answered(asked, message, used)
                    reservation.settle(used)
                report_cost(message, used, reservation.cost_micros, call, progress)
                usage, cost = usage + used, cost + reservation.cost_micros
                calls.append(str(reservation.call_id))
                results = use_tools(runner, message, call, progress)
                if results is None:
                    text = storable(text_of(message))
                    return Answer(text, message.model, message.stop_reason or "", usage, cost, call_ids=tuple(calls))
                size += len(message.to_json().encode()) + len(results)
        raise ModelUnavailable(
            f"The agent used all its {call.profile.turns} turns without an answer.", "The job is tried again."
        )

    @traced_llm()
    def turn(
        self,
        call: Call,
        messages: Sequence[Said],
        tools: Sequence[dict[str, Any]],
        spender: Spender,
        progress: Progress,
    ) -> Turn:
        """Take one turn of a conversation whose tools the caller carries out and whose record he keeps.

        `messages` begins with the question; `call.prompt` is not read. Raises as `complete`.
        """
        request: dict[str, Any] = {
            "model": self.name,
            "max_tokens": call.max_tokens,
            "system": [{"type": "text", "text": call.system, **CACHED}],
            "tools": list(tools),
            "messages": with_cache_mark(messages),
        }
        message, usage, micros, call_id = self._stream(call, request, (0, 0), spender, progress, prose=True)
        if message.stop_reason == "refusal":
            raise ModelDeclined("The model declined to answer.", "Change the request.")
        content = sent_back(message.content)
        return Turn(content, message.model, message.stop_reason or "", usage, micros, str(call_id))

    # --- the ledger

    @contextlib.contextmanager
    def _reserved(
        self, call: Call, request_bytes: int, max_tokens: int, web: tuple[int, int], spender: Spender
    ) -> Iterator[Reservation]:
        micros, worst = self._prices.worst_case(
            self.name, request_bytes=request_bytes, max_tokens=max_tokens, searches=web[0], fetches=web[1]
        )
        call_id = spend.reserve(
            self._db, spender, step=call.step, agent=call.profile.name, model=self.name, micros=micros, usage=worst
        )
        reservation = Reservation(self._db, self._prices, self.name, call_id)
        late = f"the {self._seconds(call):g} s of profile {call.profile.name}"
        with settling(reservation, self.name, micros, worst, late=late):
            yield reservation


def _size(request: dict[str, Any]) -> int:
    return len(
        json.dumps(request, default=lambda block: block.to_dict(), ensure_ascii=False).encode("utf-8", "replace")
    )
