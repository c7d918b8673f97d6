"""What of a model's work becomes spans: each attempt at a request, and each tool, ours and the service's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from studio.tracing import genai, names
from studio.tracing.active import NoSpan, current
from studio.tracing.blocks import begin
from studio.tracing.headers import trace_headers
from studio.tracing.spans import Span

if TYPE_CHECKING:
    from anthropic.lib.tools import BetaFunctionTool


def watch_attempts(request: Any, call_next: Callable[[Any], Any]) -> Any:
    """Middleware of the SDK, once per attempt: name the trace to the service, and note what became of the attempt."""
    if not current():
        return call_next(request)
    if request.retries_taken:
        genai.retried()
    try:
        response = call_next(request.copy(headers={**request.headers, **trace_headers()}))
    except Exception as exc:
        genai.attempted(None, f"{type(exc).__name__}: {exc}", request.retries_taken + 1)
        raise
    if response.status_code >= 400:
        genai.attempted(response.status_code, None, request.retries_taken + 1)
    return response


def traced_tools(tools: Sequence[BetaFunctionTool[Any]]) -> list[BetaFunctionTool[Any]]:
    """Give each call of these tools the span `tool:{name}`, with its input and its result."""
    return [_traced(tool) for tool in tools]


def _traced(tool: BetaFunctionTool[Any]) -> BetaFunctionTool[Any]:
    # A tool may be given to several questions: theirs stays as it is.
    tool = copy.copy(tool)
    call = tool.call

    def traced(given: object) -> Any:
        with genai.tool_span(tool.name) as span:
            span.set_input(given)
            result = call(given)
            span.set_output(result)
            return result

    tool.call = traced  # type: ignore[method-assign, assignment]
    return tool


class ServerTools:
    """The tools that the service carries out itself in the middle of an answer: from their call to their result."""

    def __init__(self) -> None:
        self._open: dict[str, Span | NoSpan] = {}

    def called(self, block: Any) -> None:
        """Note that the service uses a tool."""
        span = begin(names.named(names.TOOL, block.name), genai.tool_attributes(block.name))
        span.set_attributes({"greenlight.tool.server": True})
        span.set_input(block.input)
        self._open[block.id] = span

    def returned(self, block: Any) -> None:
        """Note what a tool of the service has brought."""
        span = self._open.pop(block.tool_use_id, None)
        if span is None:
            return
        if isinstance(block.content, list):
            span.set_output([{"url": result.url, "title": result.title} for result in block.content])
        elif (problem := getattr(block.content, "error_code", None)) is not None:
            span.fail_with(f"The service's tool failed: {problem}.")
        elif (url := getattr(block.content, "url", None)) is not None:
            span.set_output({"url": url})
        span.end()

    def close(self, exc: BaseException | None = None) -> None:
        """End what has had no result."""
        for span in self._open.values():
            if exc is not None:
                span.fail(exc)
            else:
                span.set_attributes({"greenlight.tool.unanswered": True})
            span.end()
        self._open.clear()
