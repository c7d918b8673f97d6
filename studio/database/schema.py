"""Where the database's schema stands, compared with the migrations of this release.

During a deploy, code of two releases works on one schema. Code that meets a schema newer than its own works on: a
migration takes nothing away that the release before it uses. Two things end that: a migration whose `contract` header
names a later release, and a schema that is older than the code.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal, LiteralString, NamedTuple

from studio.database.connection import Connection, Database
from studio.database.migration_files import Migration, contract_of, read_folder, release_number
from studio.errors import MigrationError
from studio.paths import MIGRATIONS
from studio.release import release

# `newer` is what only a later release has; `missing` is gone from among those of this one.
State = Literal["applied", "pending", "changed", "missing", "out of order", "newer"]


_usable: set[str] = set()


class MigrationStatus(NamedTuple):
    """Where one migration stands. `applied_at` is unknown for what the Supabase CLI applied."""

    version: str
    name: str
    state: State
    applied_at: datetime | None


class Record(NamedTuple):
    """A row of the history."""

    name: str
    checksum: str | None
    applied_at: datetime | None


def status(database: Database, folder: Path = MIGRATIONS) -> list[MigrationStatus]:
    """Return every migration known to the folder or the database, oldest first. Changes nothing."""
    migrations = read_folder(folder)
    with database.transaction() as conn:
        history = read_history(conn)
    return compare(migrations, history)


def require_usable(database: Database, folder: Path = MIGRATIONS) -> None:
    """Raise `MigrationError` where this release cannot work on the database: it is older, or has outgrown it."""
    migrations = read_folder(folder)
    with database.transaction() as conn:
        history = read_history(conn)
        behind = [entry for entry in compare(migrations, history) if entry.state in ("pending", "out of order")]
        if behind:
            first = f"{behind[0].version}_{behind[0].name}"
            raise MigrationError(
                f"The database is older than this release ({release()}): {len(behind)} migrations are not applied,"
                f" the first is {first}.",
                "Run `greenlight db migrate`, of this release, before its processes start.",
            )
        require_not_outgrown(conn, migrations, history)


def require_usable_once(database: Database) -> None:
    """Do as `require_usable`, until it has been found so: that stays so for as long as the code runs."""
    if database.url not in _usable:
        require_usable(database)
        _usable.add(database.url)


def require_not_outgrown(conn: Connection, migrations: list[Migration], history: dict[str, Record]) -> None:
    """Raise `MigrationError` where a later release has taken away what this one still uses."""
    newer = [entry.version for entry in compare(migrations, history) if entry.state == "newer"]
    if not newer:
        return
    rows = conn.execute(
        "SELECT m.version, to_jsonb(m) -> 'statements' AS statements"
        " FROM supabase_migrations.schema_migrations m WHERE m.version = ANY (%s) ORDER BY m.version",
        [newer],
    )
    for row in rows:
        contract = contract_of("\n".join(row["statements"] or []))
        if contract is not None and release_number(contract.release) > release_number(release()):
            raise MigrationError(
                f"The database has outgrown this release ({release()}): {row['version']}_"
                f"{history[row['version']].name} took away what releases before {contract.release} use.",
                f"Use release {contract.release} or a later one.",
            )


def one(conn: Connection, query: LiteralString) -> Any:
    """Return the single value of a query."""
    row = conn.execute(query).fetchone()
    return None if row is None else next(iter(row.values()))


def read_history(conn: Connection) -> dict[str, Record]:
    """Return what has been applied, by version; the table may be missing, or as the CLI leaves it."""
    if one(conn, "SELECT to_regclass('supabase_migrations.schema_migrations')") is None:
        return {}
    rows = conn.execute("SELECT to_jsonb(m) - 'statements' AS row FROM supabase_migrations.schema_migrations m")
    records = {}
    for entry in rows:
        row = entry["row"]
        applied_at = row.get("applied_at")
        records[row["version"]] = Record(
            row.get("name") or "",
            row.get("checksum"),
            datetime.fromisoformat(applied_at) if applied_at else None,
        )
    return records


def compare(migrations: list[Migration], history: dict[str, Record]) -> list[MigrationStatus]:
    """Return where each migration of the folder or of the history stands, oldest first."""
    newest_applied = max(history, default="")
    newest_here = max((migration.version for migration in migrations), default="")
    found = []
    for migration in migrations:
        record = history.get(migration.version)
        state: State
        if record is None:
            state = "out of order" if migration.version < newest_applied else "pending"
        else:
            state = "applied" if record.checksum in (None, migration.checksum) else "changed"
        found.append(MigrationStatus(migration.version, migration.name, state, record.applied_at if record else None))
    here = {migration.version for migration in migrations}
    for version, record in history.items():
        if version not in here:
            state = "newer" if version > newest_here else "missing"
            found.append(MigrationStatus(version, record.name, state, record.applied_at))
    return sorted(found)
