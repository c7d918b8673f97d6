"""A statement that has to wait for somebody else's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, LiteralString

from studio.database.connection import Database
from tests.support.queue import InBackground, wait_until_blocked
from tests.support.waiting import eventually


def blocked(db: Database, statement: LiteralString, parameters: Sequence[Any]) -> InBackground:
    """Begin a statement in the background and return once it waits for a lock that another transaction holds."""
    sessions: list[int] = []

    def run() -> None:
        with db.transaction() as conn:
            sessions.append(conn.info.backend_pid)
            conn.execute(statement, parameters)

    running = InBackground(run)
    eventually(lambda: sessions, what="the beginning of the statement")
    wait_until_blocked(db, sessions[0])
    return running
