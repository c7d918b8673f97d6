"""The connection pool: a server that has cut off every connection and is back answers the next question."""

from __future__ import annotations

import contextlib

from studio.database.connection import Database
from tests.support.waiting import eventually


def _others(db: Database) -> int:
    row = db.fetch_one(
        "select count(*) as n from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
    )
    return int(row["n"]) if row else -1


def test_a_pool_of_dead_connections_gives_a_living_one_at_once(database_url: str) -> None:
    with Database(database_url, pool_size=8) as db:
        with contextlib.ExitStack() as held:
            for _ in range(8):
                held.enter_context(db.connection())
        with Database(database_url, pool_size=1) as other:
            cut = other.fetch_all(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            assert len(cut) >= 8
            # A connection is judged by what its server has said, not asked: so let it have said its farewell.
            eventually(lambda: _others(other) == 0, what="the end of every session")
        # The pool's own check would have waited longer after each dead one, and given up after 30 s.
        db._pool.timeout = 2
        assert db.fetch_one("select 1 as one") == {"one": 1}
