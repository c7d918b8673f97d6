"""Frames of an event stream: blocks of `field: value` lines that end with a blank one (WHATWG HTML §9.2.5).

JSON stands on one line, whatever line ends the text in it has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from studio.events import Event

# How soon a browser comes back. A stream ends by design, so it is a part of how late an event may be.
RETRY_MS = 100
OPENING = f"retry: {RETRY_MS}\n\n".encode()
PING = b": ping\n\n"
# The seed's last word; a browser comes back because the answer has ended.
RECONNECT = b"event: reconnect\ndata: {}\n\n"


def payload(event: Event) -> dict[str, Any]:
    """Return what a client is told of an event; `job_id` is for clients of the seed."""
    return {
        "seq": event.seq,
        "id": str(event.id),
        "jobId": str(event.job_id),
        "job_id": str(event.job_id),
        "projectId": str(event.project_id),
        "agent": event.agent,
        "type": event.type,
        "message": event.message,
        "data": event.data,
        "attempt": event.attempt,
        "traceId": event.trace_id.hex,
        "createdAt": moment(event.created_at),
    }


def moment(at: datetime) -> str:
    """Return a moment as JavaScript writes it: UTC, to the millisecond."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def changed(project_id: UUID, what: Iterable[str]) -> bytes:
    """Return the hint that something else than an event is new; it moves nobody's position."""
    return _frame("changed", {"projectId": str(project_id), "what": " ".join(sorted(what))})


def message(event: Event) -> bytes:
    """Return the frame of an event without its id, which is a line before it."""
    return _frame("message", payload(event))


def _frame(name: str, data: dict[str, Any]) -> bytes:
    # Only the escapes of JSON: a line end in a text would end the line here.
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False, separators=(',', ':'))}\n\n".encode()


class Frames:
    """The frames of recent events, made once for all who are sent them. For one thread."""

    def __init__(self, kept: int = 2_000, kept_bytes: int = 8 * 1024 * 1024) -> None:
        """Keep at most `kept` frames, of `kept_bytes` in all, and one of any size."""
        self._kept = kept
        self._kept_bytes = kept_bytes
        self._bytes = 0
        self._frames: dict[UUID, bytes] = {}

    def of(self, event: Event) -> bytes:
        """Return what `message` does."""
        frame = self._frames.get(event.id)
        if frame is None:
            frame = self._frames[event.id] = message(event)
            self._bytes += len(frame)
            while len(self._frames) > 1 and (len(self._frames) > self._kept or self._bytes > self._kept_bytes):
                self._bytes -= len(self._frames.pop(next(iter(self._frames))))
        return frame
