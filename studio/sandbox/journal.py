"""The record of what was asked, for tests and for a curious operator. The oldest entries go first."""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass, field
from typing import Any

MAX_ENTRIES = 2_000
PREFIX_CHARS = 200


@dataclass
class Entry:
    """One request. `finished` turns true when the whole answer, an error included, has been handed over."""

    order: int
    request_id: str
    path: str
    digest: str
    traceparent: str | None = None
    model: str | None = None
    schema_title: str | None = None
    stream: bool = False
    tools: list[str] = field(default_factory=list)
    system: str = ""
    user: str = ""
    fault: str | None = None
    status: int | None = None
    stop_reason: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    finished: bool = False

    @property
    def has_tools(self) -> bool:
        """Whether the client offered tools."""
        return bool(self.tools)


class Journal:
    """The latest requests in order."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=MAX_ENTRIES)
        self._count = 0

    def open(self, request_id: str, path: str, digest: str) -> Entry:
        """Append an entry for a request that has just arrived, and return it to be filled in."""
        self._count += 1
        entry = Entry(order=self._count, request_id=request_id, path=path, digest=digest)
        self._entries.append(entry)
        return entry

    def entries(self) -> list[dict[str, Any]]:
        """Return the kept entries as JSON-like values, oldest first."""
        return [{**dataclasses.asdict(entry), "has_tools": entry.has_tools} for entry in self._entries]

    @property
    def dropped(self) -> int:
        """How many entries were pushed out since the last `clear`."""
        return self._count - len(self._entries)

    def clear(self) -> None:
        """Forget everything; counting starts again at 1."""
        self._entries.clear()
        self._count = 0
