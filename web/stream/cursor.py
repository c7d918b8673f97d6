"""Where a stream begins, as clients say it: what they have seen last.

| given | means |
|---|---|
| a seq | a position in one project's stream: the `id` of its frames |
| base64 of a seq, or of `{"after": …, "afterId": …}` | the seed's cursor |
| `p1.` and base64 | positions in several projects' streams: the `id` of their frames |
"""

from __future__ import annotations

import base64
import binascii
import json
import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from studio.errors import InvalidInput

# The largest seq there can be.
_LAST_SEQ = 2**63 - 1
# Positions in 200 projects take less than half of it.
_LONGEST = 8_192
_SEVERAL = "p1."
# The beginning of a project's id, and a seq. Among 200 projects of one owner two begin alike once in 50 million cases.
_POSITION = struct.Struct(">6sQ")
_REMEDY = "Send the id of the last frame as Last-Event-ID or cursor, or leave both out."


class Moment(NamedTuple):
    """A cursor of the seed: after this moment, or after this event of it."""

    after: datetime
    after_id: UUID | None = None


class Several(NamedTuple):
    """Positions in the streams of several projects, by the beginnings of their ids."""

    seqs: Mapping[bytes, int]

    def of(self, project_ids: Iterable[UUID]) -> dict[UUID, int]:
        """Return the positions in those of the projects that this knows."""
        return {one: self.seqs[_begin(one)] for one in project_ids if _begin(one) in self.seqs}


Cursor = int | Moment | Several


class Standing:
    """Where a stream stands that carries several projects, as the `id` of its frames."""

    def __init__(self, positions: Mapping[UUID, int]) -> None:
        self._packed = bytearray(b"".join(_POSITION.pack(_begin(one), seq) for one, seq in positions.items()))
        self._places = {one: number * _POSITION.size for number, one in enumerate(positions)}

    def move(self, project_id: UUID, seq: int) -> None:
        """Let the stream have passed `seq` of a project."""
        _POSITION.pack_into(self._packed, self._places[project_id], _begin(project_id), seq)

    def text(self) -> str:
        """Return it as `parse` takes it."""
        return _SEVERAL + base64.urlsafe_b64encode(self._packed).decode().rstrip("=")


def parse(text: str) -> Cursor:
    """Return what a cursor says; raise `InvalidInput` where it says nothing."""
    if len(text) > _LONGEST:
        raise _unreadable(text)
    if (seq := _seq(text)) is not None:
        return seq
    if text.startswith(_SEVERAL):
        return _several(text)
    try:
        plain = _decoded(text).decode()
        if (seq := _seq(plain)) is not None:
            return seq
        found = json.loads(plain)
        return moment(str(found["after"]), found.get("afterId"))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as exc:
        raise _unreadable(text) from exc


def moment(after: str, after_id: str | None = None) -> Moment:
    """Return the seed's pair of an ISO moment and an event's id; raise `InvalidInput`."""
    try:
        # In a query a bare + is a space.
        at = datetime.fromisoformat(after.strip().replace(" ", "+") if "T" in after else after)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        # PostgreSQL is not asked for moments that Python cannot write in UTC.
        return Moment(at.astimezone(UTC), UUID(after_id) if after_id else None)
    except (ValueError, OverflowError, TypeError, AttributeError) as exc:
        raise InvalidInput(
            f"after={after[:40]!r}, afterId={str(after_id)[:40]!r} is no moment and id of an event.",
            "Send createdAt and id of the last event.",
        ) from exc


def _several(text: str) -> Several:
    try:
        seqs = dict(_POSITION.iter_unpack(_decoded(text.removeprefix(_SEVERAL))))
    except (ValueError, struct.error) as exc:
        raise _unreadable(text) from exc
    if any(seq > _LAST_SEQ for seq in seqs.values()):
        raise _unreadable(text)
    return Several(seqs)


def _decoded(text: str) -> bytes:
    plain = text.strip().replace(" ", "+").replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as exc:
        raise ValueError("no base64") from exc


def _seq(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    seq = int(text) if len(text) <= len(str(_LAST_SEQ)) else _LAST_SEQ + 1
    if seq > _LAST_SEQ:
        raise _unreadable(text)
    return seq


def _begin(project_id: UUID) -> bytes:
    return project_id.bytes[:6]


def _unreadable(text: str) -> InvalidInput:
    return InvalidInput(f"{text[:60]!r} is no cursor of an event stream.", _REMEDY)
