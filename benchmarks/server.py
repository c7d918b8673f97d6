"""The one database server of a run, fresh databases on it, and a count of the statements that it is asked."""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from studio import lanes
from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.settings import Settings

APPLICATION = "greenlight-bench"
# The server's log line: `… [pid] application@database LOG:  statement: …`, or `execute …` where it was prepared.
_STATEMENT = re.compile(r"^.*?\[\d+\] (?P<app>.*?)@(?P<database>\S+) LOG:  (?:statement|execute [^:]*): (?P<text>.*)$")
_CONTROL = re.compile(r"(?i)(begin|commit|rollback|savepoint|release|start transaction|deallocate)\b")
_PING = re.compile(r"(?i)(select 1;?)?\s*$")
_RELOAD_SECONDS = 0.5


@dataclass
class Statements:
    """What a server was asked meanwhile: by kind, and by application."""

    kinds: Counter[str] = field(default_factory=Counter)
    applications: Counter[str] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    def add(self, line: str, databases: frozenset[str]) -> None:
        """Count a line of the server's log, if it is a statement of somebody else on one of `databases`."""
        found = _STATEMENT.match(line)
        if found is None or found["database"] not in databases or found["app"] == APPLICATION:
            return
        text = found["text"]
        kind = "control" if _CONTROL.match(text) else "ping" if _PING.match(text) else "work"
        self.kinds[kind] += 1
        self.applications[found["app"] or "(unnamed)"] += 1
        self.texts[" ".join(text.split())[:100]] += 1


class Server:
    """An embedded PostgreSQL in a folder of its own, with the settings that the stack's own server has."""

    def __init__(self, folder: Path) -> None:
        self._postgres = EmbeddedPostgres(folder)

    def __enter__(self) -> Server:
        self._postgres.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._postgres.stop()

    @property
    def pid(self) -> int:
        """The server's process id."""
        pid = self._postgres.pid
        assert pid is not None, "the server runs"
        return pid

    def version(self) -> str:
        """Return PostgreSQL's version."""
        with self._connect() as conn:
            row = conn.execute("show server_version").fetchone()
        return str(row[0]) if row else "unknown"

    def database(self, name: str, *, synchronous_commit: bool = True) -> str:
        """Make database `name` and return its libpq URL."""
        self._postgres.ensure_database(name, synchronous_commit=synchronous_commit)
        return self._postgres.url(name)

    def drop(self, name: str) -> None:
        """Drop database `name`, whoever is connected to it."""
        with self._connect() as conn:
            conn.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def settle(self) -> None:
        """Write out what earlier benchmarks have left, which the next one would else wait for at its commits."""
        with self._connect() as conn:
            conn.execute("checkpoint")

    @contextlib.contextmanager
    def studio(self, name: str) -> Iterator[Database]:
        """Lend a fresh, migrated database, dropped afterwards."""
        with Database(self.database(name), application_name=APPLICATION) as db:
            lanes.prepare_database(db, Settings.model_validate({"GREENLIGHT_PROJECT_QUEUE_LIMIT": 0}))
            self.settle()
            yield db
        self.drop(name)

    @contextlib.contextmanager
    def statements(self, *databases: str) -> Iterator[Statements]:
        """Count the statements on `databases` until the block ends.

        The server writes every statement into its log meanwhile. That counts what others cannot: the extension
        pg_stat_statements is not in the wheel, and the transactions of pg_stat_database hide how many statements
        they hold. BEGIN and COMMIT count, and so does `select 1`; a prepared empty statement is not logged.
        """
        counted = Statements()
        self._log("all")
        start = self._postgres.log_file.stat().st_size
        try:
            yield counted
        finally:
            self._log("none")
        with self._postgres.log_file.open("rb") as handle:
            handle.seek(start)
            for line in handle:
                counted.add(line.decode(errors="replace").rstrip("\n"), frozenset(databases))

    def _log(self, what: str) -> None:
        with self._connect() as conn:
            conn.execute(sql.SQL("alter system set log_statement = {}").format(sql.Literal(what)))
            conn.execute("select pg_reload_conf()")
        # The server's processes take a new setting over when they are next asked something.
        time.sleep(_RELOAD_SECONDS)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(self._postgres.url(SUPERUSER), autocommit=True, application_name=APPLICATION)
