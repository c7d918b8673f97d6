"""A packet as a later prompt shows it: what it says, without the passages and the written-out texts."""

from __future__ import annotations

import json
from typing import Any

from studio.text import clip

# Passages are given to a prompt once, numbered; texts that go out to people are no ground for a plan.
_LEFT_OUT = frozenset({"sources", "figures", "sourced", "unsourced_fields", "section_copy", "body"})
# Ours are far shorter; a packet of another client may have any length.
DIGEST_CHARS = 16_000


def digest(packet: dict[str, Any]) -> Any:
    """Return the packet for a prompt: JSON, or the beginning of its text where it is too long for one."""
    short = _without(packet)
    text = json.dumps(short, ensure_ascii=False)
    return short if len(text) <= DIGEST_CHARS else clip(text, DIGEST_CHARS)


def _without(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without(item) for key, item in value.items() if key not in _LEFT_OUT}
    if isinstance(value, list):
        return [_without(item) for item in value]
    return value
