"""What every test may use: a real PostgreSQL, a migrated database of its own, a clean environment.

The server is the embedded one, in a temporary folder; `GREENLIGHT_TEST_DATABASE_URL` names another,
whose user may create databases and roles.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from hypothesis import settings
from psycopg import sql

from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.lanes import prepare_database
from studio.settings import Settings, get_settings
from tests.support.postgres import TestServer
from tests.support.size import FULL

# A test module may import it before it names it in `pytest_plugins`.
pytest.register_assert_rewrite("tests.support.job_types")

# The same examples every time in `make test`, which so never fails without a change; fresh ones, and many more, in
# `make chaos`.
settings.register_profile("reduced", derandomize=True, database=None, max_examples=30)
settings.register_profile("full", database=None, max_examples=200)
settings.load_profile("full" if FULL else "reduced")

# The server, its write-ahead log and the few clones that live at once stay far below this.
MEMORY_WANTED_BYTES = 4 * 1024**3
EXTERNAL_SERVER = os.environ.get("GREENLIGHT_TEST_DATABASE_URL")


def pytest_configure() -> None:
    """Let Ctrl-C mean something also where a shell has started the suite in the background, which has it ignored.

    What the tests start would inherit that. Dagster's programs would even be deaf to SIGTERM, because they treat the
    one like the other.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Leave what was collected to itself: the garbage collector would go through all of it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No test sees the developer's own keys, database or settings; each sets what it needs."""
    aliases = {str(field.validation_alias or name) for name, field in Settings.model_fields.items()}
    known = {alias.upper() for alias in aliases}
    for variable in list(os.environ):
        if variable.upper() in known or variable.startswith("PG"):
            monkeypatch.delenv(variable)
    get_settings.cache_clear()
    yield
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def postgres() -> Iterator[TestServer]:
    """The session's server. Not under pytest's own folders: those may be too long for a socket."""
    if EXTERNAL_SERVER:
        yield TestServer.at(EXTERNAL_SERVER)
        return
    folder = Path(tempfile.mkdtemp(prefix="greenlight-tests-", dir=_memory()))
    server = EmbeddedPostgres(folder)
    server.start()
    _hurry(server)
    try:
        yield TestServer.on(server)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _memory() -> Path | None:
    """Where files live in memory, if that is here: cloning a database writes a thousand of them."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK) or shutil.disk_usage(memory).free < MEMORY_WANTED_BYTES:
        return None
    return memory


def _hurry(server: EmbeddedPostgres) -> None:
    """Nobody misses a test database after a power cut; without fsync a clone takes a tenth of the time."""
    with psycopg.connect(server.url(SUPERUSER), autocommit=True) as conn:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            conn.execute(sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
        conn.execute("SELECT pg_reload_conf()")


@pytest.fixture(scope="session")
def database_template(postgres: TestServer) -> Iterator[str]:
    """A migrated database that nobody connects to: cloning it takes milliseconds, migrating seconds."""
    with postgres.temporary() as name:
        with Database(postgres.url(name), pool_size=1) as database:
            prepare_database(database, Settings())
        yield name


@pytest.fixture
def database_url(postgres: TestServer, database_template: str) -> Iterator[str]:
    """The URL of a freshly migrated database that only this test uses."""
    with postgres.temporary(database_template) as name:
        yield postgres.url(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """A freshly migrated database that only this test uses."""
    with Database(database_url) as database:
        yield database
