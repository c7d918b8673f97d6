"""The connection pool: a server that has cut off every connection and is back answers the next question."""

from __future__ import annotations

import contextlib

from studio.database.connection import Database
from tests.support.sessions import cut_off_others


def test_a_pool_of_dead_connections_gives_a_living_one_at_once(database_url: str) -> None:
    with Database(database_url, pool_size=8) as db:
        with contextlib.ExitStack() as held:
            for _ in range(8):
                held.enter_context(db.connection())
        with Database(database_url, pool_size=1) as other, other.connection() as conn:
            assert cut_off_others(conn) >= 8
        # The pool's own check would have waited longer after each dead one, and given up after 30 s.
        db._pool.timeout = 2
        assert db.fetch_one("select 1 as one") == {"one": 1}
