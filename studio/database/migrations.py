"""Migrations in the Supabase CLI's convention, applied by the studio itself.

Files are `supabase/migrations/<14 digits>_<name>.sql`. What has been applied is written down where the
Supabase CLI does it, in `supabase_migrations.schema_migrations`, so that `supabase db push` and
`migrate` see the same history. We add a checksum: a file that was edited after it was applied is
refused. Rows the CLI wrote have none; they get the checksum of the file as it is when first seen.

Every migration is one transaction under one advisory lock of that transaction (a session's lock would
not survive a pooler), and each reads the history anew: two hosts that start at once share the work.

A migration waits for a table only for a moment, because everybody who comes after it waits behind it. Then it
lets go of everything and tries again. Indexes on tables that are there are made beforehand, without keeping
writers out, where the migration makes them by `create index if not exists`.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

import psycopg

from studio import sql
from studio.database.connection import Connection, Database
from studio.database.migration_files import Migration, NewIndex, read_folder
from studio.database.migration_turn import IN_USE, PATIENCE_SECONDS, TABLE_LOCK_SECONDS, patiently, turn
from studio.database.schema import MigrationStatus, Record, compare, one, read_history, require_not_outgrown, status
from studio.errors import MigrationError
from studio.paths import MIGRATIONS

__all__ = ["Applied", "Migration", "MigrationStatus", "migrate", "read_folder", "reset", "status"]

log = logging.getLogger(__name__)

T = TypeVar("T")

OLDEST_SERVER = 15


class Applied(NamedTuple):
    """A migration that this call has applied, and how long it took."""

    version: str
    name: str
    seconds: float


def migrate(
    database: Database,
    folder: Path = MIGRATIONS,
    *,
    patience_seconds: float = PATIENCE_SECONDS,
    lock_seconds: float = TABLE_LOCK_SECONDS,
) -> list[Applied]:
    """Bring `database` up to date and return what that took, oldest first; nothing where it is current.

    A table that is in use is waited for `lock_seconds` at a time, and for `patience_seconds` in all per migration.
    Raise `MigrationError`, which names the file, for a history that cannot be continued or a migration
    that fails. A failed migration leaves nothing behind; the ones before it stay applied. A database that a
    later release has migrated is left as it is, unless that release took away what this one uses.
    """
    migrations = read_folder(folder)

    def in_turn(work: Callable[[Connection], T]) -> T:
        return patiently(database, work, patience_seconds, lock_seconds)

    in_turn(_prepare)
    applied: list[Applied] = []
    while True:
        done = in_turn(lambda conn: _next(database, conn, migrations))
        if done is None:
            return applied
        applied.append(done)


def _next(database: Database, conn: Connection, migrations: list[Migration]) -> Applied | None:
    history = read_history(conn)
    _require_continuable(migrations, history)
    require_not_outgrown(conn, migrations, history)
    _adopt(conn, migrations, history)
    pending = [migration for migration in migrations if migration.version not in history]
    if not pending:
        return None
    started = time.perf_counter()
    for index in pending[0].indexes:
        _build(database, conn, index)
    _apply(conn, pending[0])
    return Applied(pending[0].version, pending[0].name, time.perf_counter() - started)


def reset(database: Database, folder: Path = MIGRATIONS, *, force: bool = False) -> list[Applied]:
    """Drop everything of the studio, data included, and apply all migrations to the empty database.

    Raise `MigrationError` without `force`, on a Supabase project, and where `public` holds tables that
    no migration made.
    """
    if not force:
        raise MigrationError("A reset deletes every project and all their data.", "Repeat it with --force.")
    ours = set[str]().union(*(migration.tables for migration in read_folder(folder)))
    with turn(database, PATIENCE_SECONDS) as conn:
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


def _build(database: Database, holder: Connection, index: NewIndex) -> None:
    """Make an index before the migration that wants it, where its table is there; `holder` holds the migrations' lock.

    Of a partitioned table, that of each partition is made; the migration's statement then takes them in. What a
    broken attempt has left is cleared away first. It waits for whoever is at work, but nobody for it.
    """
    targets = holder.execute(sql.load("index_targets"), {"table": index.table, "index": index.name}).fetchall()
    # What was asked with parameters keeps its snapshot until something else is asked, and whoever makes an index waits
    # for old snapshots: for ever, as this transaction ends after it.
    holder.execute("SELECT", prepare=False)
    for target in targets:
        # Such statements want a connection outside any transaction.
        with contextlib.closing(database.connect()) as conn:
            conn.execute("SET statement_timeout = 0")
            conn.execute("SET lock_timeout = 0")
            try:
                if target["broken"] is not None:
                    conn.execute(f"DROP INDEX CONCURRENTLY {target['broken']}")
                # Of a file of our own checkout, as trusted as the program.
                conn.execute(index.concurrently_on(target["name"], target["relation"]))
            except psycopg.errors.UndefinedColumn as exc:
                raise MigrationError(
                    f"The index {index.name} cannot be made: {exc.diag.message_primary}.",
                    "It is made before its migration: give it one of its own, after that of the column.",
                ) from exc
            except psycopg.Error as exc:
                raise MigrationError(
                    f"The index {index.name} cannot be made: {exc.diag.message_primary or exc}.",
                    "Nothing else of its migration was applied; the next try makes it anew.",
                ) from exc


def _prepare(conn: Connection) -> None:
    """Bring what a plain PostgreSQL lacks, and the table of the history."""
    if conn.info.server_version < OLDEST_SERVER * 10_000:
        raise MigrationError(
            f"The server is PostgreSQL {conn.info.server_version // 10_000}.",
            f"Greenlight needs {OLDEST_SERVER} or newer.",
        )
    if not one(conn, sql.load("prelude_present")):
        try:
            with conn.transaction():
                conn.execute(sql.load("prelude"))
        except psycopg.errors.InsufficientPrivilege as exc:
            raise MigrationError(
                "The database lacks the roles or the auth schema of Supabase, and the database user may"
                f" not create them: {exc.diag.message_primary}.",
                f"Let a superuser run {Path(sql.__file__).with_name('prelude.sql')} once in this database.",
            ) from exc
    # Where this user could not give it the right, nobody who is a customer could, and no API of ours needs it.
    if not one(
        conn,
        "SELECT rolbypassrls OR NOT EXISTS (SELECT FROM pg_roles WHERE rolname = current_user"
        " AND (rolsuper OR rolbypassrls)) FROM pg_roles WHERE rolname = 'service_role'",
    ):
        raise MigrationError(
            "The role service_role is subject to row-level security, so no server could see its own data.",
            "Let a superuser run `ALTER ROLE service_role BYPASSRLS`.",
        )
    conn.execute(sql.load("migration_history"))


def _require_continuable(migrations: list[Migration], history: dict[str, Record]) -> None:
    for version, name, state, _ in compare(migrations, history):
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


def _adopt(conn: Connection, migrations: list[Migration], history: dict[str, Record]) -> None:
    for migration in migrations:
        record = history.get(migration.version)
        if record is not None and record.checksum is None:
            conn.execute(
                "UPDATE supabase_migrations.schema_migrations SET checksum = %s WHERE version = %s",
                (migration.checksum, migration.version),
            )


def _apply(conn: Connection, migration: Migration) -> None:
    log.info("applying migration %s", migration.path.name)
    try:
        # A file of our own checkout, as trusted as the program.
        conn.execute(migration.text)
    except IN_USE:
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


def _place(text: str, error: psycopg.Error) -> str:
    position = error.diag.statement_position
    return f" (line {text.count(chr(10), 0, int(position)) + 1})" if position else ""


def _is_supabase(conn: Connection) -> bool:
    return bool(
        one(
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
