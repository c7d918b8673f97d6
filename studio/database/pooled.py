"""Connections that lead to a pooler in transaction mode, which lends a session of the server for a transaction.

Whatever is set for a session there is set for whoever has it next. So nothing is: limits are set within every
transaction, and a single statement gets one of its own for that. A pooler takes no startup `options` either; the
time zone is one of the few parameters that PgBouncer keeps for each of its clients.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow

from studio.database.traced import TracedCursor

TIME_ZONE = "UTC"


@dataclass(frozen=True)
class Haste:
    """Give up on a connection after `wait_seconds`, on a statement after `statement_seconds`, on a lock before that.

    For programs in front of which somebody sits: what hangs would take their threads, one by one.
    """

    wait_seconds: float
    statement_seconds: float
    lock_seconds: float

    @property
    def limits(self) -> dict[str, int]:
        """PostgreSQL's parameters, in milliseconds."""
        return {
            "statement_timeout": round(self.statement_seconds * 1000),
            "lock_timeout": round(self.lock_seconds * 1000),
        }


class _Bounded(psycopg.Connection[DictRow]):
    """A connection whose every transaction begins with its limits."""

    limits: ClassVar[bytes]

    @contextmanager
    def transaction(self, savepoint_name: str | None = None, force_rollback: bool = False) -> Iterator[Any]:
        outermost = self.info.transaction_status is TransactionStatus.IDLE
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if outermost:
                self.execute(self.limits)
            yield transaction


class _BoundedCursor(TracedCursor):
    """Gives a statement outside any transaction one of its own, with the connection's limits."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> _BoundedCursor:
        if self.connection.info.transaction_status is not TransactionStatus.IDLE:
            super().execute(query, params, **options)
            return self
        with self.connection.transaction():
            super().execute(query, params, **options)
        return self


def bounded(haste: Haste | None) -> tuple[type[psycopg.Connection[DictRow]], type[TracedCursor]]:
    """Return the classes of connections and cursors that keep the limits of `haste` in each transaction."""
    if haste is None:
        return psycopg.Connection[DictRow], TracedCursor
    statement = "; ".join(f"set local {name} = {value}" for name, value in haste.limits.items())
    return type("BoundedConnection", (_Bounded,), {"limits": statement.encode()}), _BoundedCursor


def settle(conn: psycopg.Connection[Any]) -> None:
    """Have a new connection run in UTC, unless the server does by itself."""
    if conn.info.parameter_status("TimeZone") != TIME_ZONE:
        conn.execute(f"set timezone to '{TIME_ZONE}'".encode())


def is_pooled(conn: psycopg.Connection[Any]) -> bool:
    """Say whether a pooler answers for the server: then its process is another than the login named."""
    row = conn.cursor(row_factory=psycopg.rows.tuple_row).execute("select pg_backend_pid()").fetchone()
    return row is not None and row[0] != conn.info.backend_pid
