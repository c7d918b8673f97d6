"""A message as the events of a stream, in the order and shape in which the SDK puts it together again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from studio.sandbox import reply as replies
from studio.sandbox.reply import Reply

# A few words: enough to be seen live, few enough events for a long answer.
CHUNK_CHARS = 24
# Nobody reads the input of a tool as it comes, and a file that is written has many pieces.
INPUT_CHUNK_CHARS = 480
_PIECE = re.compile(r"\S*\s*")


class Event(NamedTuple):
    """One server-sent event; `paced` ones are what a model would take time to produce."""

    name: str
    data: dict[str, Any]
    paced: bool = False

    def encode(self) -> bytes:
        """Return the bytes on the wire."""
        return f"event: {self.name}\ndata: {json.dumps(self.data, ensure_ascii=False)}\n\n".encode()


PING = Event("ping", {"type": "ping"})


def chunks(text: str, size: int = CHUNK_CHARS) -> Iterator[str]:
    """Cut a text after words into pieces of about `size` characters; a longer word is cut too."""
    current = ""
    for match in _PIECE.finditer(text):
        piece = match.group()
        if current and len(current) + len(piece) > size:
            yield current
            current = ""
        current += piece
        while len(current) > 2 * size:
            yield current[:size]
            current = current[size:]
    if current:
        yield current


def events(reply: Reply, message_id: str, input_tokens: int) -> Iterator[Event]:
    """Return the events of a finished message, from `message_start` to `message_stop`."""
    started = replies.message(reply, message_id, input_tokens)
    usage = started["usage"]
    started |= {"content": [], "stop_reason": None, "stop_sequence": None}
    started["usage"] = {**usage, "input_tokens": input_tokens, "output_tokens": 1, "server_tool_use": None}
    yield Event("message_start", {"type": "message_start", "message": started})
    yield PING
    for index, block in enumerate(reply.blocks):
        yield from _block_events(index, block)
    ended = {"stop_reason": reply.stop_reason, "stop_sequence": reply.stop_sequence}
    cumulative = {key: value for key, value in usage.items() if key != "service_tier" and value is not None}
    yield Event("message_delta", {"type": "message_delta", "delta": ended, "usage": cumulative})
    yield Event("message_stop", {"type": "message_stop"})


def _block_events(index: int, block: dict[str, Any]) -> Iterator[Event]:
    kind = block["type"]
    citations = block.get("citations") or []
    opening = dict(block)
    if kind == "text":
        opening["text"] = ""
        if citations:
            opening["citations"] = []
    if kind in ("tool_use", "server_tool_use"):
        opening["input"] = {}
    yield Event("content_block_start", {"type": "content_block_start", "index": index, "content_block": opening})
    if kind == "text":
        for piece in chunks(block["text"]):
            yield _delta(index, {"type": "text_delta", "text": piece})
        for citation in citations:
            yield _delta(index, {"type": "citations_delta", "citation": citation})
    elif kind in ("tool_use", "server_tool_use"):
        for piece in chunks(json.dumps(block["input"], ensure_ascii=False), INPUT_CHUNK_CHARS):
            yield _delta(index, {"type": "input_json_delta", "partial_json": piece})
    yield Event("content_block_stop", {"type": "content_block_stop", "index": index})


def _delta(index: int, delta: dict[str, Any]) -> Event:
    data = {"type": "content_block_delta", "index": index, "delta": delta}
    return Event("content_block_delta", data, paced=delta["type"] != "citations_delta")
