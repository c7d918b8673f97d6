"""Connections to the studio's database.

`Database` owns one pool per process. It is made after a fork, never before one. Rows come back as
dictionaries; every connection runs in UTC and in autocommit mode, so that a transaction is always an
explicit `with database.transaction()`.
"""

from __future__ import annotations

import contextlib
import json
import select
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, LiteralString
from weakref import WeakKeyDictionary

import psycopg
from psycopg.abc import Buffer
from psycopg.rows import DictRow, dict_row
from psycopg.types.datetime import TimestamptzLoader
from psycopg.types.json import set_json_loads
from psycopg_pool import ConnectionPool, PoolTimeout

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
# A connection that waits sends nothing, and would never learn that its server's machine is gone.
KEEPALIVE = {"keepalives_idle": 30, "keepalives_interval": 10, "keepalives_count": 3, "tcp_user_timeout": 60_000}


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


def _set_up(conn: Connection) -> None:
    set_json_loads(_json, conn)
    conn.adapters.register_loader("timestamptz", _Timestamptz)


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


@dataclass(frozen=True)
class Haste:
    """Give up on a connection after `wait_seconds`, on a statement after `statement_seconds`, on a lock before that.

    For programs in front of which somebody sits: what hangs would take their threads, one by one.
    """

    wait_seconds: float
    statement_seconds: float
    lock_seconds: float


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
    ) -> None:
        """Nothing is opened before the first use. `thrift` says how to get by with fewer than `pool_size`."""
        self.url = url
        self._wait_seconds = haste.wait_seconds if haste else POOL_TIMEOUT_SECONDS
        self._kwargs: dict[str, Any] = {
            "row_factory": dict_row,
            "cursor_factory": TracedCursor,
            "autocommit": True,
            "application_name": application_name,
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "options": f"-c timezone=UTC{_bounds(haste)}",
        }
        if not prepare:
            self._kwargs["prepare_threshold"] = None
        self._thrift = thrift
        self._pool = self._make_pool(thrift.connections if thrift else pool_size)
        # Whoever has waited long enough, perhaps for somebody who waits for him, gets one of these.
        self._reserve = self._make_pool(max(1, pool_size - thrift.connections)) if thrift else self._pool

    def _make_pool(self, size: int) -> ConnectionPool[Connection]:
        return ConnectionPool(
            self.url,
            kwargs=self._kwargs,
            connection_class=psycopg.Connection[DictRow],
            min_size=0,
            max_size=size,
            timeout=self._wait_seconds,
            configure=_set_up,
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
        )

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
        """Open a connection outside the pool, for LISTEN; the caller closes it.

        Raises `DatabaseError` where the server cannot be reached.
        """
        # What the URL says about keepalives stands.
        given = psycopg.conninfo.conninfo_to_dict(self.url)
        parameters = {**self._kwargs, **{name: value for name, value in KEEPALIVE.items() if name not in given}}
        try:
            conn = psycopg.Connection[DictRow].connect(self.url, **parameters)
        except psycopg.OperationalError as exc:
            raise DatabaseError(
                f"The database at {redact(self.url)} cannot be reached: {first_line(exc)}.",
                "Check that it runs and that DATABASE_URL is right (`greenlight doctor`).",
            ) from exc
        _set_up(conn)
        return conn


def _bounds(haste: Haste | None) -> str:
    if haste is None:
        return ""
    statement, lock = round(haste.statement_seconds * 1000), round(haste.lock_seconds * 1000)
    return f" -c statement_timeout={statement} -c lock_timeout={lock}"


def first_line(exc: psycopg.Error) -> str:
    """Return the first line of what libpq says, without its full stop: the rest is its own advice."""
    return " ".join(str(exc).strip().partition("\n")[0].split()).rstrip(".")


def redact(url: str) -> str:
    """Return a connection URL without its password, for messages."""
    info = psycopg.conninfo.conninfo_to_dict(url)
    host = info.get("host") or "localhost"
    port = f":{info['port']}" if info.get("port") else ""
    return f"{host}{port}/{info.get('dbname') or ''}"
