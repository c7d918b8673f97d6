"""Migrations in the Supabase CLI's convention, applied by the studio itself.

Files are `supabase/migrations/<14 digits>_<name>.sql`. What has been applied is written down where the
Supabase CLI does it, in `supabase_migrations.schema_migrations`, so that `supabase db push` and
`migrate` see the same history. We add a checksum: a file that was edited after it was applied is
refused. Rows the CLI wrote have none; they get the checksum of the file as it is when first seen.

Every migration is one transaction under one advisory lock of that transaction (a session's lock would
not survive a pooler), and each reads the history anew: two starts at once share the work.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, LiteralString, NamedTuple

import psycopg

from studio import sql
from studio.database.connection import Connection, Database
from studio.errors import MigrationError
from studio.paths import MIGRATIONS
from studio.text import sha256_hex

log = logging.getLogger(__name__)

OLDEST_SERVER = 15
# Any number of our own: "greenlgt" in ASCII.
ADVISORY_LOCK = 0x677265656E6C6774
# A migration that waits for a table makes everybody behind it wait as well.
TABLE_LOCK_TIMEOUT = "30s"

_FILE_NAME = re.compile(r"(?P<version>\d{14})_(?P<name>\w+)\.sql")
_CREATE_TABLE = re.compile(
    r"^\s*create\s+(?:unlogged\s+)?table\s+(?:if\s+not\s+exists\s+)?(?:public\.)?(\w+)", re.I | re.M
)

State = Literal["applied", "pending", "changed", "missing", "out of order"]


class Migration(NamedTuple):
    """A migration file."""

    version: str
    name: str
    path: Path
    text: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the file's text, in hex."""
        return sha256_hex(self.text)


class Applied(NamedTuple):
    """A migration that this call has applied, and how long it took."""

    version: str
    name: str
    seconds: float


class MigrationStatus(NamedTuple):
    """Where one migration stands. `applied_at` is unknown for what the Supabase CLI applied."""

    version: str
    name: str
    state: State
    applied_at: datetime | None


class _Record(NamedTuple):
    name: str
    checksum: str | None
    applied_at: datetime | None


def migrate(database: Database, folder: Path = MIGRATIONS) -> list[Applied]:
    """Bring `database` up to date and return what that took, oldest first; nothing where it is current.

    Raise `MigrationError`, which names the file, for a history that cannot be continued or a migration
    that fails. A failed migration leaves nothing behind; the ones before it stay applied.
    """
    migrations = read_folder(folder)
    with _locked(database) as conn:
        _prepare(conn)
    applied: list[Applied] = []
    while True:
        with _locked(database) as conn:
            history = _history(conn)
            _require_continuable(migrations, history)
            _adopt(conn, migrations, history)
            pending = [migration for migration in migrations if migration.version not in history]
            if not pending:
                return applied
            applied.append(_apply(conn, pending[0]))


def status(database: Database, folder: Path = MIGRATIONS) -> list[MigrationStatus]:
    """Return every migration known to the folder or the database, oldest first. Changes nothing."""
    migrations = read_folder(folder)
    with database.transaction() as conn:
        history = _history(conn)
    return _compare(migrations, history)


def reset(database: Database, folder: Path = MIGRATIONS, *, force: bool = False) -> list[Applied]:
    """Drop everything of the studio, data included, and apply all migrations to the empty database.

    Raise `MigrationError` without `force`, on a Supabase project, and where `public` holds tables that
    no migration made.
    """
    if not force:
        raise MigrationError("A reset deletes every project and all their data.", "Repeat it with --force.")
    ours = {name.lower() for migration in read_folder(folder) for name in _CREATE_TABLE.findall(migration.text)}
    with _locked(database) as conn:
        if _is_supabase(conn):
            raise MigrationError(
                "This database is a Supabase project, whose schema is not ours to drop.",
                "Use `supabase db reset` for a local one.",
            )
        foreign = sorted(_public_tables(conn) - ours)
        if foreign:
            raise MigrationError(
                f"The schema public holds tables that Greenlight did not make: {', '.join(foreign)}.",
                "Move or drop them by hand, or give Greenlight a database of its own.",
            )
        conn.execute("DROP SCHEMA public CASCADE")
        conn.execute("CREATE SCHEMA public AUTHORIZATION pg_database_owner")
        conn.execute("GRANT USAGE ON SCHEMA public TO public")
        conn.execute("DROP TABLE IF EXISTS supabase_migrations.schema_migrations")
    return migrate(database, folder)


def read_folder(folder: Path) -> list[Migration]:
    """Return the migrations of `folder`, oldest first. Raise `MigrationError` for a file that is none."""
    migrations: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationError(
                f"{path.name} is not named like a migration.", "Name it <14-digit timestamp>_<name>.sql."
            )
        migration = Migration(match["version"], match["name"], path, path.read_text(encoding="utf-8"))
        if (twin := migrations.get(migration.version)) is not None:
            raise MigrationError(
                f"{twin.path.name} and {path.name} have the same version.", "Give one of them a later one."
            )
        migrations[migration.version] = migration
    if not migrations:
        raise MigrationError(f"There are no migrations in {folder}.", "Check the installation.")
    return list(migrations.values())


@contextlib.contextmanager
def _locked(database: Database) -> Iterator[Connection]:
    """Lend a connection in a transaction that no other migration runs beside."""
    try:
        with database.transaction() as conn:
            conn.execute("SET LOCAL statement_timeout = 0")
            conn.execute("SELECT pg_advisory_xact_lock(%s)", (ADVISORY_LOCK,))
            conn.execute(f"SET LOCAL lock_timeout = '{TABLE_LOCK_TIMEOUT}'")
            yield conn
    except psycopg.errors.LockNotAvailable as exc:
        raise MigrationError(
            f"A table was in use for more than {TABLE_LOCK_TIMEOUT}, so nothing was changed.",
            "Stop the workers (or whatever holds it) and try again.",
        ) from exc
    except psycopg.errors.InsufficientPrivilege as exc:
        raise MigrationError(
            f"The database user may not prepare the database: {exc.diag.message_primary}.",
            "Connect as the owner of the database.",
        ) from exc


def _prepare(conn: Connection) -> None:
    """Bring what a plain PostgreSQL lacks, and the table of the history."""
    if conn.info.server_version < OLDEST_SERVER * 10_000:
        raise MigrationError(
            f"The server is PostgreSQL {conn.info.server_version // 10_000}.",
            f"Greenlight needs {OLDEST_SERVER} or newer.",
        )
    if not _one(conn, sql.load("prelude_present")):
        try:
            with conn.transaction():
                conn.execute(sql.load("prelude"))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise MigrationError(
                "The database lacks the roles or the auth schema of Supabase, and the database user may"
                f" not create them: {exc.diag.message_primary}.",
                f"Let a superuser run {Path(sql.__file__).with_name('prelude.sql')} once in this database.",
            ) from exc
    if not _one(conn, "SELECT rolbypassrls FROM pg_roles WHERE rolname = 'service_role'"):
        raise MigrationError(
            "The role service_role is subject to row-level security, so no server could see its own data.",
            "Let a superuser run `ALTER ROLE service_role BYPASSRLS`.",
        )
    conn.execute(sql.load("migration_history"))


def _one(conn: Connection, query: LiteralString) -> Any:
    row = conn.execute(query).fetchone()
    return None if row is None else next(iter(row.values()))


def _history(conn: Connection) -> dict[str, _Record]:
    """Return what has been applied, by version; the table may be missing, or as the CLI leaves it."""
    if _one(conn, "SELECT to_regclass('supabase_migrations.schema_migrations')") is None:
        return {}
    rows = conn.execute("SELECT to_jsonb(m) AS row FROM supabase_migrations.schema_migrations m")
    records = {}
    for entry in rows:
        row = entry["row"]
        applied_at = row.get("applied_at")
        records[row["version"]] = _Record(
            row.get("name") or "",
            row.get("checksum"),
            datetime.fromisoformat(applied_at) if applied_at else None,
        )
    return records


def _compare(migrations: list[Migration], history: dict[str, _Record]) -> list[MigrationStatus]:
    newest = max(history, default="")
    found = []
    for migration in migrations:
        record = history.get(migration.version)
        state: State
        if record is None:
            state = "out of order" if migration.version < newest else "pending"
        else:
            state = "applied" if record.checksum in (None, migration.checksum) else "changed"
        found.append(MigrationStatus(migration.version, migration.name, state, record.applied_at if record else None))
    here = {migration.version for migration in migrations}
    for version, record in history.items():
        if version not in here:
            found.append(MigrationStatus(version, record.name, "missing", record.applied_at))
    return sorted(found)


def _require_continuable(migrations: list[Migration], history: dict[str, _Record]) -> None:
    for version, name, state, _ in _compare(migrations, history):
        file = f"{version}_{name}.sql"
        if state == "changed":
            raise MigrationError(
                f"{file} was changed after it was applied.",
                "Restore it, and put the change into a new migration.",
            )
        if state == "missing":
            raise MigrationError(
                f"The database has {file} applied, but the file is not here.",
                "Use the release this database was made with, or a newer one.",
            )
        if state == "out of order":
            raise MigrationError(
                f"{file} is older than the newest migration of this database, but was never applied to it.",
                "Give it a later timestamp.",
            )


def _adopt(conn: Connection, migrations: list[Migration], history: dict[str, _Record]) -> None:
    for migration in migrations:
        record = history.get(migration.version)
        if record is not None and record.checksum is None:
            conn.execute(
                "UPDATE supabase_migrations.schema_migrations SET checksum = %s WHERE version = %s",
                (migration.checksum, migration.version),
            )


def _apply(conn: Connection, migration: Migration) -> Applied:
    log.info("applying migration %s", migration.path.name)
    started = time.perf_counter()
    try:
        # A file of our own checkout, as trusted as the program.
        conn.execute(migration.text)
    except psycopg.errors.LockNotAvailable:
        raise
    except psycopg.Error as exc:
        raise MigrationError(
            f"{migration.path.name} fails: {exc.diag.message_primary or exc}{_place(migration.text, exc)}.",
            "Nothing of it was applied.",
        ) from exc
    conn.execute(
        "INSERT INTO supabase_migrations.schema_migrations (version, name, statements, checksum)"
        " VALUES (%s, %s, %s, %s)",
        (migration.version, migration.name, [migration.text], migration.checksum),
    )
    return Applied(migration.version, migration.name, time.perf_counter() - started)


def _place(text: str, error: psycopg.Error) -> str:
    position = error.diag.statement_position
    return f" (line {text.count(chr(10), 0, int(position)) + 1})" if position else ""


def _is_supabase(conn: Connection) -> bool:
    return bool(
        _one(
            conn,
            "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = 'supabase_admin')"
            " OR to_regclass('auth.users') IS NOT NULL OR to_regnamespace('storage') IS NOT NULL",
        )
    )


def _public_tables(conn: Connection) -> set[str]:
    rows = conn.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')"
        " AND NOT relispartition"
    )
    return {row["relname"] for row in rows}
