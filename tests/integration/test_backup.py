"""Backup and restore, rehearsed: a copy is made under load, the rest goes on and is lost, and nothing happens twice.

The copies are made and brought back by the project's own scripts; mails and actions go to providers that remember what
they did. What nobody can tell is held, and listed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from studio import outbox
from studio.database.connection import Database
from studio.database.embedded import EmbeddedPostgres
from studio.errors import DatabaseRestored
from studio.paths import ROOT
from tests.support.actions import EFFECTS, Stage, hook_client
from tests.support.approvals import ADS
from tests.support.backup import PROGRAMS, backed_up, moment_of, script
from tests.support.cli import process
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.mail import ResendServer
from tests.support.postgres import TestServer
from tests.support.providers import Providers, providers
from tests.support.queue import InBackground
from tests.support.rehearsal import Load, work
from tests.support.restores import acting_settings
from tests.support.size import FULL, SECONDS

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = [*DAGSTER_WARNINGS, pytest.mark.chaos, pytest.mark.timeout(SECONDS)]

MAILS, JOBS = (600, 120) if FULL else (80, 24)


@pytest.fixture
def acting() -> Iterator[tuple[Providers, ResendServer]]:
    with providers() as running, ResendServer() as resend:
        yield running, resend


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """Another server, which has never heard of the studio."""
    # Short, because its socket lies in it.
    folder = Path("/dev/shm" if os.access("/dev/shm", os.W_OK) else "/tmp") / f"gl-{os.getpid()}-elsewhere"
    server = EmbeddedPostgres(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_dump_that_was_made_under_load_is_restored(
    postgres: TestServer,
    database_url: str,
    dagster_template: str,
    acting: tuple[Providers, ResendServer],
    elsewhere: EmbeddedPostgres,
    tmp_path: Path,
) -> None:
    running, resend = acting
    data, backups = tmp_path / "data", tmp_path / "backups"
    settings = acting_settings(database_url, running, resend, data)
    with Database(database_url) as db:
        load = Load(Stage(db, settings, running, hook_client(running.hook_address)), resend, MAILS, JOBS)
        load.begin()
        copied = threading.Event()
        under_load = InBackground(lambda: load.run(copied))
        load.wait_for_the_middle()
        backup = backed_up(
            backups,
            DATABASE_URL=database_url,
            GREENLIGHT_DAGSTER_DATABASE_URL=postgres.sqlalchemy_url(dagster_template),
            GREENLIGHT_DATA_DIR=str(data),
            VERIFY="1",
        )
        copied.set()
        under_load.result(SECONDS)
        # All of this is lost, and has happened all the same.
        assert load.act(load.stage) == {"completed": 3 * len(EFFECTS)}
        load.remember_claims()
    assert resend.to().total() == MAILS

    restored_data = tmp_path / "restored"
    places = {
        "DATABASE_URL": elsewhere.url("greenlight"),
        "GREENLIGHT_DAGSTER_DATABASE_URL": elsewhere.sqlalchemy_url("dagster"),
        "GREENLIGHT_DATA_DIR": str(restored_data),
    }
    done = script("restore.sh", backup, **places)
    assert done.returncode == 0, done.stderr
    assert f"after-restore --to {moment_of(backup)}" in done.stdout
    refused = script("restore.sh", backup, **places)
    assert refused.returncode == 1
    assert "give an empty one" in refused.stderr

    settle = ("db", "after-restore", "--to", moment_of(backup), "--json")
    with Database(elsewhere.url("greenlight")) as db:
        with pytest.raises(DatabaseRestored):
            work(db, lambda: None)
    said = process(*settle, **places).json
    assert 0 < said["mails_in_doubt"] < MAILS, "the copy was not made in the middle"
    assert said["runs_ended"] is None
    with Database(elsewhere.url("greenlight")) as db:
        stage = load.on(db, restored_data)
        ends = load.finish(stage)
        load.assert_nothing_twice(stage)
        # Approved before or after the copy, those whose provider cannot be asked are held, each of them once.
        unknown = 2 * len(set(EFFECTS) - {ADS})
        assert ends == {"completed": 3 * len(EFFECTS) - unknown, "failed": unknown}
        held = outbox.find(db, status="unknown")
        assert len(held) == unknown
        assert {entry.kind for entry in held} == {"effect"}
        assert all("restored" in str(entry.error) for entry in held)


def test_a_backup_comes_and_goes_in_postgres_own_image(
    database_url: str, elsewhere: EmbeddedPostgres, tmp_path: Path
) -> None:
    """That image has the server's programs and those of every Debian, and no Python."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for program in Path("/usr/bin").iterdir():
        if not program.name.startswith("python"):
            (programs / program.name).symlink_to(program)
    backup = backed_up(tmp_path / "backups", PATH=str(programs), DATABASE_URL=database_url, VERIFY="1")
    # A name that a URL has to write otherwise, on a server that has no such database yet.
    url = elsewhere.url("green light").replace("green light", "green%20light")
    done = script("restore.sh", backup, PATH=str(programs), DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    with Database(elsewhere.url("green light")) as db:
        assert db.fetch_one("select count(*) > 0 as there from projects") == {"there": True}


def test_the_guides_way_back_on_one_box(database_url: str, elsewhere: EmbeddedPostgres, tmp_path: Path) -> None:
    """What is there is put aside by the guide's own command, and the backup comes in its place."""
    guide = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    [told] = re.findall(r"exec postgres (psql -U greenlight postgres(?:.*\\\n)*.*)", guide)
    aside = shlex.split(told.replace("\\\n", " "))[4:]
    place = aside.index("/docker-entrypoint-initdb.d/dagster.sql")
    aside[place] = str(ROOT / "deploy" / "postgres-init.sql")
    backup = backed_up(tmp_path / "backups", DATABASE_URL=database_url)
    for name in ("greenlight", "dagster"):
        elsewhere.ensure_database(name)
    with psycopg.connect(elsewhere.url("greenlight"), autocommit=True) as conn:
        conn.execute("create table public.precious ()")
    places = {"DATABASE_URL": elsewhere.url("greenlight")}
    assert script("restore.sh", backup, **places).returncode == 1, "it is not overwritten"
    program = [str(PROGRAMS / "psql"), "--no-psqlrc", "-v", "ON_ERROR_STOP=1", "-d", elsewhere.url("postgres")]
    subprocess.run([*program, *aside], check=True)
    done = script("restore.sh", backup, **places)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(elsewhere.url("greenlight_before")) as conn:
        assert conn.execute("select to_regclass('public.precious') is not null").fetchone() == (True,)


def test_what_is_no_studio_yet_is_not_called_a_backup(elsewhere: EmbeddedPostgres, tmp_path: Path) -> None:
    """A first one beside a server that is just being set up would be taken for that of the day."""
    elsewhere.ensure_database("empty")
    done = script("backup.sh", tmp_path / "backups", DATABASE_URL=elsewhere.url("empty"))
    assert done.returncode == 1
    assert "there is no studio in that database" in done.stderr
    assert not [path for path in (tmp_path / "backups").iterdir() if path.name[0] != "."]


def test_a_damaged_backup_is_not_restored(database_url: str, elsewhere: EmbeddedPostgres, tmp_path: Path) -> None:
    backup = backed_up(tmp_path / "backups", DATABASE_URL=database_url)
    with (backup / "studio.dump").open("r+b") as dump:
        dump.seek(1000)
        dump.write(b"rotten")
    done = script("restore.sh", backup, DATABASE_URL=elsewhere.url("greenlight"))
    assert done.returncode == 1
    assert "damaged" in done.stderr


def test_a_backup_is_restored_to_see_that_it_can_be_and_leaves_nothing_behind(
    database: Database, postgres: TestServer, dagster_template: str, tmp_path: Path
) -> None:
    places = {
        "DATABASE_URL": database.url,
        "GREENLIGHT_DAGSTER_DATABASE_URL": postgres.sqlalchemy_url(dagster_template),
        "VERIFY": "1",
    }
    backed_up(tmp_path / "backups", **places)
    assert scratch(database) == []
    # One that is restored in part only, whatever is there by then.
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in PROGRAMS.iterdir():
        (programs / program.name).symlink_to(program)
    (programs / "pg_restore").unlink()
    (programs / "pg_restore").write_text(f'#!/bin/sh\n"{PROGRAMS}/pg_restore" "$@"\nexit 1\n')
    (programs / "pg_restore").chmod(0o755)
    done = script("backup.sh", tmp_path / "damaged", **places, PG_BIN=str(programs))
    assert done.returncode == 1
    assert "studio.dump cannot be restored" in done.stderr
    assert scratch(database) == []


def scratch(db: Database) -> list[str]:
    """Return the databases that a verification has left."""
    rows = db.fetch_all("select datname from pg_database where datname like 'greenlight_verify%%'")
    return [row["datname"] for row in rows]


def test_a_dagster_that_was_never_started_can_be_backed_up(
    database: Database, postgres: TestServer, tmp_path: Path
) -> None:
    with postgres.temporary() as name:
        backed_up(
            tmp_path / "backups",
            DATABASE_URL=database.url,
            GREENLIGHT_DAGSTER_DATABASE_URL=postgres.sqlalchemy_url(name),
            VERIFY="1",
        )


def test_only_the_newest_backups_are_kept(database_url: str, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    (folder / "of somebody else").mkdir(parents=True)
    made = [backed_up(folder, DATABASE_URL=database_url, KEEP="2") for _ in range(3)]
    left = sorted(path for path in folder.iterdir() if path.is_dir())
    assert left == [*made[1:], folder / "of somebody else"]
    # Nothing that cannot be reached leaves half a backup.
    failed = script("backup.sh", folder, DATABASE_URL=database_url.replace("greenlight_test", "nobody"))
    assert failed.returncode != 0
    assert sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".") == left
