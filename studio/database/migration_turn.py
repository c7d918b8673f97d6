"""One migration at a time, on any host, and none that keeps a table from everybody else.

A statement that changes a table waits for whoever is using it, and everybody who comes later waits behind that
statement. So a migration waits for a moment only, gives up all it holds, and comes again.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import psycopg

from studio.backoff import Backoff
from studio.database.connection import Connection, Database
from studio.errors import MigrationError

log = logging.getLogger(__name__)

T = TypeVar("T")

# Any number of our own: "greenlgt" in ASCII.
ADVISORY_LOCK = 0x677265656E6C6774
# Everybody who wants the table waits for as long as the migration does. And shorter than the server's
# `deadlock_timeout` of a second: where a migration that holds one table and somebody who holds another wait for each
# other, it is always the migration that gives way.
TABLE_LOCK_SECONDS = 0.8
# The pauses between two tries: those who have queued up behind the first one come through meanwhile.
PAUSE_SECONDS = (1.0, 15.0)
# Longer than the longest run of a job that holds a lock, and shorter than a person who deploys would wait.
PATIENCE_SECONDS = 600.0
# What says that a table is in use. A server may look for deadlocks sooner than by default.
IN_USE = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
# How soon it is asked again whether another host's migration is done.
TURN_SECONDS = 0.25
# How many of those who hold tables are named.
NAMED = 3


def patiently(database: Database, work: Callable[[Connection], T], patience_seconds: float, lock_seconds: float) -> T:
    """Run `work` in its turn, again and again where a table that it wants is in use."""
    deadline = time.monotonic() + patience_seconds
    backoff = Backoff(*PAUSE_SECONDS)
    while True:
        try:
            with turn(database, lock_seconds) as conn:
                return work(conn)
        except IN_USE as exc:
            left = deadline - time.monotonic()
            pause = backoff.pause()
            if left <= pause:
                raise MigrationError(
                    f"A table was in use for {patience_seconds:g} s, so nothing was changed{_holders(database)}.",
                    "Let those end (or end them), and try again.",
                ) from exc
            log.info("a table that the migration wants is in use; it is tried again in %.1f s", pause)
        time.sleep(pause)


@contextlib.contextmanager
def turn(database: Database, lock_seconds: float) -> Iterator[Connection]:
    """Lend a connection in a transaction that no other migration runs beside."""
    try:
        while True:
            with database.transaction() as conn:
                # Another host's migration may take its time, and so may this one between two of its statements.
                conn.execute(
                    "SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0;"
                    " SET LOCAL idle_in_transaction_session_timeout = 0"
                )
                # Asked for, and not waited for: who waits in a statement keeps its snapshot, and whoever makes an index
                # concurrently waits for old snapshots. The two would wait for each other, over three sessions, which no
                # server can see.
                row = conn.execute("SELECT pg_try_advisory_xact_lock(%s) AS ours", (ADVISORY_LOCK,)).fetchone()
                if row is not None and row["ours"]:
                    conn.execute("SELECT set_config('lock_timeout', %s, true)", (f"{lock_seconds * 1000:.0f}ms",))
                    yield conn
                    return
            time.sleep(TURN_SECONDS)
    except psycopg.errors.InsufficientPrivilege as exc:
        raise MigrationError(
            f"The database user may not prepare the database: {exc.diag.message_primary}.",
            "Connect as the owner of the database.",
        ) from exc


def _holders(database: Database) -> str:
    """Say who has held tables of ours for longer than a migration waits; an empty text where nobody can be named."""
    rows = database.fetch_all(
        "SELECT a.pid, a.application_name, a.state, extract(epoch FROM now() - min(a.xact_start))::int AS seconds"
        " FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation"
        " WHERE l.granted AND a.pid <> pg_backend_pid() AND a.datname = current_database()"
        " AND c.relnamespace = 'public'::regnamespace GROUP BY 1, 2, 3 ORDER BY seconds DESC NULLS LAST LIMIT %s",
        [NAMED],
    )
    named = []
    for row in rows:
        since = "" if row["seconds"] is None else f" for {row['seconds']} s"
        named.append(
            f"process {row['pid']} ({row['application_name'] or 'unnamed'}, {row['state'] or 'at work'}{since})"
        )
    return f". It is held by {', '.join(named)}" if named else ""
