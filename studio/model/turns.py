"""One turn of an agent that works with tools: what it said, which tools it wants used, and what that cost.

A conversation is plain JSON, so that it can be kept between turns and taken up again by another process.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from studio.model.call import Call
from studio.model.prices import Usage
from studio.model.spend import Spender
from studio.progress import Progress
from studio.text import storable, storable_json

# A message of the Messages API as it is sent.
Message = dict[str, Any]

# The service keeps what stands before such a mark, and reads it for a tenth of the price.
CACHED = {"cache_control": {"type": "ephemeral"}}


class ToolUse(NamedTuple):
    """A tool that the model wants used."""

    id: str
    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Turn:
    """A model's turn. `content` is its blocks as they are sent back; `tool_uses` is empty where it is done."""

    content: list[dict[str, Any]]
    model: str
    stop_reason: str
    usage: Usage
    cost_micros: int
    call_id: str

    @property
    def text(self) -> str:
        """What it said."""
        return "\n".join(block["text"] for block in self.content if block["type"] == "text")

    @property
    def tool_uses(self) -> list[ToolUse]:
        """The tools it wants used; those of a turn that was cut off are not meant to be."""
        return tool_uses(self.content) if self.stop_reason == "tool_use" else []


class TakesTurns(Protocol):
    """What an agent with tools needs of a model."""

    def turn(
        self,
        call: Call,
        messages: Sequence[Message],
        tools: Sequence[dict[str, Any]],
        spender: Spender,
        progress: Progress,
    ) -> Turn:
        """Take one turn; see `Model.turn`."""


def tool_uses(content: Sequence[dict[str, Any]]) -> list[ToolUse]:
    """Return the tool calls among the blocks of a turn."""
    return [ToolUse(block["id"], block["name"], block["input"]) for block in content if block["type"] == "tool_use"]


def sent_back(content: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the SDK's blocks of an answer as the next request shows them."""
    blocks: list[dict[str, Any]] = []
    for block in content:
        if block.type == "text":
            if block.text.strip():
                blocks.append({"type": "text", "text": storable(block.text)})
        elif block.type == "tool_use":
            given = block.input if isinstance(block.input, dict) else {}
            blocks.append({"type": "tool_use", "id": block.id, "name": block.name, "input": storable_json(given)})
        else:
            blocks.append(storable_json(block.to_dict()))
    return blocks


def with_cache_mark(messages: Sequence[Message]) -> list[Message]:
    """Return the conversation, its last block marked: the next turn reads all before it from the cache."""
    *before, last = messages
    content = last["content"]
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else list(content)
    return [*before, {**last, "content": [*blocks[:-1], {**blocks[-1], **CACHED}]}]
