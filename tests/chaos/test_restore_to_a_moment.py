"""A server is lost, and comes back from a base backup and its log as it was at a moment: nothing happens twice.

Part of `make chaos`: a dump is restored in `make test` already, and this needs a server with an archive, and another.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from studio import restores
from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.database.system_user import server_user
from studio.lanes import prepare_database
from studio.settings import Settings
from tests.support.actions import EFFECTS, Stage, hook_client
from tests.support.backup import SCRIPTS, script
from tests.support.mail import ResendServer
from tests.support.providers import providers
from tests.support.queue import InBackground
from tests.support.rehearsal import Load
from tests.support.restores import acting_settings
from tests.support.size import FULL, SECONDS
from tests.support.waiting import eventually

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: a server with an archive, lost and brought back"),
    pytest.mark.timeout(SECONDS),
]

MAILS, JOBS = 400, 80


@pytest.fixture
def place() -> Iterator[Path]:
    # Short, because sockets lie in it; and to be passed through by the server's own user.
    folder = Path(tempfile.mkdtemp(prefix="gl-pitr-", dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def archiving(place: Path) -> EmbeddedPostgres:
    """Start a server on `place`/lost whose log is archived to `place`/wal, by the project's own settings."""
    server = EmbeddedPostgres(place / "lost")
    server.start()
    user = server_user(server.data)
    archive, own = place / "wal", place / "archive-wal.sh"
    archive.mkdir()
    user.own(archive)
    shutil.copy(SCRIPTS / "archive-wal.sh", own)
    own.chmod(0o755)
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
        for line in (SCRIPTS / "archiving.conf").read_text().splitlines():
            if line and not line.startswith("#"):
                name, value = (part.strip() for part in line.split("=", 1))
                value = value.strip("'").replace("/usr/local/lib/greenlight/archive-wal.sh", str(own))
                conn.execute(f"alter system set {name} = '{value.replace('/srv/wal', str(archive))}'".encode())
    server.restart()
    return server


def crash(server: EmbeddedPostgres) -> None:
    """Let the server be gone, and its disk with it."""
    pid = server.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: server.pid is None, what="the end of the server")
    shutil.rmtree(server.folder)


def restored_to(place: Path, base: Path, moment: str) -> EmbeddedPostgres:
    """Bring the server back on `place`/back, as `docs/backup.md` says."""
    server = EmbeddedPostgres(place / "back")
    user = server_user(server.data)
    shutil.copytree(base, server.data)
    with (server.data / "postgresql.auto.conf").open("a") as conf:
        conf.write(f"restore_command = 'cp {place}/wal/%f \"%p\"'\n")
        conf.write(f"recovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n")
    (server.data / "recovery.signal").touch()
    server.data.chmod(0o700)
    for path in (server.data, *server.data.rglob("*")):
        user.own(path)
    server.start()
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
        eventually(lambda: conn.execute("select not pg_is_in_recovery()").fetchone() == (True,), 120, "the promotion")
    return server


def test_a_server_is_brought_back_to_a_moment(place: Path, tmp_path: Path) -> None:
    server = archiving(place)
    try:
        server.ensure_database("greenlight")
        with providers() as running, ResendServer() as resend, Database(server.url("greenlight")) as db:
            prepare_database(db, Settings())
            settings = acting_settings(db.url, running, resend, tmp_path)
            load = Load(Stage(db, settings, running, hook_client(running.hook_address)), resend, MAILS, JOBS)
            host = str(conninfo_to_dict(server.url(SUPERUSER))["host"])
            made = script("base-backup.sh", place / "base", place / "wal", PGHOST=host, PGUSER=SUPERUSER)
            assert made.returncode == 0, made.stderr
            load.begin()
            copied = threading.Event()
            under_load = InBackground(lambda: load.run(copied))
            load.wait_for_the_middle()
            row = db.fetch_one("select clock_timestamp()::text as now")
            assert row is not None
            moment = str(row["now"])
            copied.set()
            under_load.result(SECONDS)
            assert load.act(load.stage) == {"completed": 3 * len(EFFECTS)}
            load.remember_claims()
            with db.connection() as conn:
                conn.execute("select pg_switch_wal()")
            archived = (
                "select last_archived_wal >= pg_walfile_name(pg_current_wal_lsn() - 1) as done from pg_stat_archiver"
            )
            eventually(lambda: (db.fetch_one(archived) or {}).get("done"), 60, "the archive")
            db.close()
            crash(server)

            server = restored_to(place, Path(made.stdout.strip()), moment)
            with Database(server.url("greenlight")) as back:
                # By its timeline alone: it is the same server with the same tables.
                assert not restores.is_known(back)
                done = restores.settle(back, restored_to=None, by="the operator")
                assert 0 < done.mails_in_doubt < MAILS
                stage = load.on(back, tmp_path)
                ends = load.finish(stage)
                load.assert_nothing_twice(stage)
            assert ends["completed"] + ends["failed"] == 3 * len(EFFECTS)
            # Another backup of the new timeline, and what the old one needs stays.
            host = str(conninfo_to_dict(server.url(SUPERUSER))["host"])
            again = script("base-backup.sh", place / "base", place / "wal", PGHOST=host, PGUSER=SUPERUSER, KEEP="1")
            assert again.returncode == 0, again.stderr
            assert not Path(made.stdout.strip()).exists()
    finally:
        server.stop()
