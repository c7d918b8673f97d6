"""How many tokens a text counts for: one per four characters, rounded up.

Real tokenisers come close to this for English prose and count more for other scripts. The estimate only has to be
the same for the same text, never zero for a text, and additive enough to be summed into a bill.
"""

from __future__ import annotations

import json
import math
from typing import Any

CHARS_PER_TOKEN = 4
# What the API adds around a message and around a tool definition.
MESSAGE_OVERHEAD = 4
TOOL_OVERHEAD = 8
# An image has no characters; this is the order of magnitude of a small one.
IMAGE_TOKENS = 500


def of_text(text: str) -> int:
    """Return the estimate for `text`; 0 for an empty one."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def of_value(value: Any) -> int:
    """Return the estimate for JSON-like content: its texts, keys and numbers; an image counts as a constant."""
    if isinstance(value, str):
        return of_text(value)
    if isinstance(value, list):
        return sum(of_value(item) for item in value)
    if isinstance(value, dict):
        if value.get("type") in ("image", "document") and "source" in value:
            return IMAGE_TOKENS
        if value.get("type") == "text" and isinstance(value.get("text"), str):
            return of_text(value["text"])
        return of_text(json.dumps(value, ensure_ascii=False))
    return 0 if value is None else of_text(str(value))


def of_request(body: dict[str, Any]) -> int:
    """Return the input tokens of a Messages request: system, messages, tools and output schema."""
    total = of_value(body.get("system"))
    for message in body.get("messages") or []:
        total += MESSAGE_OVERHEAD + of_value(message.get("content"))
    for tool in body.get("tools") or []:
        total += TOOL_OVERHEAD + of_text(json.dumps(tool, ensure_ascii=False))
    config = body.get("output_config")
    if isinstance(config, dict) and config.get("format"):
        total += of_text(json.dumps(config["format"], ensure_ascii=False))
    return max(total, 1)
