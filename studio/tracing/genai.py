"""Spans of agents, models and tools, with OpenTelemetry's GenAI attributes beside our names.

An `llm:{provider}` span is one question with all that it took: its columns (tokens, cost, retries) add up what its
requests used, also those that failed. Each request is a `chat {model}` span below it, which carries `gen_ai.usage.*`:
whoever adds up either layer counts each token once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

from studio.tracing import names
from studio.tracing.active import NoSpan, current
from studio.tracing.blocks import span
from studio.tracing.spans import Span
from studio.tracing.traced import traced_span

if TYPE_CHECKING:
    from studio.model.prices import Usage

F = TypeVar("F", bound=Callable[..., Any])

PROVIDER = "anthropic"


def traced_agent(name: str) -> Callable[[F], F]:
    """Give each `.run()` of an agent the span `agent:{name}`."""
    return traced_span(
        names.named(names.AGENT, name), {names.GEN_AI_OPERATION: "invoke_agent", names.GEN_AI_AGENT: name}
    )


def traced_llm(provider: str = PROVIDER) -> Callable[[F], F]:
    """Give each question to a model the span `llm:{provider}`."""
    return traced_span(names.named(names.LLM, provider), {names.GEN_AI_PROVIDER: provider})


def request_span(model: str, agent: str, call_id: UUID) -> span:
    """Return the span of one request to a model; `call_id` is that of its reservation in the ledger."""
    return span(
        f"{names.CHAT} {model}",
        {
            names.GEN_AI_OPERATION: "chat",
            names.GEN_AI_PROVIDER: PROVIDER,
            names.GEN_AI_REQUEST_MODEL: model,
            names.GEN_AI_AGENT: agent,
            names.CALL_ID: str(call_id),
        },
    )


def tool_span(tool: str, attributes: dict[str, Any] | None = None) -> span:
    """Return the span of a tool that the model calls."""
    return span(names.named(names.TOOL, tool), tool_attributes(tool) | (attributes or {}))


def tool_attributes(tool: str) -> dict[str, Any]:
    """Return the attributes of a tool's span."""
    return {names.GEN_AI_OPERATION: "execute_tool", names.GEN_AI_TOOL: tool}


def answered(request: Span | NoSpan, message: Any, used: Usage) -> None:
    """Note what a request has brought."""
    if not request:
        return
    request.set_attributes(
        {
            names.GEN_AI_RESPONSE_MODEL: message.model,
            names.GEN_AI_INPUT_TOKENS: used.input_tokens,
            names.GEN_AI_OUTPUT_TOKENS: used.output_tokens,
            names.GEN_AI_CACHE_READ: used.cache_read_tokens,
            names.GEN_AI_CACHE_CREATION: used.cache_write_tokens,
            names.GEN_AI_FINISH_REASONS: [message.stop_reason or ""],
        }
    )


def settled(model: str, micros: int, used: Usage | None, call_id: object) -> None:
    """Add what a request cost to the question that it belongs to; `used` None where nobody learned it."""
    question = current()
    if not question:
        return
    question.figure(model=model)
    question.add_figure(cost_micros=micros)
    question.event("settled", call_id=str(call_id), cost_micros=micros)
    if used is not None:
        question.add_figure(
            input_tokens=used.input_tokens,
            output_tokens=used.output_tokens,
            cache_read_tokens=used.cache_read_tokens,
            cache_write_tokens=used.cache_write_tokens,
        )


def first_token() -> None:
    """Note that the current request has brought its first piece of an answer."""
    request = current()
    if not isinstance(request, Span):
        return
    request.event("first_token")
    passed = request.events[-1]["at_ms"] if request.events else None
    request.figure(first_token_ms=passed)
    question = request.parent
    if question is not None and "first_token_ms" not in question.figures:
        question.figure(first_token_ms=passed)


def attempted(status: int | None, problem: str | None, number: int) -> None:
    """Note that an attempt at the current request came to nothing; the SDK may make another one."""
    request = current()
    if not isinstance(request, Span):
        return
    request.event("attempt_failed", number=number, **({"status": status} if status else {"problem": problem or ""}))


def retried() -> None:
    """Note that the current request is being made once more."""
    request = current()
    if isinstance(request, Span):
        request.add_figure(retries=1)
        if request.parent is not None:
            request.parent.add_figure(retries=1)
