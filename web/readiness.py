"""Whether this process can serve: what a load balancer asks before it sends anybody here."""

from __future__ import annotations

import threading

import psycopg

from studio.database import schema
from studio.database.connection import Database
from studio.errors import MigrationError, StudioError
from studio.settings import Settings
from web.kept import Kept
from web.pulse import Pulse

# Reading the history takes some milliseconds, and it changes once in a release.
SCHEMA_KEPT_SECONDS = 5.0
# However many probes there are, a row of the queue is read once in this time, and never waited for much longer than
# this: whoever holds the table for less is not noticed by anybody.
QUEUE_KEPT_SECONDS = 2.0
QUEUE_WAIT_SECONDS = 1.0
# What is applied and not here comes from a newer release, which is being rolled out: the old one still serves, unless
# that release took away what it uses.
_BEHIND = frozenset({"pending", "changed", "out of order"})

_STOPPING = "This process is stopping."
_STACK_STOPPING = "The stack is stopping."
_AWAY = "The database cannot be reached."
_UNREAD = "The database does not say which migrations it has."
_OLD = "The database is not of this release: migrations are pending, or were changed."
_OUTGROWN = "The database has outgrown this release: `greenlight db status` says by what."
_LOCKED = "The queue cannot be read: another session holds a lock on agent_jobs."
_UNREAD_QUEUE = "The queue cannot be read."


class Readiness:
    """Says why this process should not be sent anything now. Thread-safe; `stopping` is set by whoever ends it."""

    def __init__(self, settings: Settings, db: Database, pulse: Pulse, stopping: threading.Event) -> None:
        self._file = settings.stopping_file
        self._db = db
        self._pulse = pulse
        self._stopping = stopping
        self._schema = Kept(self._schema_problem, SCHEMA_KEPT_SECONDS)
        self._queue = Kept(self._queue_problem, QUEUE_KEPT_SECONDS)

    def reasons(self) -> list[str]:
        """Return in sentences what is in the way, nothing where this process is ready. They hold no secret."""
        found = []
        if self._stopping.is_set():
            found.append(_STOPPING)
        if self._file is not None and self._file.exists():
            found.append(_STACK_STOPPING)
        # The pool is asked only where there is a server: it would wait for one.
        problem = (self._schema.get() or self._queue.get()) if self._pulse.beats() else _AWAY
        return [*found, problem] if problem else found

    def _schema_problem(self) -> str | None:
        try:
            states = {migration.state for migration in schema.status(self._db)}
            if states & _BEHIND:
                return _OLD
            if "newer" in states:
                schema.require_usable(self._db)
        except MigrationError:
            return _OUTGROWN
        except (StudioError, psycopg.Error):
            return _UNREAD
        return None

    def _queue_problem(self) -> str | None:
        wait = [f"{seconds * 1000:.0f}ms" for seconds in (QUEUE_WAIT_SECONDS, 2 * QUEUE_WAIT_SECONDS)]
        try:
            with self._db.transaction() as conn:
                conn.execute(
                    "select set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true)", wait
                )
                conn.execute("select 1 from public.agent_jobs limit 1")
        except psycopg.errors.LockNotAvailable:
            return _LOCKED
        except (StudioError, psycopg.Error):
            return _UNREAD_QUEUE
        return None
