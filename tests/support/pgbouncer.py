"""PgBouncer as `deploy/postgres/pgbouncer.ini` describes it, before a server of the tests."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from psycopg import sql

from greenlight_dagster.stack.ports import free_port
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.database.system_user import server_user
from studio.paths import ROOT
from tests.support.waiting import eventually

FILE = ROOT / "deploy" / "postgres" / "pgbouncer.ini"
PROGRAM = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin")
START_SECONDS = 30.0
# Few enough that everybody has to share.
POOL_SIZE = 4

needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (Debian's package pgbouncer)")


@dataclass
class Pooler:
    """A running PgBouncer. `role` may log in, and owns what it needs on the server."""

    server: EmbeddedPostgres
    port: int
    role: str
    password: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """The URL of `database` by way of the pooler."""
        return f"postgresql://{self.role}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def sqlalchemy_url(self, database: str) -> str:
        """The same, as Dagster wants it."""
        return self.url(database).replace("postgresql://", "postgresql+psycopg2://")

    def direct_url(self, database: str) -> str:
        """The URL of `database` past the pooler, as the same role."""
        return self.server.url(database).replace(f"{SUPERUSER}@", f"{self.role}@", 1)

    def start(self) -> None:
        """Start it, or start it again, on the same port."""
        assert PROGRAM is not None
        user = server_user(self.server.data)
        command = [PROGRAM, "-q", str(self.folder / "pgbouncer.ini")]
        self.process = subprocess.Popen(command, cwd=self.folder, start_new_session=True, **user.run_as())
        eventually(self._answers, START_SECONDS, "pgbouncer")

    def stop(self) -> None:
        """End it at once, as a machine that fails does."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def console(self, command: str) -> list[dict[str, object]]:
        """Ask its own console, as its administrator."""
        # It knows the simple protocol alone.
        with psycopg.connect(self.url("pgbouncer"), autocommit=True, cursor_factory=psycopg.ClientCursor) as conn:
            answer = conn.execute(command.encode())
            names = [column.name for column in answer.description or ()]
            return [dict(zip(names, row, strict=True)) for row in answer] if names else []

    def _answers(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, (self.folder / "pgbouncer.log").read_text()
        with contextlib.suppress(psycopg.OperationalError):
            self.console("show version")
            return True
        return False


@contextlib.contextmanager
def pooler(server: EmbeddedPostgres, *databases: str, pool_size: int = POOL_SIZE) -> Iterator[Pooler]:
    """Run PgBouncer before `databases`, the studio's and Dagster's, with the project's own configuration."""
    folder = Path(tempfile.mkdtemp(prefix="gl-pgbouncer-"))
    role, password = f"pooled_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    made = Pooler(server, free_port(), role, password, folder)
    user = server_user(server.data)
    try:
        with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
            host = conn.info.host
            # Row-level security is the studio's own second line; the server's role is the one that it does not bind.
            create = sql.SQL("create role {} login superuser password {}")
            conn.execute(create.format(sql.Identifier(role), sql.Literal(password)))
            row = conn.execute("select rolpassword from pg_authid where rolname = %s", [role]).fetchone()
            assert row is not None
        (folder / "userlist.txt").write_text(f'"{role}" "{row[0]}"\n')
        (folder / "pgbouncer.ini").write_text(_configured(made, str(host), databases, pool_size))
        for path in (folder, *folder.iterdir()):
            user.own(path)
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(folder, ignore_errors=True)
        with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
            conn.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = %s", [role])
            # Whoever has made a schema owns it, and goes with the server.
            with contextlib.suppress(psycopg.errors.DependentObjectsStillExist):
                conn.execute(sql.SQL("drop role {}").format(sql.Identifier(role)))


def _configured(made: Pooler, host: str, databases: tuple[str, ...], pool_size: int) -> str:
    """Return the project's file with the test's addresses; every line that is replaced must be there."""
    text = FILE.read_text(encoding="utf-8")
    for name, database in zip(("greenlight", "dagster"), databases, strict=True):
        theirs, ours = f"host=SERVER port=5432 dbname={name}", f"host={host} port=5432 dbname={database}"
        text = _replaced(text, rf"^{name} = {theirs}", f"{database} = {ours}")
    changes = {
        "listen_port": str(made.port),
        "auth_file": str(made.folder / "userlist.txt"),
        "admin_users": made.role,
        "logfile": str(made.folder / "pgbouncer.log"),
        "pidfile": str(made.folder / "pgbouncer.pid"),
        "default_pool_size": str(pool_size),
        "reserve_pool_size": "0",
    }
    for name, value in changes.items():
        text = _replaced(text, rf"^{name} = .*$", f"{name} = {value}")
    return text


def _replaced(text: str, pattern: str, replacement: str) -> str:
    changed, count = re.subn(pattern, lambda _: replacement, text, flags=re.MULTILINE)
    assert count == 1, f"{FILE} has {count} lines like {pattern}"
    return changed
