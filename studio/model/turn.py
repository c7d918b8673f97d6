"""One turn of a model: reading its stream, carrying out its tool calls, saying what it cost."""

from __future__ import annotations

import json
from typing import Any

import httpx2

from studio.errors import ModelUnavailable
from studio.model import spend
from studio.model.call import Call
from studio.model.prices import Usage
from studio.model.tracing import ServerTools
from studio.model.transport import SHOWN_ERROR_CHARS, Bounded, one_line
from studio.progress import Progress
from studio.text import clip, storable
from studio.tracing import genai

# The first of these is the first that a reader, or a tool, gets of an answer.
_CONTENT = frozenset({"text", "thinking", "input_json", "content_block_delta"})


def read(stream: Any, deadline: float, call: Call, progress: Progress, *, prose: bool) -> Any:
    """Read `stream` (of the SDK, either API) to its end, pass on what it brings, and return its message."""
    stream.response.stream = Bounded(stream.response.stream, deadline)
    whole, begun = False, False
    tools = ServerTools()
    try:
        for event in stream:
            if not begun and event.type in _CONTENT:
                begun = True
                genai.first_token()
            if event.type == "text" and prose and call.stream_text:
                progress.delta(storable(event.text), step=call.step, agent=call.profile.name)
            elif event.type == "content_block_stop":
                _report_tools(event.content_block, call, progress, tools)
            whole = whole or event.type == "message_stop"
    except BaseException as exc:
        tools.close(exc)
        if isinstance(exc, ValueError):
            # The SDK's word for the input of a tool that is no JSON.
            raise ModelUnavailable(
                f"The model's answer cannot be read: {one_line(exc)}.", "The job is tried again."
            ) from exc
        raise
    tools.close()
    if not whole:
        # A connection that a proxy closes in good order: what came so far is neither the answer nor its bill.
        raise httpx2.RemoteProtocolError("it ended before the answer did")
    return stream.get_final_message()


def use_tools(runner: Any, message: Any, call: Call, progress: Progress) -> str | None:
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


def report_cost(message: Any, used: Usage, micros: int, call: Call, progress: Progress) -> None:
    """Say what a call used and cost."""
    progress.log(
        f"{call.profile.name}: {used.input_tokens:,} tokens in, {used.output_tokens:,} out, ${spend.usd(micros)}",
        step=call.step,
        model=message.model,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_micros=micros,
    )


def _report_tools(block: Any, call: Call, progress: Progress, tools: ServerTools) -> None:
    if block.type == "server_tool_use":
        tools.called(block)
        progress.tool_call(block.name, step=call.step, input=block.input)
    elif block.type == "web_search_tool_result":
        tools.returned(block)
        if isinstance(block.content, list):
            urls = [result.url for result in block.content]
            progress.tool_result("web_search", step=call.step, results=len(urls), urls=urls[:10])
        else:
            progress.tool_result("web_search", step=call.step, results=0, error=block.content.error_code)
    elif block.type == "web_fetch_tool_result":
        tools.returned(block)
        if block.content.type == "web_fetch_result":
            progress.tool_result("web_fetch", step=call.step, url=block.content.url)
        else:
            progress.tool_result("web_fetch", step=call.step, error=block.content.error_code)
