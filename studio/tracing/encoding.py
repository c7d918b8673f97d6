"""Rows as JSON and back: for the database's functions, for a REST interface, and as lines on the disk."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from studio.tracing.rows import SpanRow, TraceRow

Row = TraceRow | SpanRow

# What stands in a row as JSON already.
PAYLOADS = ("input_data", "output_data")
EMPTY_TEXT = '""'

_FIELDS = {kind: tuple(field.name for field in dataclasses.fields(kind)) for kind in (TraceRow, SpanRow)}
_PLAIN_FIELDS = {kind: tuple(name for name in names if name not in PAYLOADS) for kind, names in _FIELDS.items()}
_TIMES = frozenset({"start_time", "end_time"})
_IDS = {TraceRow: frozenset({"trace_id", "project_id", "job_id"}), SpanRow: frozenset({"trace_id", "project_id"})}
_KINDS: dict[str, type[TraceRow] | type[SpanRow]] = {"trace": TraceRow, "span": SpanRow}


def as_array(rows: Sequence[Row]) -> str:
    """Return rows as a JSON array of objects whose keys are the columns that hold something."""
    return f"[{','.join(_object(row) for row in rows)}]"


def as_uniform_array(rows: Sequence[Row]) -> str:
    """Return rows as a JSON array of objects with the same keys in each: columns that hold nothing are null.

    So is an input or output that is an empty text, for interfaces that leave such keys out; its size tells of it.
    """
    return f"[{','.join(_uniform_object(row) for row in rows)}]"


def as_line(row: Row) -> bytes:
    """Return a row as one line of JSON that `from_line` reads."""
    held = {name: value for name in _FIELDS[type(row)] if (value := getattr(row, name)) is not None}
    return _encoded({"trace" if isinstance(row, TraceRow) else "span": held}).encode("ascii") + b"\n"


def from_line(line: bytes) -> Row:
    """Return the row that a line stands for; raise `ValueError` where it stands for none."""
    read = json.loads(line)
    if not isinstance(read, dict) or len(read) != 1:
        raise ValueError("it is not an object with one key")
    ((name, held),) = read.items()
    kind = _KINDS.get(str(name))
    if kind is None or not isinstance(held, dict):
        raise ValueError("it is neither a trace nor a span")
    # A column that is no longer known has nowhere to go.
    values = {field: _read(kind, field, held[field]) for field in _FIELDS[kind] if field in held}
    try:
        return kind(**values)
    except TypeError as exc:
        raise ValueError(f"a column is missing: {exc}") from exc


def _read(kind: type[TraceRow] | type[SpanRow], name: str, value: Any) -> Any:
    if name not in _TIMES and name not in _IDS[kind]:
        return value
    if not isinstance(value, str):
        raise ValueError(f"{name} is not text")
    return datetime.fromisoformat(value) if name in _TIMES else UUID(value)


def _object(row: Row) -> str:
    held = {name: value for name in _PLAIN_FIELDS[type(row)] if (value := getattr(row, name)) is not None}
    return _with_payloads(held, {name: value for name in PAYLOADS if (value := getattr(row, name, None)) is not None})


def _uniform_object(row: Row) -> str:
    payloads = {}
    if isinstance(row, SpanRow):
        for name in PAYLOADS:
            value = getattr(row, name)
            payloads[name] = value if value and value != EMPTY_TEXT else "null"
    return _with_payloads({name: getattr(row, name) for name in _PLAIN_FIELDS[type(row)]}, payloads)


def _with_payloads(held: dict[str, Any], payloads: dict[str, str]) -> str:
    # They are JSON already; nothing else is worth the time to go through them again.
    return _encoded(held)[:-1] + "".join(f',"{name}":{value}' for name, value in payloads.items()) + "}"


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} stands in no column")


_encoded = json.JSONEncoder(separators=(",", ":"), default=_plain).encode
