"""Pooled SQLAlchemy engines for Dagster's storage: one per process and database, whoever asks for it.

Dagster opens a connection per statement outside its web server, and the code server makes an instance per
tick: together dozens of connections per run. Here every instance of a process shares one pool. A connection
that the server has closed is recognised when it is taken out of the pool, without a round trip, and a
statement that is cut off by a restart of the database is sent again once the database is back.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy
from dagster_postgres.utils import create_pg_engine
from sqlalchemy import event
from sqlalchemy.engine import Connection, CursorResult, Engine, RootTransaction
from sqlalchemy.exc import DBAPIError, DisconnectionError, InterfaceError, OperationalError

from studio.backoff import Backoff
from studio.database.connection import CONNECT_TIMEOUT_SECONDS, PING_AFTER_IDLE_SECONDS, closed_by_server
from studio.database.liveness import KEEPALIVE, SERVER_KEEPALIVE
from studio.settings import get_settings

log = logging.getLogger(__name__)

# Kept open when idle, at most. Connections are made on demand, so a run that works in one thread has one.
POOL_SIZE = 8
# A daemon and a code server work in a few dozen threads at most.
MAX_OVERFLOW = 40
# A PostgreSQL that is restarted in order is back within a second or two; a crashed one replays its log first.
PATIENCE_SECONDS = 15.0
RETRY_SECONDS = (0.05, 1.0)
# admin_shutdown, crash_shutdown, cannot_connect_now, and the class of connection exceptions.
_PASSING = (
    "starting up",
    "shutting down",
    "recovery",
    "too many clients",
    "terminating connection",
    "crash of another",
    # What PgBouncer says while its server is away, or all its places are taken.
    "pgbouncer cannot connect",
    "server login has been failing",
    "server_login_retry",
    "query_wait_timeout",
    "no more connections allowed",
)
_PATIENT = {**KEEPALIVE, "connect_timeout": CONNECT_TIMEOUT_SECONDS}
_GONE_STATES = ("57P01", "57P02", "57P03", "08")


class _Key(NamedTuple):
    url: str
    statement_timeout_ms: int | None


_engines: dict[_Key, Engine] = {}
_lock = threading.Lock()


def shared_engine(url: str, statement_timeout_ms: int | None = None) -> Engine:
    """Return this process's engine for `url` (SQLAlchemy form); it connects when it is first used."""
    key = _Key(url, statement_timeout_ms)
    with _lock:
        if key not in _engines:
            _engines[key] = _make(key)
        return _engines[key]


def _make(key: _Key) -> Engine:
    given = sqlalchemy.make_url(key.url).query
    pooled = get_settings().db_pooled
    options = f"{'' if pooled else SERVER_KEEPALIVE} {given.get('options', '')}".strip()
    if key.statement_timeout_ms is not None and not pooled:
        options = f"{options} -c statement_timeout={key.statement_timeout_ms}"
    engine = create_pg_engine(
        key.url,
        isolation_level="AUTOCOMMIT",
        pool_size=POOL_SIZE,
        max_overflow=MAX_OVERFLOW,
        # The one used last is used next, so that the surplus of a rush grows old and is pinged or dropped.
        pool_use_lifo=True,
        # A machine that is cut off would else try for minutes, longer than it is cut off. What the URL says stands.
        connect_args={"options": options} | {name: value for name, value in _PATIENT.items() if name not in given},
    )
    event.listen(engine, "checkout", _require_living)
    event.listen(engine, "checkin", _note_use)
    if pooled and key.statement_timeout_ms is not None:
        _limit_each_statement(engine, key.statement_timeout_ms)
    return engine


def _limit_each_statement(engine: Engine, milliseconds: int) -> None:
    """Send the limit along with each statement: a pooler in transaction mode keeps nothing that is set for longer.

    The driver sends text, and several statements in one text are one transaction.
    """
    limit = f"set local statement_timeout = {milliseconds}; "

    def limited(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, executemany: bool
    ) -> tuple[str, Any]:
        return statement if executemany else limit + statement, parameters

    event.listen(engine, "before_cursor_execute", limited, retval=True)


def _note_use(_connection: Any, record: Any) -> None:
    record.info["used_at"] = time.monotonic()


def _require_living(connection: Any, record: Any, _proxy: Any) -> None:
    """Raise `DisconnectionError` for a connection whose server has gone; the pool then takes a new one."""
    if closed_by_server(connection.fileno()):
        raise DisconnectionError("The server has closed the connection.")
    if time.monotonic() - record.info.get("used_at", time.monotonic()) > PING_AFTER_IDLE_SECONDS:
        try:
            with contextlib.closing(connection.cursor()) as cursor:
                cursor.execute("select 1")
        except Exception as exc:
            raise DisconnectionError("The connection does not answer.") from exc


def _forget_parent() -> None:
    # The parent goes on with its connections: they are neither used here nor closed.
    global _lock
    _lock = threading.Lock()
    for engine in _engines.values():
        engine.dispose(close=False)


os.register_at_fork(after_in_child=_forget_parent)


class PatientConnection(Connection):
    """A connection whose single statements survive a restart of the database.

    A statement of its own is sent again once the database is back; one inside `begin()` is not, because the
    transaction around it is lost (see `collected`). A statement whose answer was lost may therefore have been carried
    out twice: an event that stands twice in a run's log is better than a run that is lost.
    """

    _explicit: RootTransaction | None = None
    _executing = False

    def begin(self) -> RootTransaction:
        """Begin a transaction; until it ends, statements are not sent again."""
        transaction = super().begin()
        # SQLAlchemy begins one by itself for a first statement, in this way as well.
        if not self._executing:
            self._explicit = transaction
        return transaction

    def execute(self, statement: Any, parameters: Any = None, **options: Any) -> CursorResult[Any]:
        """Execute `statement`, again where the database went away meanwhile, for `PATIENCE_SECONDS`."""
        if self._explicit is not None and self.get_transaction() is self._explicit:
            return super().execute(statement, parameters, **options)
        patience = Patience()
        while True:
            self._executing = True
            try:
                return super().execute(statement, parameters, **options)
            except (OperationalError, InterfaceError) as exc:
                if not patience.allows(exc):
                    raise
                # What SQLAlchemy began by itself has to be closed before it connects again.
                self.rollback()
            finally:
                self._executing = False


class Patience:
    """How long errors that tell of an absent database are borne."""

    def __init__(self) -> None:
        self._deadline = time.monotonic() + PATIENCE_SECONDS
        self._backoff = Backoff(*RETRY_SECONDS)

    def allows(self, error: DBAPIError) -> bool:
        """Wait a moment and return True where `error` may pass; False where it will not, or time is up."""
        if not is_absence(error) or time.monotonic() > self._deadline:
            return False
        pause = self._backoff.pause()
        log.warning("Dagster's database is away, and asked again in %.2f s: %s", pause, error.orig)
        time.sleep(pause)
        return True


def is_absence(error: DBAPIError) -> bool:
    """Say whether `error` tells of a database that is away, rather than of the statement."""
    state = getattr(error.orig, "pgcode", None)
    if state is not None:
        return error.connection_invalidated or str(state).startswith(_GONE_STATES)
    # An attempt to connect has no code. FATAL is a server's answer, and mostly its last word: a wrong password, say.
    text = str(error.orig)
    return "FATAL:" not in text or any(phrase in text for phrase in _PASSING)


def connect(engine: Engine) -> Connection:
    """Take a connection out of the pool; wait for a database that is just being restarted."""
    if _stages and (stage := _stages.get(engine)) is not None:
        return stage
    patience = Patience()
    while True:
        try:
            return PatientConnection(engine)
        except (OperationalError, InterfaceError) as exc:
            if not patience.allows(exc):
                raise


class Collected:
    """Takes statements whose results nobody asks for, in place of a connection with a transaction."""

    def __init__(self) -> None:
        self.statements: list[tuple[Any, Any]] = []

    def execute(self, statement: Any, parameters: Any = None) -> None:
        """Take `statement`."""
        self.statements.append((statement, parameters))


@contextlib.contextmanager
def collected(engine: Engine) -> Iterator[Collected]:
    """Carry out what is given to the lent `Collected` in one transaction, all of it again where that is lost."""
    taken = Collected()
    yield taken
    patience = Patience()
    while taken.statements:
        try:
            with connect(engine) as connection:
                _carry_out(taken.statements, connection)
            return
        except (OperationalError, InterfaceError) as exc:
            if not patience.allows(exc):
                raise


def _carry_out(statements: list[tuple[Any, Any]], connection: Connection) -> None:
    with contextlib.ExitStack() as transaction:
        # A rehearsal's connection has one, in which it all happens.
        if not connection.in_transaction():
            _leave_autocommit(connection)
            transaction.enter_context(connection.begin())
        for statement, parameters in statements:
            connection.execute(statement, parameters)


def _leave_autocommit(connection: Connection) -> None:
    """Have a transaction be one. The driver may ask the server for that, and SQLAlchemy lets its errors through."""
    driver = connection.dialect.loaded_dbapi
    try:
        connection.execution_options(isolation_level="READ COMMITTED")
    except (driver.OperationalError, driver.InterfaceError) as exc:
        connection.invalidate(exc)
        raise OperationalError("begin", None, exc, connection_invalidated=True) from exc


class _Stage(Connection):
    """The connection of a rehearsal: whoever closes it leaves it open for the next."""

    def close(self) -> None:
        """Do nothing: the rehearsal is not over."""

    def strike(self) -> None:
        """Forget all that was written, and give the connection back."""
        self.rollback()
        super().close()


_stages: dict[Engine, _Stage] = {}


@contextlib.contextmanager
def rehearsal(engine: Engine) -> Iterator[None]:
    """Let everything that this process does on `engine` happen in one transaction, which is rolled back at the end.

    It fills the caches of statements and plans as the real thing does. For one thread.
    """
    stage = _Stage(engine)
    stage.execution_options(isolation_level="READ COMMITTED")
    stage.begin()
    _stages[engine] = stage
    try:
        yield
    finally:
        del _stages[engine]
        stage.strike()


def disconnect() -> None:
    """Close every idle connection of this process, for one that is about to fork."""
    for engine in _engines.values():
        engine.dispose()
