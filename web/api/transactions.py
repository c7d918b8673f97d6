"""Writes: one transaction per request, again where the database broke a conflict between two."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from studio.database.connection import Connection, Database
from studio.queue import transiently

T = TypeVar("T")


def committed(db: Database, work: Callable[[Connection], T]) -> T:
    """Return what `work` returns, in one transaction of its own."""

    def once() -> T:
        with db.transaction() as conn:
            return work(conn)

    return transiently(once)
