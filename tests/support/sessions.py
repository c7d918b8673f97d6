"""The sessions that a program holds at the server, told by its `application_name`."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg
from psycopg import sql

from studio.database.connection import Connection, Database
from tests.support.postgres import TestServer
from tests.support.waiting import eventually

_THEIRS = "from pg_stat_activity where datname = current_database() and application_name = %s"


def sessions(db: Database, application_name: str) -> set[int]:
    """Return the server's process ids of the sessions under `application_name`."""
    return {row["pid"] for row in db.fetch_all(f"select pid {_THEIRS}", [application_name])}


def cut_off(db: Database, application_name: str) -> int:
    """End these sessions, as a failover does, and wait until they are gone; return how many there were."""
    victims = db.fetch_all(f"select pid, pg_terminate_backend(pid) {_THEIRS}", [application_name])
    ended = {row["pid"] for row in victims}
    eventually(lambda: not ended & sessions(db, application_name), what="the end of the sessions")
    return len(ended)


def cut_off_others(conn: Connection) -> int:
    """End every session of the database but this one, and wait until they are gone; return how many there were.

    Who would not wait could be handed one of them by a pool, which judges a connection by what its server has said.
    `conn` is in autocommit mode: a transaction would see the same sessions for ever.
    """
    victims = conn.execute(
        "select pid, pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    ).fetchall()
    ended = [row["pid"] for row in victims]
    left = "select exists (select 1 from pg_stat_activity where pid = any(%s)) as some"
    eventually(lambda: conn.execute(left, [ended]).fetchone() == {"some": False}, what="the end of the sessions")
    return len(ended)


@contextlib.contextmanager
def unreachable(postgres: TestServer, db: Database, application_name: str) -> Iterator[None]:
    """Let nobody connect to the database of `db` any more, and cut off who is there under `application_name`.

    Other sessions go on: who has a connection may write meanwhile.
    """
    name = psycopg.conninfo.conninfo_to_dict(db.url)["dbname"]
    statement = sql.SQL("alter database {} allow_connections {}")
    with psycopg.connect(postgres.url(postgres.maintenance), autocommit=True) as conn:
        conn.execute(statement.format(sql.Identifier(str(name)), sql.SQL("false")))
        try:
            cut_off(db, application_name)
            yield
        finally:
            conn.execute(statement.format(sql.Identifier(str(name)), sql.SQL("true")))
