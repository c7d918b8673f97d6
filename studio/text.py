"""Text that PostgreSQL can store, and canonical JSON.

PostgreSQL's text and jsonb hold neither NUL nor lone surrogates, and JSON neither NaN nor infinities. What
a person typed is refused with its position; what a model, a tool or a log line produced is made storable
instead, because a failed event write would lose more than one odd character.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from studio.errors import InvalidInput

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Everything that steers a terminal; tab and newline are text.
_STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
REPLACEMENT = "�"


def storable(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD."""
    return _UNSTORABLE.sub(REPLACEMENT, text)


def storable_json(value: Any) -> Any:
    """Return JSON-like `value` with every string, keys included, made storable; NaN and infinities become null."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {storable(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_json(item) for item in value]
    return value


def printable(value: Any) -> Any:
    """Return JSON-like `value` with every character replaced that could steer the terminal it is printed on."""
    if isinstance(value, str):
        return _STEERING.sub(REPLACEMENT, value)
    if isinstance(value, dict):
        return {printable(str(key)): printable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [printable(item) for item in value]
    return value


def require_storable(text: str, what: str) -> str:
    """Return `text` unchanged, or raise `InvalidInput` that names `what` and the first bad position."""
    found = _UNSTORABLE.search(text)
    if found is None:
        return text
    kind = "a NUL character" if found.group() == "\x00" else "a lone surrogate"
    raise InvalidInput(
        f"{what} contains {kind} at position {found.start()}, which no database text can hold.",
        "Remove it and try again.",
    )


def require_storable_json(value: Any, what: str) -> Any:
    """Return JSON-like `value` unchanged, or raise `InvalidInput` for the first unstorable string in it."""
    if isinstance(value, str):
        require_storable(value, what)
    elif isinstance(value, dict):
        for key, item in value.items():
            require_storable(str(key), f"a key of {what}")
            require_storable_json(item, f"{what}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            require_storable_json(item, f"{what}[{index}]")
    return value


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys at every depth, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha1_hex(text: str) -> str:
    """Return the SHA-1 of `text` in hex: the digest in idempotency keys, not a security measure."""
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).hexdigest()


def sha256_hex(text: str) -> str:
    """Return the SHA-256 of `text` in hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def clip(text: str, limit: int) -> str:
    """Return `text` cut to `limit` characters, with an ellipsis as the last one where it was cut."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def one_line(text: str, limit: int) -> str:
    """Return `text` on one line of at most `limit` characters, without what steers a terminal.

    So a text that was written elsewhere can stand in a list without starting a line, a heading or a block.
    """
    return clip(_STEERING.sub(REPLACEMENT, " ".join(text[: 20 * limit].split())), limit)
