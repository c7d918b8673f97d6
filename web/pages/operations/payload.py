"""What went into a span or came out of it, as a person reads it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A line break as JSON writes it, and no backslash before an n.
_BREAK = re.compile(r"(?<!\\)((?:\\\\)*)\\n")
_INDENT = re.compile(r" *")
_NULL_BYTES = 4


@dataclass(frozen=True)
class Payload:
    """A payload. `text` is None where it was removed; `size` is that of the whole, in bytes, `shown` that of `text`."""

    text: str | None
    size: int | None
    shown: int
    sha256: str | None
    is_cut: bool

    @property
    def is_removed(self) -> bool:
        """Whether there was something that is no longer kept."""
        return self.text is None


@dataclass(frozen=True)
class Event:
    """Something that happened in a span, `at_ms` after its start."""

    name: str
    at_ms: float | None
    said: str


def event_of(event: Mapping[str, Any]) -> Event:
    """Return an event as it is read; another client may have written it with anything in it."""
    at_ms = event.get("at_ms")
    rest = {key: value for key, value in event.items() if key not in ("name", "at_ms")}
    said = ", ".join(f"{key}: {value if isinstance(value, str) else json.dumps(value)}" for key, value in rest.items())
    return Event(str(event.get("name", "event")), at_ms if isinstance(at_ms, int | float) else None, said)


def payload_of(data: Any, size: int | None, sha256: str | None) -> Payload | None:
    """Return a payload to be read, of a value of JSON; None where there was none."""
    if data is None and size is None:
        return None
    if data is None and size != _NULL_BYTES:
        return Payload(None, size, 0, sha256, False)
    stored = len(json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode())
    # What was too long is kept as a text of its beginning.
    is_cut = isinstance(data, str) and size is not None and size > stored
    text = data if is_cut else readable(data)
    return Payload(text, size, len(text.encode()), sha256, is_cut)


def readable(value: Any) -> str:
    """Return a value as indented JSON, in which texts have their line breaks; a text alone as it is."""
    if isinstance(value, str):
        return value
    written = json.dumps(value, indent=2, ensure_ascii=False)
    return "\n".join(_broken(line) for line in written.split("\n"))


def _broken(line: str) -> str:
    if "\\n" not in line:
        return line
    found = _INDENT.match(line)
    indent = f"{found[0] if found else ''}    "
    return _BREAK.sub(lambda escaped: f"{escaped[1]}\n{indent}", line)
