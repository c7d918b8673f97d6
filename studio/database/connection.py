"""Connections to the studio's database.

`Database` owns one pool per process. It is made after a fork, never before one. Rows come back as
dictionaries; every connection runs in UTC and in autocommit mode, so that a transaction is always an
explicit `with database.transaction()`.
"""

from __future__ import annotations

import contextlib
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString
from weakref import WeakKeyDictionary

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from studio.database.liveness import SERVER_KEEPALIVE, keepalive
from studio.database.pooled import Haste, bounded, settle
from studio.database.reading import set_up
from studio.database.traced import TracedCursor, waited
from studio.errors import DatabaseError
from studio.settings import Settings
from studio.tracing import names

Connection = psycopg.Connection[DictRow]
Params = Sequence[Any] | Mapping[str, Any]

# A pool slot that stays busy for this long means that something holds connections, not that load is high.
POOL_TIMEOUT_SECONDS = 30.0
CONNECT_TIMEOUT_SECONDS = 10
# A connection that has been idle for this long may have been dropped on the way without a word.
PING_AFTER_IDLE_SECONDS = 120.0
# What PgBouncer says to `options`, which it does not know.
REFUSED_BY_POOLER = "unsupported startup parameter"


def _set_up_pooled(conn: Connection) -> None:
    set_up(conn)
    settle(conn)


def _living(pool: ConnectionPool[Connection], timeout: float | None = None) -> Connection:
    """Return a connection that answers; what a restarted server has cut off is thrown away on the way.

    The pool's own check waits, longer each time, after every dead connection it finds: with a handful
    of them it gives up although the server has long been back.
    """
    pool.open()
    for _ in range(pool.max_size):
        conn = pool.getconn(timeout)
        if _answers(conn):
            return conn
        conn.close()
        pool.putconn(conn)
    return pool.getconn(timeout)


def _answers(conn: Connection) -> bool:
    """Say whether the server is still there: by asking it only where it has not been asked for a while."""
    if conn.closed or closed_by_server(conn.fileno()):
        return False
    now = time.monotonic()
    asked = _asked_at.get(conn, now)
    _asked_at[conn] = now
    if now - asked > PING_AFTER_IDLE_SECONDS:
        try:
            conn.execute("")
        except psycopg.OperationalError:
            return False
    return True


def closed_by_server(descriptor: int) -> bool:
    """Say whether the socket of an idle connection has something to read: a farewell or the end."""
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(0))


# When each connection was last handed out.
_asked_at: WeakKeyDictionary[Connection, float] = WeakKeyDictionary()


@dataclass(frozen=True)
class Thrift:
    """Get by with `connections`, and make further ones only for whoever has waited for `patience_seconds`."""

    connections: int
    patience_seconds: float


class Database:
    """A pool of connections to one PostgreSQL database."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        prepare: bool = True,
        application_name: str = "greenlight",
        thrift: Thrift | None = None,
        haste: Haste | None = None,
        pooled: bool = False,
        direct_url: str | None = None,
    ) -> None:
        """Nothing is opened before the first use. `thrift` says how to get by with fewer than `pool_size`.

        `pooled` says that `url` leads to a pooler in transaction mode, `direct_url` leads past it.
        """
        self.url = url
        self._direct_url = direct_url
        self._pooled = pooled
        self._wait_seconds = haste.wait_seconds if haste else POOL_TIMEOUT_SECONDS
        general = {
            "row_factory": dict_row,
            "autocommit": True,
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            **({} if prepare else {"prepare_threshold": None}),
        }
        self._direct: dict[str, Any] = {
            **general,
            "cursor_factory": TracedCursor,
            "options": f"-c timezone=UTC {SERVER_KEEPALIVE}{_bounds(haste)}",
        }
        self._kind: type[Connection] = psycopg.Connection[DictRow]
        self._kwargs = self._direct
        if pooled:
            self._kind, cursor = bounded(haste)
            self._kwargs = {**general, "cursor_factory": cursor, "prepare_threshold": None}
        self._thrift = thrift
        self._pool = self._make_pool(thrift.connections if thrift else pool_size)
        # Whoever has waited long enough, perhaps for somebody who waits for him, gets one of these.
        self._reserve = self._make_pool(max(1, pool_size - thrift.connections)) if thrift else self._pool

    def _make_pool(self, size: int) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self.url,
            kwargs={**keepalive(self.url), **self._kwargs},
            connection_class=self._kind,
            min_size=0,
            max_size=size,
            timeout=self._wait_seconds,
            configure=_set_up_pooled if self._pooled else set_up,
            open=False,
        )

    @classmethod
    def from_settings(
        cls,
        settings: Settings,
        application_name: str = "greenlight",
        thrift: Thrift | None = None,
        haste: Haste | None = None,
    ) -> Database:
        """Return a database for `settings.database_url`; raise `DatabaseError` where none is set."""
        if settings.database_url is None:
            raise DatabaseError(
                "No database is configured.",
                "Start the stack with `greenlight up`, or set DATABASE_URL (`greenlight env` prints it).",
            )
        return cls(
            settings.database_url,
            pool_size=settings.db_pool_size,
            prepare=settings.db_prepare,
            application_name=application_name,
            thrift=thrift,
            haste=haste,
            pooled=settings.db_pooled,
            direct_url=settings.listen_url,
        )

    @classmethod
    def of_owner(cls, settings: Settings, application_name: str = "greenlight") -> Database:
        """Return a database for whoever changes the schema: past a pooler where the settings know a way.

        Raise `DatabaseError` where no database is configured.
        """
        url = settings.migrate_url or settings.listen_url
        if url is None:
            return cls.from_settings(settings, application_name)
        return cls(url, pool_size=settings.db_pool_size, prepare=settings.db_prepare, application_name=application_name)

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection of the pool."""
        self._pool.close()
        self._reserve.close()

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Lend a connection in autocommit mode. Raise `DatabaseError` where the server cannot be reached."""
        began = time.perf_counter_ns()
        try:
            pool, conn = self._take()
        except (PoolTimeout, psycopg.OperationalError) as exc:
            raise DatabaseError(
                f"The database at {redact(self.url)} cannot be reached.",
                "Check that it runs and that DATABASE_URL is right (`greenlight doctor`).",
            ) from exc
        waited(names.DB_WAIT, began, time.perf_counter_ns(), {})
        try:
            yield conn
        finally:
            pool.putconn(conn)

    def _take(self) -> tuple[ConnectionPool[Connection], Connection]:
        if self._thrift is not None:
            with contextlib.suppress(PoolTimeout):
                return self._pool, _living(self._pool, self._thrift.patience_seconds)
        return self._reserve, _living(self._reserve)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Lend a connection inside one transaction: committed on a normal exit, rolled back on an error."""
        with self.connection() as conn, conn.transaction():
            yield conn

    def fetch_all(self, query: LiteralString, params: Params = ()) -> list[DictRow]:
        """Run one statement and return all its rows."""
        with self.connection() as conn:
            return conn.execute(query, params).fetchall()

    def fetch_one(self, query: LiteralString, params: Params = ()) -> DictRow | None:
        """Run one statement and return its first row, or None."""
        with self.connection() as conn:
            return conn.execute(query, params).fetchone()

    def execute(self, query: LiteralString, params: Params = ()) -> int:
        """Run one statement and return how many rows it touched."""
        with self.connection() as conn:
            return conn.execute(query, params).rowcount

    def connect(self) -> Connection:
        """Open a connection outside the pool; the caller closes it.

        Raises `DatabaseError` where the server cannot be reached.
        """
        conn = _connected(self.url, self._kind, self._kwargs)
        if self._pooled:
            settle(conn)
        return conn

    def connect_directly(self) -> Connection:
        """Open a connection whose session is its own, for LISTEN and long locks; the caller closes it.

        Where DATABASE_URL is pooled and no direct URL is known, it is as good as `connect`'s. Raises `DatabaseError`
        where the server cannot be reached.
        """
        if self._direct_url is None:
            return self.connect()
        return _connected(self._direct_url, psycopg.Connection[DictRow], self._direct, "GREENLIGHT_LISTEN_URL")


def _connected(
    url: str, kind: type[Connection], parameters: dict[str, Any], variable: str = "DATABASE_URL"
) -> Connection:
    try:
        conn = kind.connect(url, **{**keepalive(url), **parameters})
    except psycopg.OperationalError as exc:
        remedy = f"Check that it runs and that {variable} is right (`greenlight doctor`)."
        if REFUSED_BY_POOLER in str(exc):
            remedy = f"{variable} leads to a pooler: set GREENLIGHT_DB_POOLED=true, and GREENLIGHT_LISTEN_URL past it."
        raise DatabaseError(f"The database at {redact(url)} cannot be reached: {first_line(exc)}.", remedy) from exc
    set_up(conn)
    return conn


def _bounds(haste: Haste | None) -> str:
    return "".join(f" -c {name}={value}" for name, value in haste.limits.items()) if haste else ""


def first_line(exc: psycopg.Error) -> str:
    """Return the first line of what libpq says, without its full stop: the rest is its own advice."""
    return " ".join(str(exc).strip().partition("\n")[0].split()).rstrip(".")


def redact(url: str) -> str:
    """Return a connection URL without its password, for messages."""
    info = psycopg.conninfo.conninfo_to_dict(url)
    host = info.get("host") or "localhost"
    port = f":{info['port']}" if info.get("port") else ""
    return f"{host}{port}/{info.get('dbname') or ''}"
