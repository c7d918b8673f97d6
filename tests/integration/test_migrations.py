"""The migrations apply once each, in order, whoever else starts; a history that was tampered with is refused."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from studio import sql as statements
from studio.database import migrations
from studio.database.connection import Database
from studio.database.migrations import migrate, read_folder, reset, status
from studio.errors import MigrationError
from studio.paths import MIGRATIONS
from tests.support.postgres import TestServer


@pytest.fixture
def empty(postgres: TestServer) -> Iterator[Database]:
    """An empty database, as CREATE DATABASE leaves it."""
    with postgres.temporary() as name, Database(postgres.url(name), pool_size=4) as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two small migrations."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "20260101000000_first.sql").write_text("create table public.first (id int);\n")
    (folder / "20260102000000_second.sql").write_text("create table public.second (id int);\n")
    return folder


def tables(database: Database) -> set[str]:
    rows = database.fetch_all("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    return {row["tablename"] for row in rows}


def states(database: Database, folder: Path) -> dict[str, str]:
    return {entry.name: entry.state for entry in status(database, folder)}


def test_every_migration_of_the_studio_is_applied_once(empty: Database) -> None:
    files = read_folder(MIGRATIONS)
    assert {entry.state for entry in status(empty)} == {"pending"}
    assert [done.version for done in migrate(empty)] == [file.version for file in files]
    assert migrate(empty) == []
    assert {entry.state for entry in status(empty)} == {"applied"}
    recorded = empty.fetch_all(
        "SELECT version, name, statements, checksum FROM supabase_migrations.schema_migrations"
        " WHERE applied_at BETWEEN now() - interval '1 hour' AND now() ORDER BY version"
    )
    assert [tuple(row.values()) for row in recorded] == [
        (file.version, file.name, [file.text], file.checksum) for file in files
    ]


def test_starts_at_once_apply_every_migration_exactly_once(postgres: TestServer, empty: Database) -> None:
    together = threading.Barrier(4)

    def start(_: int) -> list[str]:
        with Database(empty.url, pool_size=2) as database:
            together.wait()
            return [done.version for done in migrate(database)]

    with ThreadPoolExecutor(4) as pool:
        applied = [version for versions in pool.map(start, range(4)) for version in versions]
    assert sorted(applied) == [file.version for file in read_folder(MIGRATIONS)]


def test_a_new_migration_continues_the_history(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "20260103000000_third.sql").write_text("create table public.third (id int);")
    assert states(empty, folder) == {"first": "applied", "second": "applied", "third": "pending"}
    assert [done.name for done in migrate(empty, folder)] == ["third"]
    assert tables(empty) == {"first", "second", "third"}


def test_a_changed_migration_is_refused_by_name(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "20260101000000_first.sql").write_text("create table public.first (id bigint);\n")
    (folder / "20260103000000_third.sql").write_text("create table public.third (id int);")
    with pytest.raises(MigrationError, match=r"20260101000000_first\.sql was changed"):
        migrate(empty, folder)
    assert "third" not in tables(empty)
    assert states(empty, folder)["first"] == "changed"


def test_a_missing_migration_is_refused_by_name(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "20260101000000_first.sql").unlink()
    with pytest.raises(MigrationError, match=r"20260101000000_first\.sql applied, but the file is not here"):
        migrate(empty, folder)
    assert states(empty, folder) == {"first": "missing", "second": "applied"}


def test_a_migration_older_than_the_newest_applied_one_is_refused_by_name(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    (folder / "20260101120000_late.sql").write_text("create table public.late (id int);")
    with pytest.raises(MigrationError, match=r"20260101120000_late\.sql is older"):
        migrate(empty, folder)
    assert "late" not in tables(empty)
    assert states(empty, folder)["late"] == "out of order"


def test_a_migration_that_fails_leaves_nothing_of_itself(empty: Database, folder: Path) -> None:
    bad = folder / "20260103000000_third.sql"
    bad.write_text("create table public.third (id int);\n\nselect no_such_column from public.third;\n")
    with pytest.raises(MigrationError, match=r"20260103000000_third\.sql fails: .*no_such_column.*\(line 3\)"):
        migrate(empty, folder)
    assert tables(empty) == {"first", "second"}
    assert states(empty, folder)["third"] == "pending"

    bad.write_text("create table public.third (id int);\n")
    assert [done.name for done in migrate(empty, folder)] == ["third"]


def test_what_the_supabase_cli_has_applied_is_not_applied_again(empty: Database, folder: Path) -> None:
    empty.execute("CREATE SCHEMA supabase_migrations")
    empty.execute(
        "CREATE TABLE supabase_migrations.schema_migrations"
        " (version text NOT NULL PRIMARY KEY, statements text[], name text)"
    )
    empty.execute("CREATE TABLE public.first (id int)")
    empty.execute(
        "INSERT INTO supabase_migrations.schema_migrations (version, name) VALUES ('20260101000000', 'first')"
    )
    assert states(empty, folder) == {"first": "applied", "second": "pending"}
    assert [done.name for done in migrate(empty, folder)] == ["second"]
    first, second = status(empty, folder)
    assert first.applied_at is None
    assert second.applied_at is not None

    (folder / "20260101000000_first.sql").write_text("-- something else\n")
    with pytest.raises(MigrationError, match=r"first\.sql was changed"):
        migrate(empty, folder)


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("20260103_third.sql", "not named like a migration"),
        ("20260102000000_twin.sql", "have the same version"),
    ],
)
def test_a_file_that_has_no_place_in_the_order_is_refused(folder: Path, name: str, complaint: str) -> None:
    (folder / name).write_text("select 1;")
    with pytest.raises(MigrationError, match=complaint):
        read_folder(folder)


def test_an_empty_folder_is_no_up_to_date_database(empty: Database, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="no migrations"):
        migrate(empty, tmp_path)


# ---------------------------------------------------------------------------------------------- reset


def test_a_reset_needs_to_be_meant(database: Database) -> None:
    with pytest.raises(MigrationError, match="deletes every project"):
        reset(database)
    assert {entry.state for entry in status(database)} == {"applied"}


def test_a_reset_leaves_an_empty_studio(database: Database) -> None:
    database.execute("INSERT INTO projects (owner_clerk_id, name, idea_description) VALUES ('o', 'n', 'i')")
    assert len(reset(database, force=True)) == len(read_folder(MIGRATIONS))
    assert database.fetch_all("SELECT owner_clerk_id FROM projects") == [{"owner_clerk_id": "system"}]
    assert migrate(database) == []


def test_a_reset_spares_tables_of_others(database: Database) -> None:
    database.execute("CREATE TABLE public.invoices AS SELECT 1 AS id")
    with pytest.raises(MigrationError, match="invoices"):
        reset(database, force=True)
    assert database.fetch_all("SELECT id FROM invoices") == [{"id": 1}]
    assert database.fetch_all("SELECT count(*) FROM projects") == [{"count": 1}]


def test_a_reset_spares_a_supabase_project(database: Database) -> None:
    database.execute("CREATE SCHEMA storage")
    with pytest.raises(MigrationError, match="Supabase"):
        reset(database, force=True)
    assert database.fetch_all("SELECT count(*) FROM projects") == [{"count": 1}]


# ------------------------------------------------------------------------------------ ordinary users


@pytest.fixture
def ordinary_role(postgres: TestServer) -> Iterator[tuple[str, str]]:
    """A role that may connect and nothing else, with its password; asked for before what it is to own."""
    name, password = f"greenlight_test_{secrets.token_hex(4)}", secrets.token_hex(8)
    with psycopg.connect(postgres.url(postgres.maintenance), autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password))
        yield name, password
        admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def url_for(role: tuple[str, str], url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{role[0]}:{role[1]}@{host}"))


def test_a_server_that_is_too_old_is_refused_before_anything_is_written(
    empty: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "OLDEST_SERVER", 99)
    with pytest.raises(MigrationError, match=r"The server is PostgreSQL \d\d\. Greenlight needs 99 or newer\."):
        migrate(empty)
    assert tables(empty) == set()


def test_a_user_who_may_not_prepare_the_database_is_told_what_to_do(
    ordinary_role: tuple[str, str], empty: Database
) -> None:
    with Database(url_for(ordinary_role, empty.url), pool_size=1) as database:
        with pytest.raises(MigrationError, match=r"may not create them.*superuser.*prelude\.sql"):
            migrate(database)
    assert tables(empty) == set()


def test_a_user_of_a_managed_server_prepares_it_as_far_as_anybody_may(
    ordinary_role: tuple[str, str], empty: Database
) -> None:
    """There customers may create roles, and none that bypasses row-level security."""
    prelude = statements.load("prelude")
    # Roles are the server's, and other tests have made them: this one's have names of their own.
    names = {name: f"{ordinary_role[0]}_{name}" for name in ("anon", "authenticated", "service_role")}
    for name, own in names.items():
        prelude = prelude.replace(f"'{name}'", f"'{own}'")
    with empty.connection() as conn:
        conn.execute(sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(ordinary_role[0])))
        conn.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(conn.info.dbname), sql.Identifier(ordinary_role[0])
            )
        )
    try:
        with Database(url_for(ordinary_role, empty.url), pool_size=1) as database, database.connection() as conn:
            conn.execute(prelude)
        found = empty.fetch_all(
            "SELECT rolname, rolbypassrls FROM pg_roles WHERE rolname = ANY (%s)", [list(names.values())]
        )
        assert {row["rolname"]: row["rolbypassrls"] for row in found} == dict.fromkeys(names.values(), False)
    finally:
        with empty.connection() as conn:
            for own in names.values():
                conn.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(own)))


def test_the_owner_of_a_prepared_database_needs_no_superuser(ordinary_role: tuple[str, str], empty: Database) -> None:
    with empty.connection() as conn:
        conn.execute(statements.load("prelude"))
        conn.execute(
            sql.SQL("ALTER DATABASE {} OWNER TO {}").format(
                sql.Identifier(conn.info.dbname), sql.Identifier(ordinary_role[0])
            )
        )
    with Database(url_for(ordinary_role, empty.url), pool_size=2) as database:
        assert len(migrate(database)) == len(read_folder(MIGRATIONS))
        assert database.fetch_all("SELECT count(*) FROM projects") == [{"count": 1}]
        assert len(reset(database, force=True)) == len(read_folder(MIGRATIONS))
