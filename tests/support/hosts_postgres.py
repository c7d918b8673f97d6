"""PostgreSQL on a host: the embedded server's programs, open to the other hosts.

`python -m tests.support.hosts_postgres FOLDER ADDRESS` starts it there. The test itself comes in by the server's
socket, which lies on the host's disk.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import psycopg
from psycopg import sql

from studio.database.embedded import PORT, SUPERUSER, EmbeddedPostgres
from tests.support.hosts_host import NETWORK, Host
from tests.support.hosts_yard import PREFIX
from tests.support.waiting import eventually

START_SECONDS = 120.0
# Three hosts of workers, their threads and a test that looks on.
MAX_CONNECTIONS = 400


class HostPostgres:
    """A server on `host`. Its disk is the host's: it survives a crash of the server and of the host."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._folder = host.folder / "postgres"

    def start(self) -> None:
        """Start the server, after a crash too; return when it answers."""
        command = [sys.executable, "-m", __name__, self._folder, self.host.address]
        program = self.host.run(command, "postgres")
        code = program.wait(START_SECONDS)
        assert code == 0, program.output()

    def crash(self) -> None:
        """Kill the server's processes at once: what was not committed is lost, clients see their connections break."""
        for pid in self.pids():
            self.host.order("signal", pid=pid, number=int(signal.SIGKILL), group=False)
        eventually(lambda: not self.pids(), what="the end of the database's processes")

    def pids(self) -> list[int]:
        """The processes of the server, on its host."""
        running = self.host.processes().items()
        return [pid for pid, text in running if text.startswith("postgres:") or f"-D {self._folder / 'data'}" in text]

    def url(self, database: str) -> str:
        """The address for the hosts."""
        return f"postgresql://{SUPERUSER}@{self.host.address}:{PORT}/{database}"

    def url_here(self, database: str) -> str:
        """The address for the test."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self._folder / 'run'}&port={PORT}"

    def create(self, database: str) -> None:
        """Make an empty database."""
        with psycopg.connect(self.url_here(SUPERUSER), autocommit=True) as conn:
            conn.execute(sql.SQL("create database {} template template0").format(sql.Identifier(database)))


def serve(folder: Path, address: str) -> None:
    """Start the server on `folder` and let it listen at `address`, too."""
    server = EmbeddedPostgres(folder, max_connections=MAX_CONNECTIONS)
    server.start()
    access = server.data / "pg_hba.conf"
    opened = f"host all all {NETWORK}.0/{PREFIX} trust\n"
    if opened in access.read_text():
        return
    with access.open("a") as file:
        file.write(opened)
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
        conn.execute(sql.SQL("alter system set listen_addresses = {}").format(address))
    server.restart()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), sys.argv[2])
