"""A conversation with tools in the size that a model takes: what tools say is bounded, and what is old is cut.

A picture or a document is passed on only where it is one by its first bytes: the service refuses the whole conversation
for one that is not.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from studio.model.turns import Message
from studio.text import clip, storable_json

# A tool may print a megabyte; the model reads its beginning and its end.
RESULT_CHARS = 24_000
# What all tools of one turn say together.
TURN_CHARS = 80_000
# In bytes: no text has more tokens than bytes, and as English has four times as many, this is far inside the window of
# every model.
HISTORY_BYTES = 400_000
# What the last turns said stays whole for as long as there is room.
FRESH_TURNS = 6
BRIEF_CHARS = 400
# Base64 characters of a picture or document, and how many of them a turn may show.
FILE_CHARS = 1_500_000
FILES_A_TURN = 2

_SIGNS: dict[str, tuple[bytes, ...]] = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
    "application/pdf": (b"%PDF-",),
}
# Longer than the longest sign, in base64.
_HEAD_CHARS = 24


def results_of_turn(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the tool results of a turn, bounded one by one and together."""
    files = FILES_A_TURN
    shown: list[dict[str, Any]] = []
    for result in results:
        content = result["content"]
        if isinstance(content, list):
            blocks = [_block(block, allowed=files > 0) for block in content]
            files -= sum(block["type"] != "text" for block in blocks)
            shown.append({**result, "content": blocks or "(nothing was printed)"})
        else:
            shown.append({**result, "content": bounded(content)})
    spoken = sum(_text_chars(result["content"]) for result in shown)
    if spoken <= TURN_CHARS:
        return shown
    each = max(BRIEF_CHARS, TURN_CHARS // len(shown))
    return [{**result, "content": _at_most(result["content"], each)} for result in shown]


def bounded(text: str, limit: int = RESULT_CHARS) -> str:
    """Return a text in the length that is shown to the model: its beginning and its end."""
    told = str(storable_json(text))
    if len(told) <= limit:
        return told if told.strip() else "(nothing was printed)"
    half = limit // 2
    return f"{told[:half]}\n… {len(told) - 2 * half:,} characters left out …\n{told[-half:]}"


def shortened(messages: Sequence[Message]) -> list[Message]:
    """Return a conversation that fits a model: where it is too long, what was said and written long ago is cut.

    Where that does not do, what is newer is cut, too; the question and the last message stay whole.
    """
    kept = list(messages)
    size = sum(map(_size, kept))
    old = max(1, len(kept) - 2 * FRESH_TURNS)
    for position in [*range(1, old), *range(old, len(kept) - 1)]:
        if size <= HISTORY_BYTES:
            break
        message = kept[position]
        if isinstance(message["content"], list):
            kept[position] = {**message, "content": [_brief(block) for block in message["content"]]}
            size += _size(kept[position]) - _size(message)
    return kept


def _block(block: dict[str, Any], *, allowed: bool) -> dict[str, Any]:
    if block["type"] == "text":
        return {**block, "text": bounded(block["text"])}
    source = block["source"]
    why = None if allowed else f"only {FILES_A_TURN} are shown at once"
    if why is None and len(source["data"]) > FILE_CHARS:
        why = "it is too large"
    if why is None and not _is_one(source["media_type"], source["data"]):
        why = f"it is no {source['media_type']} by its first bytes"
    return block if why is None else {"type": "text", "text": f"(This {block['type']} is not shown: {why}.)"}


def _is_one(media_type: str, data: str) -> bool:
    try:
        base64.b64decode(data, validate=True)
        head = base64.b64decode(data[:_HEAD_CHARS])
    except (binascii.Error, ValueError):
        return False
    return any(head.startswith(sign) for sign in _SIGNS.get(media_type, ()))


def _at_most(content: str | list[dict[str, Any]], limit: int) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return bounded(content, limit)
    return [{**one, "text": bounded(one["text"], limit)} if one["type"] == "text" else one for one in content]


def _text_chars(content: str | list[dict[str, Any]]) -> int:
    if isinstance(content, str):
        return len(content)
    return sum(len(block["text"]) for block in content if block["type"] == "text")


def _brief(block: dict[str, Any]) -> dict[str, Any]:
    if block["type"] == "tool_result":
        content = block["content"]
        text = content if isinstance(content, str) else "(a picture or a document)"
        return {**block, "content": clip(text, BRIEF_CHARS)}
    if block["type"] == "tool_use":
        given = {key: clip(v, BRIEF_CHARS) if isinstance(v, str) else v for key, v in block["input"].items()}
        return {**block, "input": given}
    return block


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "replace"))
    if isinstance(value, dict):
        return sum(map(_size, value.values()))
    if isinstance(value, list):
        return sum(map(_size, value))
    return 1
