"""The stack's two databases, and the embedded server where no other is configured."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import psycopg
from psycopg import sql

from greenlight_dagster.stack.keeper import RESTART_SECONDS
from greenlight_dagster.stack.urls import libpq_url, lies_in, sqlalchemy_url
from studio import lanes, restores
from studio.backoff import Backoff
from studio.database.connection import CONNECT_TIMEOUT_SECONDS, Database, first_line, redact
from studio.database.embedded import EmbeddedPostgres
from studio.errors import StackError, StudioError
from studio.settings import Settings

STUDIO = "greenlight"
DAGSTER = "dagster"


class Databases:
    """Where the studio and Dagster keep what they know. The URLs are None until `prepare` has returned."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        """Use the server that `settings` name; where they name none, an embedded one on `folder`."""
        self._settings = settings
        # A shell that took `greenlight env` over names the embedded server itself; it may be down by now.
        self._given = _unless_in(settings.database_url, folder)
        self._given_dagster = _unless_in(settings.dagster_database_url, folder)
        self._embedded = None if self._given else EmbeddedPostgres(folder)
        self._backoff = Backoff(*RESTART_SECONDS)
        self._retry_at = 0.0
        self.studio_url: str | None = None
        self.dagster_url: str | None = None

    @property
    def is_embedded(self) -> bool:
        """Whether the server is the stack's own."""
        return self._embedded is not None

    @property
    def pid(self) -> int | None:
        """The process id of the embedded server, or None where it does not run or is not ours."""
        return self._embedded.pid if self._embedded else None

    def prepare(self) -> None:
        """Start the embedded server or reach the other one, and make what is missing on it.

        Raise `StackError` where that fails.
        """
        if self._embedded is not None:
            self._embedded.start()
            self._embedded.ensure_database(STUDIO)
            # Runs and their logs are bookkeeping: the jobs themselves are in the studio's database.
            self._embedded.ensure_database(DAGSTER, synchronous_commit=False)
            studio, dagster = self._embedded.url(STUDIO), self._embedded.sqlalchemy_url(DAGSTER)
        else:
            studio = str(self._given)
            dagster = sqlalchemy_url(studio, DAGSTER)
            if self._given_dagster is None:
                _ensure_database(self._settings.migrate_url or self._settings.listen_url or studio, DAGSTER)
        if self._given_dagster is not None:
            dagster = sqlalchemy_url(self._given_dagster)
        self.studio_url, self.dagster_url = studio, dagster

    def migrate(self) -> None:
        """Bring the studio's database up to date."""
        if self._embedded is None:
            database = Database.of_owner(self._settings, "greenlight-migrate")
        else:
            database = Database(self.require_studio_url(), pool_size=1)
        with database:
            lanes.prepare_database(database, self._settings)
            restores.require_known(database)

    def require_studio_url(self) -> str:
        """Return the URL of the studio's database; raise `StackError` before there is one."""
        if self.studio_url is None:
            raise StackError("The stack has no database yet.", "Start it first.")
        return self.studio_url

    def require_dagster_url(self) -> str:
        """Return the libpq URL of Dagster's database; raise `StackError` before there is one."""
        if self.dagster_url is None:
            raise StackError("The stack has no database yet.", "Start it first.")
        return libpq_url(self.dagster_url)

    def look_after(self, say: Callable[[str], None]) -> bool:
        """Start the embedded server again if it has died; return whether that was done."""
        if self._embedded is None or self._embedded.pid is not None or time.monotonic() < self._retry_at:
            return False
        say("The database has ended, and is started again.")
        try:
            self._embedded.start()
        except StudioError as exc:
            delay = self._backoff.pause()
            self._retry_at = time.monotonic() + delay
            say(f"{exc} The next attempt follows in {delay:.1f} s.")
            return False
        self._backoff.reset()
        say("The database is back.")
        return True

    def stop(self) -> None:
        """Stop the embedded server; leave any other one alone."""
        if self._embedded is not None:
            self._embedded.stop()


def _unless_in(url: str | None, folder: Path) -> str | None:
    return None if not url or lies_in(url, folder) else url


def _ensure_database(url: str, name: str) -> None:
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_SECONDS) as conn:
            if conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone() is None:
                conn.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    except psycopg.errors.DuplicateDatabase:
        return
    except psycopg.errors.InsufficientPrivilege as exc:
        raise StackError(
            f"The database {name} is missing on {redact(url)}, and this user may not create it.",
            "Create it, or point GREENLIGHT_DAGSTER_DATABASE_URL at a database for Dagster.",
        ) from exc
    except psycopg.OperationalError as exc:
        raise StackError(
            f"The database at {redact(url)} cannot be reached: {first_line(exc)}.",
            "Check that it runs and that DATABASE_URL is right, or unset it to use the embedded server.",
        ) from exc
