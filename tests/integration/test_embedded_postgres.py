"""The embedded server starts on any folder, outlives its starter, survives kill -9, and stops when told."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from studio.database import migrations
from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.errors import StackError
from tests.support.waiting import eventually


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with spaces in its path, that does not exist yet; whatever runs on it is stopped."""
    base = Path(tempfile.mkdtemp(prefix="greenlight embedded "))
    folder = base / "the data"
    try:
        yield folder
    finally:
        EmbeddedPostgres(folder).stop()
        shutil.rmtree(base)


def query(server: EmbeddedPostgres, statement: str, database: str = SUPERUSER) -> list[tuple[Any, ...]]:
    with psycopg.connect(server.url(database), autocommit=True) as conn:
        cursor = conn.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def kill(server: EmbeddedPostgres) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    eventually(lambda: server.pid is None, what="the end of the killed server")


def run_python(code: str, *arguments: str, **kwargs: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        cwd=Path(__file__).parents[2],
        **kwargs,  # type: ignore[call-overload]
    )


def test_it_starts_keeps_its_data_over_a_restart_and_stops(folder: Path) -> None:
    server = EmbeddedPostgres(folder, max_connections=57)
    assert server.pid is None
    server.start()
    server.ensure_database("odd name/%")
    query(server, "CREATE TABLE kept AS SELECT 'ÄÖ' AS word", "odd name/%")
    first = server.pid

    server.restart()

    assert server.pid not in (None, first)
    assert query(server, "SELECT word, lower(word) FROM kept", "odd name/%") == [("ÄÖ", "äö")]
    assert query(server, "SHOW max_connections") == [("57",)]
    assert query(server, "SHOW listen_addresses") == [("",)]

    server.stop()
    server.stop()
    assert server.pid is None
    with pytest.raises(StackError, match="No database runs"):
        server.url(SUPERUSER)


def test_stopping_what_never_was_does_nothing(folder: Path) -> None:
    EmbeddedPostgres(folder).stop()
    assert not folder.exists()


def test_the_socket_and_the_data_are_private(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    # Whoever reaches the socket is let in as the superuser, so nobody else may reach it.
    assert (folder / "run").stat().st_mode & 0o077 == 0
    assert (folder / "data").stat().st_mode & 0o077 == 0
    assert server.log_file.stat().st_mode & 0o077 == 0
    if os.geteuid() == 0:
        assert psutil.Process(server.pid).uids().real != 0


def test_sqlalchemy_connects_by_way_of_psycopg2(folder: Path) -> None:
    import sqlalchemy

    server = EmbeddedPostgres(folder)
    server.start()
    server.ensure_database("dagster", synchronous_commit=False)
    server.ensure_database("dagster")
    engine = sqlalchemy.create_engine(server.sqlalchemy_url("dagster"))
    with engine.connect() as conn:
        row = conn.execute(sqlalchemy.text("SELECT current_database(), current_setting('synchronous_commit')")).one()
    engine.dispose()
    assert engine.driver == "psycopg2"
    assert tuple(row) == ("dagster", "off")
    assert query(server, "SHOW synchronous_commit") == [("on",)]


def test_a_process_that_adopts_the_server_leaves_it_running(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    code = (
        "import sys, pathlib; from studio.database.embedded import EmbeddedPostgres\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1])); server.start(); print(server.pid)"
    )
    adopter = run_python(code, str(folder))
    out, _ = adopter.communicate(timeout=60)
    assert adopter.returncode == 0
    assert int(out) == server.pid
    assert query(server, "SELECT 1") == [(1,)]


def test_ctrl_c_in_the_terminal_of_the_starter_does_not_reach_the_server(folder: Path) -> None:
    code = (
        "import sys, pathlib; from studio.database.embedded import EmbeddedPostgres\n"
        "EmbeddedPostgres(pathlib.Path(sys.argv[1])).start(); print('started', flush=True); sys.stdin.read()"
    )
    starter = run_python(code, str(folder), stderr=subprocess.DEVNULL)
    assert starter.stdout is not None
    assert starter.stdout.readline() == "started\n"
    server = EmbeddedPostgres(folder)
    pid = server.pid
    assert pid is not None

    os.killpg(starter.pid, signal.SIGINT)
    # Before anything of its own ends it: an end of its input, say.
    starter.wait(timeout=60)
    starter.communicate()

    assert starter.returncode != 0
    assert os.getsid(pid) != starter.pid
    assert query(server, "SELECT 1") == [(1,)]
    assert server.pid == pid


def test_two_starts_at_once_are_one_server(folder: Path) -> None:
    handles = [EmbeddedPostgres(folder) for _ in range(3)]
    together = threading.Barrier(len(handles))

    def start(handle: EmbeddedPostgres) -> int | None:
        together.wait()
        handle.start()
        return handle.pid

    with ThreadPoolExecutor(len(handles)) as pool:
        pids = set(pool.map(start, handles))
    assert len(pids) == 1
    assert None not in pids


def test_what_was_committed_survives_kill_9(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    query(server, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS n")
    unfinished = psycopg.connect(server.url(SUPERUSER))
    unfinished.execute("INSERT INTO kept VALUES (-1)")
    kill(server)
    unfinished.close()
    server.start()
    assert query(server, "SELECT count(*), min(n) FROM kept") == [(1000, 1)]


def test_a_busy_orphan_of_a_killed_server_does_not_block_the_next(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("studio.database.embedded.ORPHAN_GRACE_SECONDS", 0.2)
    server = EmbeddedPostgres(folder)
    server.start()
    busy = psycopg.connect(server.url(SUPERUSER), autocommit=True)
    orphan = psutil.Process(busy.info.backend_pid)
    done = threading.Thread(target=_spin, args=(busy,))
    done.start()
    try:
        eventually(
            lambda: query(server, "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'DO%' AND state = 'active'"),
            what="the endless query",
        )
        kill(server)
        assert orphan.status() != psutil.STATUS_ZOMBIE
        server.start()
        assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
        assert query(server, "SELECT 1") == [(1,)]
    finally:
        # Nobody else would, if the server did not.
        with contextlib.suppress(psutil.NoSuchProcess):
            orphan.kill()
        done.join(timeout=60)
        busy.close()


def _spin(conn: psycopg.Connection) -> None:
    # Nothing in this loop looks up whether the postmaster still lives.
    with pytest.raises(psycopg.OperationalError):
        conn.execute("DO $$ BEGIN LOOP NULL; END LOOP; END $$")


def test_a_stale_pid_file_that_names_somebody_elses_process_is_no_server(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    kill(server)
    # As after a reboot: the number now belongs to a process that lives and is not PostgreSQL. One of the
    # server's own user, since PostgreSQL knows that another user's cannot be its own; and not ours, which
    # it would take for its starter's.
    user = (folder / "data").stat().st_uid
    somebody = subprocess.Popen(["sleep", "600"], user=user if os.geteuid() == 0 else None)
    try:
        for stale in (folder / "data" / "postmaster.pid", *(folder / "run").glob("*.lock")):
            lines = stale.read_text().splitlines()
            stale.write_text("\n".join([str(somebody.pid), *lines[1:]]) + "\n")
        assert server.pid is None
        server.start()
        assert query(server, "SELECT 1") == [(1,)]
        assert somebody.poll() is None
    finally:
        somebody.kill()
        somebody.wait()


def test_a_path_too_long_for_a_socket_gets_a_short_one(folder: Path) -> None:
    deep = folder / ("x" * 100) / ("ü," * 40)
    server = EmbeddedPostgres(deep)
    try:
        server.start()
        assert query(server, "SELECT 1") == [(1,)]
        socket_dir = Path(query(server, "SHOW unix_socket_directories")[0][0])
        assert deep not in socket_dir.parents
        assert socket_dir.stat().st_mode & 0o077 == 0
    finally:
        server.stop()
    assert not socket_dir.exists()


def test_a_start_that_was_killed_half_way_is_begun_anew(folder: Path) -> None:
    (folder / "data.partial" / "base").mkdir(parents=True)
    (folder / "data.partial" / "PG_VERSION").write_text("18\n")
    server = EmbeddedPostgres(folder)
    server.start()
    assert query(server, "SELECT 1") == [(1,)]


def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.start()
    server.stop()
    with (folder / "data" / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = on\n")
    with pytest.raises(StackError, match=r"does not start.*(?s:.*)no_such_setting"):
        server.start()


def test_a_folder_of_another_major_version_is_refused(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "PG_VERSION").write_text("12\n")
    with pytest.raises(StackError, match="made by PostgreSQL 12"):
        EmbeddedPostgres(folder).start()


def test_a_folder_with_other_files_is_left_alone(folder: Path) -> None:
    (folder / "data").mkdir(parents=True)
    (folder / "data" / "thesis.txt").write_text("mine")
    with pytest.raises(StackError, match="no database"):
        EmbeddedPostgres(folder).start()
    assert [path.name for path in (folder / "data").iterdir()] == ["thesis.txt"]


@pytest.mark.skipif(os.geteuid() != 0, reason="every test of this run is made by an ordinary user already")
def test_it_works_for_an_ordinary_user(folder: Path) -> None:
    nobody = 65534
    folder.mkdir()
    folder.parent.chmod(0o755)
    os.chown(folder, nobody, nobody)
    # The interpreter may lie where only root can read, so it becomes somebody else once it is loaded.
    code = (
        "import os, sys, pathlib, psycopg; from studio.database.embedded import EmbeddedPostgres\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "server = EmbeddedPostgres(pathlib.Path(sys.argv[1])); server.start()\n"
        "with psycopg.connect(server.url('postgres')) as conn: print(conn.execute('SELECT 7').fetchone()[0])\n"
        "server.stop()"
    )
    run = run_python(code, str(folder))
    out, _ = run.communicate(timeout=60)
    assert (run.returncode, out) == (0, "7\n")
    assert (folder / "data").stat().st_uid == nobody


def test_databases_of_one_fresh_server_are_migrated_at_once(folder: Path) -> None:
    """Roles belong to the whole server, so here the very first preparations race for them."""
    server = EmbeddedPostgres(folder)
    server.start()
    names = [f"studio_{secrets.token_hex(4)}" for _ in range(3)]
    for name in names:
        server.ensure_database(name)
    together = threading.Barrier(len(names))

    def migrate(name: str) -> int:
        with Database(server.url(name), pool_size=2) as database:
            together.wait()
            return len(migrations.migrate(database))

    with ThreadPoolExecutor(len(names)) as pool:
        counts = set(pool.map(migrate, names))
    assert counts == {len(migrations.read_folder(migrations.MIGRATIONS))}
    roles = "SELECT rolname::text, rolbypassrls, rolcanlogin FROM pg_roles WHERE rolname ~ '^(anon|auth|service_)'"
    assert sorted(query(server, roles)) == [
        ("anon", False, False),
        ("authenticated", False, False),
        ("service_role", True, False),
    ]
