"""How values of the database are read that another client may have written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.abc import Buffer
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import set_json_loads

# Far more than anything the studio writes, and a fraction of what makes a recursive reader fall over.
JSON_DEPTH = 100
_TOO_DEEP = {"unreadable": f"It is nested more than {JSON_DEPTH} levels deep."}
# PostgreSQL's calendar has infinities, and 292,000 years more than Python's.
_FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)


class _Timestamptz(TimestamptzLoader):
    """Loads what another client may write, too: one odd date must not make a whole table unreadable."""

    def load(self, data: Buffer) -> datetime:
        try:
            return super().load(data)
        except psycopg.DataError as exc:
            if "too small" in str(exc):
                return _FIRST_MOMENT
            if "too large" in str(exc):
                return _LAST_MOMENT
            raise


def _integer(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits  # more digits than Python reads in one go


def _json(data: str | bytes) -> Any:
    """Return JSON that another client may have written: what Python cannot work with stands as a text about it."""
    try:
        value = json.loads(data, parse_int=_integer)
    except RecursionError:
        return dict(_TOO_DEEP)
    return value if _depth_is_bounded(data, value) else dict(_TOO_DEEP)


def _depth_is_bounded(data: str | bytes, value: Any) -> bool:
    opened = data.count("{") + data.count("[") if isinstance(data, str) else data.count(b"{") + data.count(b"[")
    if opened <= JSON_DEPTH:
        return True
    level = [value]
    for _ in range(JSON_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
        if not level:
            return True
    return False


def set_up(conn: psycopg.Connection[Any]) -> None:
    """Let `conn` read whatever the database holds."""
    set_json_loads(_json, conn)
    conn.adapters.register_loader("timestamptz", _Timestamptz)
