"""A migration of a running fleet keeps nobody waiting, and code of either release works on or says why it cannot."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from sensors.pickup import claim_for_launch
from studio.database import schema
from studio.database.connection import Database
from studio.database.migrations import migrate, status
from studio.errors import MigrationError
from studio.release import release
from studio.settings import get_settings
from tests.support.postgres import TestServer
from tests.support.queue import claim_next, enqueue, make_project
from tests.support.roles import a_role_of_its_own
from tests.support.waiting import eventually

LATER = "20990101000000"


@pytest.fixture
def empty(postgres: TestServer) -> Iterator[Database]:
    """An empty database, as CREATE DATABASE leaves it."""
    with postgres.temporary() as name, Database(postgres.url(name), pool_size=8) as database:
        yield database


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a migration that makes a table."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "20260101000000_first.sql").write_text("create table public.first (id int, note text);\n")
    return folder


def add(folder: Path, text: str, version: str = "20260102000000", name: str = "second") -> Path:
    path = folder / f"{version}_{name}.sql"
    path.write_text(text)
    return path


COLUMN = "alter table public.first add column more text;\n"

# --- who waits for whom


def test_a_migration_that_waits_for_a_table_lets_others_through_and_comes_again(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, COLUMN)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(empty.url) as long:
        long.execute("select from public.first")  # a transaction that stays open
        migrating = pool.submit(migrate, empty, folder, lock_seconds=0.3)
        eventually(lambda: waits_for_first(empty))
        # Without the limit this would wait behind the migration, which waits for the open transaction.
        empty.execute("insert into public.first values (1, '')")
        assert not migrating.done()
        long.rollback()
        assert [done.name for done in migrating.result()] == ["second"]


def waits_for_first(database: Database) -> bool:
    row = database.fetch_one("select from pg_locks where not granted and relation = 'public.first'::regclass")
    return row is not None


def test_a_table_that_stays_in_use_is_given_up_and_whoever_holds_it_is_named(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, COLUMN)
    with psycopg.connect(empty.url, application_name="a-long-report") as long:
        long.execute("select from public.first")
        with pytest.raises(MigrationError, match=rf"process {long.info.backend_pid} \(a-long-report, idle in trans"):
            migrate(empty, folder, patience_seconds=0.5, lock_seconds=0.1)
    assert [entry.state for entry in status(empty, folder)] == ["applied", "pending"]


def test_two_hosts_that_find_a_table_in_use_apply_a_migration_once(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, COLUMN)
    with ThreadPoolExecutor(2) as pool, psycopg.connect(empty.url) as long:
        long.execute("select from public.first")
        hosts = [pool.submit(migrate, empty, folder, lock_seconds=0.1) for _ in range(2)]
        eventually(lambda: waits_for_first(empty))
        long.rollback()
        assert sorted(len(host.result()) for host in hosts) == [0, 1]


# --- indexes


INDEX = "create index if not exists first_by_note on public.first (note) where id > 0;\n"


def indexes(database: Database) -> dict[str, bool]:
    rows = database.fetch_all(
        "select c.relname, i.indisvalid from pg_index i join pg_class c on c.oid = i.indexrelid"
        " where c.relnamespace = 'public'::regnamespace"
    )
    return {row["relname"]: row["indisvalid"] for row in rows}


def test_an_index_is_made_without_keeping_writers_out(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, INDEX)
    with ThreadPoolExecutor(1) as pool, psycopg.connect(empty.url) as writer:
        writer.execute("insert into public.first values (1, 'a')")
        migrating = pool.submit(migrate, empty, folder)
        eventually(lambda: "first_by_note" in indexes(empty))
        # It waits for the writer; another one does not wait for it.
        empty.execute("insert into public.first values (2, 'b')")
        assert not migrating.done()
        writer.commit()
        assert [done.name for done in migrating.result()] == ["second"]
    assert indexes(empty) == {"first_by_note": True}


def test_what_a_broken_attempt_left_of_an_index_is_made_anew(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    empty.execute("insert into public.first values (1, 'twice'), (2, 'twice')")
    add(folder, "create unique index if not exists first_by_note on public.first (note);\n")
    with pytest.raises(MigrationError, match="The index first_by_note cannot be made: could not create unique"):
        migrate(empty, folder)
    assert indexes(empty) == {"first_by_note": False}
    empty.execute("update public.first set note = 'once' where id = 2")
    assert [done.name for done in migrate(empty, folder)] == ["second"]
    assert indexes(empty) == {"first_by_note": True}


def test_an_index_of_a_partitioned_table_is_made_of_those_of_its_partitions(empty: Database, folder: Path) -> None:
    add(
        folder,
        "create table public.parted (id int, note text) partition by range (id);\n"
        "create table public.parted_1 partition of public.parted for values from (0) to (10);\n"
        "create table public.parted_2 partition of public.parted for values from (10) to (20);\n",
        "20260101120000",
        "parted",
    )
    migrate(empty, folder)
    add(folder, "create index if not exists parted_by_note on public.parted (note);\n")
    migrate(empty, folder)
    assert indexes(empty) == {
        "parted_by_note": True,
        "parted_1_parted_by_note": True,
        "parted_2_parted_by_note": True,
    }


def test_an_index_of_a_table_that_the_same_migration_makes_needs_no_preparation(empty: Database, folder: Path) -> None:
    add(folder, "create table public.third (id int);\ncreate index if not exists third_by_id on public.third (id);\n")
    assert [done.name for done in migrate(empty, folder)] == ["first", "second"]


# --- code of another release


def test_the_previous_release_works_on_a_database_that_the_next_one_has_migrated(empty: Database, folder: Path) -> None:
    newer = add(folder, COLUMN, LATER, "next")
    migrate(empty, folder)
    newer.unlink()
    assert migrate(empty, folder) == []
    assert [(entry.name, entry.state) for entry in status(empty, folder)] == [("first", "applied"), ("next", "newer")]
    schema.require_usable(empty, folder)


def test_a_release_whose_things_were_taken_away_refuses_to_work(empty: Database, folder: Path) -> None:
    text = "-- contract: 20260101000000_first, since release {}\nalter table public.first drop column note;\n"
    newer = add(folder, text.format("999.1"), LATER, "next")
    migrate_as(empty, folder, "999.1")
    newer.unlink()
    for attempt in (migrate, schema.require_usable):
        with pytest.raises(MigrationError, match=r"outgrown this release.*_next took away.*before 999\.1"):
            attempt(empty, folder)


def migrate_as(database: Database, folder: Path, number: str) -> None:
    """Apply the folder as that release would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schema, "release", lambda: number)
        migrate(database, folder)


def test_a_contract_of_this_release_or_an_earlier_one_takes_nothing_from_it(empty: Database, folder: Path) -> None:
    text = f"-- contract: 20260101000000_first, since release {release()}\nalter table public.first drop column note;\n"
    newer = add(folder, text, LATER, "next")
    migrate(empty, folder)
    newer.unlink()
    schema.require_usable(empty, folder)


def test_code_that_meets_an_older_database_says_which_migration_it_misses(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    add(folder, COLUMN)
    with pytest.raises(MigrationError, match=r"older than this release.*20260102000000_second.*greenlight db migrate"):
        schema.require_usable(empty, folder)


def test_pickup_claims_nothing_from_an_older_database(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    database.execute(
        "delete from supabase_migrations.schema_migrations"
        " where version = (select max(version) from supabase_migrations.schema_migrations)"
    )
    with pytest.raises(MigrationError, match="older than this release"):
        list(claim_for_launch(database, "standard", get_settings()))


def test_who_works_in_the_database_without_owning_it_finds_it_usable(database: Database) -> None:
    enqueue(database, make_project(database))
    with a_role_of_its_own(database) as url, Database(url, pool_size=1) as worker:
        schema.require_usable(worker)
        assert claim_next(worker).claim_no == 1


def test_connections_that_live_through_a_migration_go_on(empty: Database, folder: Path) -> None:
    migrate(empty, folder)
    empty.execute("create function public.firsts() returns setof public.first language sql as 'select * from first'")
    statements = ("select * from public.first", "select f.* from public.first f", "select * from public.firsts()")
    with empty.connection() as conn:
        for statement in statements * 10:  # more often than it takes to be prepared
            conn.execute(statement)
        add(folder, COLUMN)
        threading.Thread(target=migrate, args=(empty, folder)).start()
        eventually(lambda: status(empty, folder)[-1].state == "applied")
        for statement in statements:
            conn.execute(statement)
        with conn.transaction():
            inserted = conn.execute("insert into public.first values (1, '') returning *").fetchone()
    assert inserted == {"id": 1, "note": "", "more": None}
