"""What goes into a span and what comes out of it: JSON of bounded size, with its whole size and its hash.

Two stages. `serialised` runs in the thread of the traced work at the moment of the call, because what it is given may
change afterwards; it takes any object and never raises. `stored` runs in the collector's thread: it cuts secrets out,
measures, and limits.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.text import storable
from studio.tracing.plain import CEILING_CHARS, DEPTH, Plain
from studio.tracing.redaction import Redactor
from studio.tracing.shapes import INTEGER_BITS, UNREADABLE

# What is kept of an input or an output, as JSON in UTF-8.
LIMIT_BYTES = 50_000

_encode = json.JSONEncoder(ensure_ascii=False, check_circular=False, allow_nan=False, separators=(",", ":")).encode

# Against the ceiling a plain value counts less than another object: the encoder in C sees to it.
_PLAIN_CHARS = 32
_NUMBERS = frozenset({int, float, bool, type(None)})
# From so many items on, looking at all of their types at once is faster.
_MANY = 32


@dataclass(frozen=True)
class Payload:
    """An input or output as it is stored.

    `text` is JSON of at most `LIMIT_BYTES`, a JSON string of its beginning where `size` is larger. `size` (bytes) and
    `sha256` are those of the whole, without secrets. Of what is above the ceiling of `serialised` the size is at least
    this.
    """

    text: str | None
    size: int
    sha256: str


# --- in the thread of the work


def serialised(value: object) -> str:
    """Return `value` as JSON that PostgreSQL takes, whatever it is. Raise nothing but what interrupts the thread.

    Iterators are not consumed; unknown objects are shown by their class. Above a ceiling of work the rest is left out,
    with a note in its place.
    """
    try:
        text = _quick(value)
        return _storable(_encode(Plain().of(value)) if text is None else text)
    except Exception:  # noqa: BLE001 - too little stack or memory, and that is no concern of the work's
        return f'"{UNREADABLE}"'


def call_arguments(
    signature: inspect.Signature, args: Sequence[object], kwargs: Mapping[str, object]
) -> dict[str, object]:
    """Return the arguments of a call by the names of their parameters, without `self` and `cls`.

    Those of a call that does not fit `signature` stand under `args` and `kwargs`.
    """
    named: dict[str, object] = {}
    taken = 0
    for parameter in signature.parameters.values():
        if taken == len(args):
            break
        if parameter.kind is parameter.VAR_POSITIONAL:
            named[parameter.name] = args[taken:]
            taken = len(args)
        elif parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            if taken or parameter.name not in ("self", "cls"):
                named[parameter.name] = args[taken]
            taken += 1
    if taken < len(args) or named.keys() & kwargs.keys():
        return {"args": args, "kwargs": kwargs}
    named.update(kwargs)
    return named


def _quick(value: object) -> str | None:
    """Return JSON of what consists of plain values alone and is not too much of it; None of anything else."""
    try:
        return _encode(value) if _left(value, CEILING_CHARS, DEPTH) >= 0 else None
    except Exception:  # noqa: BLE001 - NaN, a cycle, a change by another thread, too little stack: the other way can do it
        return None


def _left(value: Any, left: int, depth: int) -> int:
    """Return what is left of `left` characters after a plain value; less than 0 where it is not plain or too much."""
    kind = type(value)
    if kind is str:
        return left - len(value) - _PLAIN_CHARS
    if kind in _NUMBERS:
        return left - _PLAIN_CHARS if kind is not int else left - _PLAIN_CHARS - _digits(value)
    if depth == 0 or (kind is not dict and kind is not list and kind is not tuple):
        return -1
    left -= _PLAIN_CHARS * (len(value) + 1)
    if left < 0:
        return -1
    if kind is dict:
        for key in value:
            if type(key) is not str:
                return -1
            left -= len(key)
        value = value.values()
    elif len(value) > _MANY:
        kinds = set(map(type, value))
        if kinds == {str}:
            return left - sum(map(len, value))
        if int not in kinds and kinds <= _NUMBERS:
            return left
    for item in value:
        kind = type(item)
        if kind is str:
            left -= len(item)
        elif kind is int:
            left -= _digits(item)
        elif kind not in _NUMBERS:
            left = _left(item, left, depth - 1)
        if left < 0:
            return -1
    return left


def _digits(value: int) -> int:
    bits = value.bit_length()
    return bits >> 1 if bits <= INTEGER_BITS else CEILING_CHARS + 1


def _storable(text: str) -> str:
    """Return JSON without NUL and lone surrogates, which no `jsonb` takes."""
    if "\\u0000" in text:
        # A raw NUL cannot stand in JSON: for a moment it stands for an escaped backslash, and what is left are escapes.
        text = text.replace("\\\\", "\x00").replace("\\u0000", "�").replace("\x00", "\\\\")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return storable(text)
    return text


# --- in the collector's thread


def stored(text: str, secrets: Redactor) -> Payload:
    """Return JSON, as `serialised` gives it, as it is stored: without secrets, measured, and limited."""
    text = secrets.json(text)
    whole = text.encode("utf-8", "replace")
    kept = text if len(whole) <= LIMIT_BYTES else _beginning(text)
    return Payload(kept, len(whole), hashlib.sha256(whole).hexdigest())


def _beginning(text: str) -> str:
    """Return a JSON string of at most `LIMIT_BYTES`: the beginning of a text, or of anything else's JSON."""
    said: str = json.loads(text) if text.startswith('"') else text
    encoded = _encode(said[:LIMIT_BYTES])
    whole = encoded.encode("utf-8", "replace")
    if len(whole) <= LIMIT_BYTES:
        return encoded
    return _without_cut_escape(whole[: LIMIT_BYTES - 1].decode("utf-8", "ignore")) + '"'


def _without_cut_escape(head: str) -> str:
    at = head.rfind("\\", len(head) - 5)
    if at < 0:
        return head
    backslashes = at + 1 - len(head[: at + 1].rstrip("\\"))
    escape = head[at:]
    if backslashes % 2 == 0 or len(escape) >= (6 if escape[1:2] == "u" else 2):
        return head
    return head[:at]
