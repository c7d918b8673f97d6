"""Waits for the database that take long become spans: for a connection (`db:wait`), for a statement (`db:query`).

The rest, which is nearly all of them, costs two looks at the clock. Statements are kept as they were written, without
their parameters.
"""

from __future__ import annotations

import re
import time
from typing import Any

import psycopg
from psycopg.rows import DictRow

from studio.tracing import current, names, record

# A statement is recognised by its beginning.
STATEMENT_CHARS = 500

# Their columns are those of the table, or of a function's row. A migration that adds one would spoil what a connection
# has prepared, for as long as it lives: "cached plan must not change result type".
_TAKES_ALL_COLUMNS = re.compile(r"\b(?:select|returning)\s+(?:\w+\.)?\*|,\s*\w+\.\*", re.I)

_threshold_ns = 100_000_000


def trace_waits(milliseconds: float) -> None:
    """Let waits of this process that are longer become spans."""
    global _threshold_ns
    _threshold_ns = round(milliseconds * 1e6)


class TracedCursor(psycopg.Cursor[DictRow]):
    """A cursor whose long statements become spans of the work that waits for them, and that outlives a migration."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> TracedCursor:
        """Execute; see `psycopg.Cursor.execute`."""
        began = time.perf_counter_ns()
        failure: BaseException | None = None
        if options.get("prepare") is None and isinstance(query, str) and _TAKES_ALL_COLUMNS.search(query):
            options["prepare"] = False
        try:
            super().execute(query, params, **options)
        except BaseException as exc:
            failure = exc
            raise
        finally:
            if (now := time.perf_counter_ns()) - began > _threshold_ns:
                waited(names.DB_QUERY, began, now, {"db.query.text": _text(query)}, failure)
        return self


def waited(
    name: str, began_ns: int, ended_ns: int, attributes: dict[str, Any], failure: BaseException | None = None
) -> None:
    """Record a wait of the current work, between two readings of `perf_counter_ns`, where it was a long one."""
    if ended_ns - began_ns <= _threshold_ns or not current():
        return
    record(name, began_ns, ended_ns, {"db.system.name": "postgresql", **attributes}, failure=failure)


def _text(query: Any) -> str:
    text = query.decode("utf-8", "replace") if isinstance(query, bytes) else query
    if not isinstance(text, str):
        text = text.as_string(None) if hasattr(text, "as_string") else type(text).__name__
    return " ".join(text.split())[:STATEMENT_CHARS]
