"""What a scripted model says: turns, the calls in them, and their events on the wire."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from studio.sandbox import sse
from studio.sandbox.reply import Reply
from studio.sandbox.request import blocks_of

_TOOL_ID = re.compile(r"toolu_script_(\d+)_\d+")

Input = dict[str, Any] | str


@dataclass(frozen=True)
class ToolCall:
    """A call of a tool. An `input` that is a text goes out as it is: it need not be JSON."""

    name: str
    input: Input


@dataclass(frozen=True)
class Turn:
    """What the model says at one time: a text, then calls. `usage` overrides what the answer is billed for.

    `stop_reason` follows from the calls where it is not given. `pause` is a wait before each piece of the stream.
    """

    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    stop_reason: str | None = None
    usage: dict[str, Any] = field(default_factory=dict)
    pause: float = 0.0


# A turn, or a function from the request's body to one: for an agent that reacts to what it got.
Step = Turn | Callable[[dict[str, Any]], Turn]


def turn(*calls: ToolCall, text: str = "", **fields: Any) -> Turn:
    """Return a turn that calls tools."""
    return Turn(calls, text, **fields)


def say(text: str, **fields: Any) -> Turn:
    """Return a turn that says something and calls nothing: an agent's last."""
    return Turn((), text, **fields)


def bash(command: str, **more: Any) -> ToolCall:
    """Return a call of bash."""
    return ToolCall("bash", {"command": command, **more})


def write(path: str, content: str) -> ToolCall:
    """Return a call of write."""
    return ToolCall("write", {"file_path": path, "content": content})


def read(path: str, **more: Any) -> ToolCall:
    """Return a call of read."""
    return ToolCall("read", {"file_path": path, **more})


def edit(path: str, old: str, new: str, **more: Any) -> ToolCall:
    """Return a call of edit."""
    return ToolCall("edit", {"file_path": path, "old_string": old, "new_string": new, **more})


def tool_id(number: int, order: object) -> str:
    """Return the id of a call: its turn, and which of the turn's calls it is."""
    return f"toolu_script_{number}_{order}"


def position(body: dict[str, Any]) -> int:
    """Return which turn a conversation is at. The ids of the calls say it also where its beginning was cut away."""
    spoken, answered = 0, -1
    for message in body.get("messages") or []:
        spoken += message["role"] == "assistant"
        for block in blocks_of(message["content"]):
            if block["type"] == "tool_use" and (found := _TOOL_ID.fullmatch(block["id"])):
                answered = max(answered, int(found.group(1)))
    return max(spoken, answered + 1)


def events_of(played: Turn, number: int, input_tokens: int) -> Iterator[sse.Event]:
    """Return the events of a turn, in the order and shape of the API."""
    blocks: list[dict[str, Any]] = [{"type": "text", "text": played.text}] if played.text else []
    raw: dict[int, str] = {}
    for order, call in enumerate(played.calls):
        if isinstance(call.input, str):
            raw[len(blocks)] = call.input
        given = {} if isinstance(call.input, str) else call.input
        blocks.append({"type": "tool_use", "id": tool_id(number, order), "name": call.name, "input": given})
    answer = Reply(tuple(blocks))
    stop = played.stop_reason or ("tool_use" if played.calls else "end_turn")
    for event in sse.events(answer, f"msg_script_{number}", input_tokens):
        data = event.data
        if event.name == "content_block_delta" and data["index"] in raw:
            data = {**data, "delta": {"type": "input_json_delta", "partial_json": raw[data["index"]]}}
        elif event.name == "message_start":
            message = data["message"]
            data = {**data, "message": {**message, "usage": {**message["usage"], **played.usage, "output_tokens": 1}}}
        elif event.name == "message_delta":
            delta = {**data["delta"], "stop_reason": stop}
            data = {**data, "delta": delta, "usage": {**data["usage"], **played.usage}}
        yield event._replace(data=data)


def message_of(events: list[sse.Event]) -> dict[str, Any]:
    """Return the events of an answer as the one message that a client gets who asks for no stream."""
    message: dict[str, Any] = {**events[0].data["message"], "content": []}
    partial = ""
    for event in events:
        if event.name == "content_block_start":
            message["content"].append(dict(event.data["content_block"]))
            partial = ""
        elif event.name == "content_block_delta":
            delta = event.data["delta"]
            if delta["type"] == "text_delta":
                message["content"][-1]["text"] += delta["text"]
            else:
                partial += delta["partial_json"]
                with contextlib.suppress(ValueError):
                    message["content"][-1]["input"] = json.loads(partial)
        elif event.name == "message_delta":
            message |= event.data["delta"]
            message["usage"] = {**message["usage"], **event.data["usage"]}
    return message
