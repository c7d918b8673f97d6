"""The PostgreSQL server of a test session, and databases cloned from a migrated template."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from studio.database.embedded import SUPERUSER, EmbeddedPostgres


class TestServer(NamedTuple):
    """A server that tests may create databases on. `embedded` is None where it is somebody else's."""

    __test__ = False

    url: Callable[[str], str]
    maintenance: str
    embedded: EmbeddedPostgres | None

    @classmethod
    def on(cls, server: EmbeddedPostgres) -> TestServer:
        return cls(server.url, SUPERUSER, server)

    @classmethod
    def at(cls, url: str) -> TestServer:
        """Use the server behind `url`, a URI whose user may create databases and roles."""
        parts = urlsplit(url)
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("GREENLIGHT_TEST_DATABASE_URL must be a postgresql:// URI")

        def database_url(name: str) -> str:
            # With a socket in the query the host is empty, and urlunsplit would lose the two slashes.
            return urlunsplit(parts._replace(netloc=parts.netloc or "", path=f"/{name}"))

        return cls(database_url, parts.path.lstrip("/") or SUPERUSER, None)

    def sqlalchemy_url(self, database: str) -> str:
        return "postgresql+psycopg2" + self.url(database)[self.url(database).index("://") :]

    def create(self, name: str, template: str = "template0") -> None:
        # Copying files is quicker than writing the template through the log, once nothing waits for a disk.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy")
        self._run(statement.format(sql.Identifier(name), sql.Identifier(template)))

    def drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def temporary(self, template: str = "template0") -> Iterator[str]:
        """Lend a database under a name of its own, empty or a clone of `template`, and drop it afterwards."""
        name = f"greenlight_test_{secrets.token_hex(6)}"
        self.create(name, template)
        try:
            yield name
        finally:
            self.drop(name)

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(self.maintenance), autocommit=True) as conn:
            conn.execute(statement)
