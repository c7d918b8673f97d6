"""An answer before it goes out: content blocks, why it stopped, and what it counts for."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from studio.sandbox import tokens

MODEL = "sandbox"

Block = dict[str, Any]
# The results of tools that the service carries out itself.
SERVED = ("web_search_tool_result", "web_fetch_tool_result")
StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use"]


@dataclass(frozen=True)
class Reply:
    """What the model says to one request."""

    blocks: tuple[Block, ...]
    stop_reason: StopReason = "end_turn"
    stop_sequence: str | None = None
    searches: int = 0
    fetches: int = 0

    @property
    def text(self) -> str:
        """All text of the answer."""
        return "".join(block["text"] for block in self.blocks if block["type"] == "text")

    @property
    def output_tokens(self) -> int:
        """What the model itself produced, estimated; search results are input, not output."""
        return max(1, sum(map(_weight, self.blocks)))

    @property
    def result_tokens(self) -> int:
        """What the search results add to the input, estimated."""
        return sum(tokens.of_value(b["content"]) for b in self.blocks if b["type"] in SERVED)


def text_reply(text: str) -> Reply:
    """Return an answer of one text block."""
    return Reply(({"type": "text", "text": text},))


def _weight(block: Block) -> int:
    if block["type"] == "text":
        return tokens.of_text(block["text"])
    if block["type"] in ("tool_use", "server_tool_use"):
        return tokens.of_text(block["name"] + json.dumps(block["input"], ensure_ascii=False))
    return 0


def finish(reply: Reply, max_tokens: int, stop_sequences: list[str]) -> Reply:
    """Return `reply` ended at the first stop sequence and at `max_tokens`, whichever comes first."""
    return limit(stop_at(reply, stop_sequences), max_tokens)


def stop_at(reply: Reply, sequences: list[str]) -> Reply:
    """Return `reply` ended before the first of `sequences` that occurs in its text."""
    kept: list[Block] = []
    for block in reply.blocks:
        hits = [(block["text"].find(s), s) for s in sequences if s in block["text"]] if block["type"] == "text" else []
        if hits:
            at, sequence = min(hits)
            kept.append({**block, "text": block["text"][:at]})
            return dataclasses.replace(reply, blocks=tuple(kept), stop_reason="stop_sequence", stop_sequence=sequence)
        kept.append(block)
    return reply


def limit(reply: Reply, max_tokens: int) -> Reply:
    """Return `reply` cut off after `max_tokens`: a text in its middle, a tool call as a whole."""
    left = max_tokens
    kept: list[Block] = []
    for block in reply.blocks:
        weight = _weight(block)
        if weight <= left:
            kept.append(block)
            left -= weight
            continue
        if block["type"] == "text" and left > 0:
            kept.append({**block, "text": block["text"][: left * tokens.CHARS_PER_TOKEN]})
        return dataclasses.replace(reply, blocks=tuple(kept), stop_reason="max_tokens", stop_sequence=None)
    return reply


def cut_in_half(reply: Reply) -> Reply:
    """Return `reply` as if its token limit had been reached in the middle of the text."""
    return limit(reply, max(1, math.ceil(tokens.of_text(reply.text) / 2)))


def identifier(prefix: str, *parts: str) -> str:
    """Return an id like `msg_01…` that is the same for the same parts."""
    digest = hashlib.sha256("\x00".join(parts).encode("utf-8", "replace")).hexdigest()
    return f"{prefix}_01{digest[:22]}"


def with_ids(reply: Reply, message_id: str) -> Reply:
    """Return `reply` with ids in its tool blocks that belong to this message."""
    named: list[Block] = []
    current = ""
    for position, block in enumerate(reply.blocks):
        if block["type"] in ("tool_use", "server_tool_use"):
            prefix = "toolu" if block["type"] == "tool_use" else "srvtoolu"
            current = identifier(prefix, message_id, str(position))
            named.append({"type": block["type"], "id": current, **{k: v for k, v in block.items() if k != "type"}})
        elif block["type"] in SERVED:
            named.append({**block, "tool_use_id": current})
        else:
            named.append(block)
    return dataclasses.replace(reply, blocks=tuple(named))


def usage(reply: Reply, input_tokens: int) -> dict[str, Any]:
    """Return the usage object of a finished message."""
    served = {"web_search_requests": reply.searches, "web_fetch_requests": reply.fetches}
    server = served if any(served.values()) else None
    return {
        "input_tokens": input_tokens + reply.result_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": reply.output_tokens,
        "server_tool_use": server,
        "service_tier": "standard",
    }


def message(reply: Reply, message_id: str, input_tokens: int) -> dict[str, Any]:
    """Return the JSON of a finished message."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": list(reply.blocks),
        "stop_reason": reply.stop_reason,
        "stop_sequence": reply.stop_sequence,
        "usage": usage(reply, input_tokens),
    }
