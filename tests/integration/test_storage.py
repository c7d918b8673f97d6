"""Dagster's storage on one pool per process: how many connections that takes, and what it bears when they break."""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import dagster
import psycopg
import pytest
import sqlalchemy
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy.exc import DBAPIError, OperationalError

from greenlight_dagster.instance import engines
from studio import queue
from studio.database.connection import Database
from studio.database.embedded import SUPERUSER, EmbeddedPostgres
from studio.lanes import prepare_database
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, OWNER, make_project
from tests.support.launcher import Launching
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread
from tests.support.site import PATIENCE, Process, Site
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


class Server:
    """A PostgreSQL of the module's own: it counts who connects, and may be restarted."""

    def __init__(self, folder: Path) -> None:
        self.embedded = EmbeddedPostgres(folder)
        self.embedded.start()
        self._execute("alter system set log_connections = on")
        self._execute("alter system set fsync = off")
        self._execute("select pg_reload_conf()")

    def _execute(self, statement: Any) -> None:
        with psycopg.connect(self.embedded.url(SUPERUSER), autocommit=True) as conn:
            conn.execute(statement)

    def connections(self, site: Site) -> Counter[str]:
        """Return how many connections were ever made to the site's databases: `studio` and `dagster`."""
        log = self.embedded.log_file.read_text(errors="replace")
        names = Counter(re.findall(r"connection authorized: .*database=(\w+)", log))
        urls = {"studio": site.studio_url, "dagster": site.dagster_url}
        return Counter({which: names[sqlalchemy.make_url(url).database or ""] for which, url in urls.items()})

    def cut_off_everybody(self) -> int:
        """End every session but the one that does so; return how many there were."""
        with psycopg.connect(self.embedded.url(SUPERUSER), autocommit=True) as conn:
            row = conn.execute(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where pid <> pg_backend_pid() and backend_type = 'client backend'"
            ).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="gl-storage-", dir=memory if os.access(memory, os.W_OK) else None))
    made = Server(folder)
    try:
        yield made
    finally:
        made.embedded.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def databases(server: Server) -> Iterator[tuple[str, str]]:
    """The URLs of a studio's and a Dagster's database on the module's server, both prepared."""
    mine = TestServer.on(server.embedded)
    with mine.temporary() as studio, mine.temporary() as runs:
        with Database(mine.url(studio), pool_size=1) as database:
            prepare_database(database, Settings())
        yield mine.url(studio), mine.sqlalchemy_url(runs)


@pytest.fixture(scope="module")
def model(corpus: Path) -> Iterator[SandboxThread]:
    with SandboxThread(corpus=corpus, chunk_delay_ms=5) as running:
        yield running


@pytest.fixture(scope="module")
def site(databases: tuple[str, str], model: SandboxThread) -> Iterator[Site]:
    """An installation on the module's server, with a warm launcher that keeps one spare."""
    with Site(*databases, spares=1) as made:
        made.variables |= {
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "sandbox",
            "CLAUDE_DIRECT_MODEL": "sandbox",
        }
        made.start_launcher()
        yield made


# --- one pool per process


def test_all_instances_of_a_process_share_one_pool(site: Site) -> None:
    mine = site.instance.run_storage._engine  # type: ignore[attr-defined]
    with DagsterInstance.from_config(str(site.home)) as another:
        for storage in (another.run_storage, another.event_log_storage, another.schedule_storage):
            assert storage._engine is mine  # type: ignore[union-attr]
        another.get_runs(limit=1)
    # The end of one instance is not the end of the others' connections.
    assert mine.pool.checkedin() > 0
    site.instance.get_runs(limit=1)


def test_a_fork_has_connections_of_its_own_and_leaves_the_parents(site: Site) -> None:
    def backend() -> int:
        engine = site.instance.run_storage._engine  # type: ignore[attr-defined]
        with engines.connect(engine) as connection:
            return int(connection.execute(sqlalchemy.text("select pg_backend_pid()")).scalar_one())

    before = backend()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        # Whatever happens: this process must not go on as a second pytest.
        try:
            site.instance.get_runs(limit=1)
            os.write(write, str(backend()).encode())
            site.instance.dispose()
            engines.disconnect()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as answer:
        forked = int(answer.read())
    assert forked != before, "the child has used its parent's connection"
    assert backend() == before, "the child has ended its parent's connection"


# --- how many connections a run takes


class Count(NamedTuple):
    """Connections made for one run, by database: ahead of it, and after it was assigned."""

    ahead: Counter[str]
    after: Counter[str]


def count(site: Site, server: Server, job_id: UUID) -> Count:
    """Carry the job out and count. While the launcher's template is stopped, no other worker can connect."""
    site.spares(1)
    template = site.template()
    os.kill(template, signal.SIGSTOP)
    try:
        before = server.connections(site)
        run = site.launch(job_id)
        assert site.ends(run) is DagsterRunStatus.SUCCESS
        eventually(lambda: run.run_id not in (site.launcher.overview() or {})["running"], what="its worker's end")
        after = server.connections(site)
    finally:
        os.kill(template, signal.SIGCONT)
    site.spares(1)
    made = Count(server.connections(site) - after, after - before)
    print(f"connections: {made}")
    return made


def test_a_run_takes_the_connections_that_its_worker_had_as_a_spare(site: Site, server: Server) -> None:
    made = count(site, server, site.enqueue("bench.standard", site.project()))
    assert not made.after, f"the run has made connections of its own: {made.after}"
    assert made.ahead.total() <= 4, f"a spare makes {made.ahead}"


def test_threads_of_a_run_share_its_connections(site: Site, server: Server) -> None:
    """Phase 0 researches in two threads, which log, pay and save side by side."""
    project = make_project(site.database)
    made = count(site, server, site.enqueue(JOB_TYPE, project, {"ownerClerkId": OWNER}))
    assert not made.after["dagster"], "a run has asked Dagster's database in two ways at once"
    # Both threads, the events and the lease at the very same moment: rare, and better than waiting for each other.
    assert made.ahead.total() + made.after["studio"] <= 5, f"a run has made {made}"


def test_the_rehearsal_leaves_no_trace(site: Site) -> None:
    site.spares(1)
    assert "rehearsal" not in {key.path[-1] for key in site.instance.all_asset_keys()}
    assert not [run for run in site.instance.get_runs() if run.job_name == "_rehearsal"]


# --- statements on a connection that broke


@pytest.fixture
def engine(site: Site) -> sqlalchemy.Engine:
    return engines.shared_engine(site.dagster_url)


def ask(connection: sqlalchemy.Connection, statement: str) -> Any:
    return connection.execute(sqlalchemy.text(statement)).scalar_one()


def test_an_idle_connection_that_was_ended_is_not_lent(engine: sqlalchemy.Engine, server: Server) -> None:
    with engines.connect(engine) as connection:
        before = ask(connection, "select pg_backend_pid()")
    server.cut_off_everybody()
    with engines.connect(engine) as connection:
        assert ask(connection, "select pg_backend_pid()") != before


def test_a_statement_of_its_own_is_sent_again(engine: sqlalchemy.Engine, server: Server) -> None:
    with engines.connect(engine) as connection:
        before = ask(connection, "select pg_backend_pid()")
        server.cut_off_everybody()
        assert ask(connection, "select pg_backend_pid()") != before


def test_a_later_statement_on_the_same_connection_is_sent_again(engine: sqlalchemy.Engine, server: Server) -> None:
    """As when an event is stored, and then announced."""
    with engines.connect(engine) as connection:
        for _ in range(3):
            ask(connection, "select 1")
            server.cut_off_everybody()
        assert ask(connection, "select 1") == 1


def test_a_statement_inside_a_transaction_is_not(engine: sqlalchemy.Engine, server: Server) -> None:
    """What came before it is lost, so it would be carried out without that."""
    with engines.connect(engine) as connection:
        connection.execute(sqlalchemy.text("create table if not exists halves (half text)"))
    with engines.connect(engine) as connection:
        with pytest.raises(OperationalError):  # noqa: PT012 - the block is the transaction
            with connection.begin():
                connection.execute(sqlalchemy.text("insert into halves values ('first')"))
                server.cut_off_everybody()
                connection.execute(sqlalchemy.text("insert into halves values ('second')"))
    with engines.connect(engine) as connection:
        assert ask(connection, "select count(*) from halves where half = 'second'") == 0


def test_what_goes_with_an_assets_event_is_sent_again_as_a_whole(
    site: Site, engine: sqlalchemy.Engine, server: Server
) -> None:
    """Dagster writes tags and key of an asset in a transaction, of which nothing stands when it is cut off."""
    blows = iter([server.cut_off_everybody, server.cut_off_everybody])

    def strike(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO asset_keys") and (blow := next(blows, None)) is not None:
            blow()

    asset = dagster.AssetMaterialization("struck", tags={"greenlight/kind": "page"})
    shared = site.instance.event_log_storage._engine  # type: ignore[attr-defined]
    sqlalchemy.event.listen(shared, "before_cursor_execute", strike)
    try:
        site.instance.report_runless_asset_event(asset)
    finally:
        sqlalchemy.event.remove(shared, "before_cursor_execute", strike)
    assert next(blows, None) is None, "nothing was struck"
    assert site.instance.get_latest_materialization_event(asset.asset_key) is not None
    assert asset.asset_key in site.instance.all_asset_keys()
    with engines.connect(engine) as connection:
        assert ask(connection, "select count(*) from asset_keys where asset_key like '%struck%'") == 1


def test_a_connection_that_dies_before_its_transaction_begins_costs_no_event(
    site: Site, engine: sqlalchemy.Engine, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To leave autocommit again is a statement too, and its error is the driver's own."""
    blows = iter([server.cut_off_everybody])
    lend = engines.connect

    def connect(engine: sqlalchemy.Engine) -> sqlalchemy.Connection:
        lent = lend(engine)
        if (blow := next(blows, None)) is not None:
            assert ask(lent, "select 1") == 1
            lent.rollback()
            blow()
        return lent

    with engines.connect(engine) as connection:
        connection.execute(sqlalchemy.text("create table if not exists wholes (whole text)"))
    for lending in (lend, connect):
        monkeypatch.setattr(engines, "connect", lending)
        with engines.collected(engine) as taken:
            taken.execute(sqlalchemy.text("insert into wholes values ('whole')"))
    assert next(blows, None) is None
    with lend(engine) as connection:
        assert ask(connection, "select count(*) from wholes") == 2


def test_an_error_of_the_statement_is_raised_at_once(engine: sqlalchemy.Engine) -> None:
    with engines.connect(engine) as connection:
        with pytest.raises(DBAPIError, match="division by zero"):
            ask(connection, "select 1 / 0")
        assert ask(connection, "select 1") == 1


def test_the_web_servers_timeout_holds_for_its_statements_alone(site: Site, engine: sqlalchemy.Engine) -> None:
    with DagsterInstance.from_config(str(site.home)) as web:
        web.optimize_for_webserver(statement_timeout=100, pool_recycle=3600, max_overflow=20)
        for storage in (web.run_storage, web.event_log_storage, web.schedule_storage):
            with engines.connect(storage._engine) as connection:  # type: ignore[union-attr]
                assert ask(connection, "show statement_timeout") == "100ms"
                with pytest.raises(OperationalError, match="statement timeout"):
                    ask(connection, "select pg_sleep(10)")
    with engines.connect(engine) as connection:
        assert ask(connection, "show statement_timeout") == "0"


# --- a database that is away while work goes on


def cut_off(server: Server) -> None:
    for _ in range(5):
        server.cut_off_everybody()
        time.sleep(0.1)


def restart(server: Server) -> None:
    server.embedded.restart()


BLOWS = pytest.mark.parametrize("blow", [cut_off, restart])


@BLOWS
def test_a_run_that_writes_all_the_while_goes_on(
    site: Site, server: Server, tmp_path: Path, blow: Callable[[Server], None]
) -> None:
    running = Launching(site.instance, tmp_path)
    run = running.launch("chatting_job")
    running.began(run)
    blow(server)
    said = len(running.messages(run))
    eventually(lambda: len(running.messages(run)) > said + 20, what="more lines")
    running.go()
    assert site.ends(run) is DagsterRunStatus.SUCCESS
    lines = [message for message in running.messages(run) if message.startswith("line ")]
    # One whose answer was lost may stand twice; none is missing, and none is out of order.
    assert list(dict.fromkeys(lines)) == [f"line {number + 1}" for number in range(len(set(lines)))]
    assert f"{len(set(lines))} lines" in running.messages(run)


@BLOWS
def test_an_agent_job_loses_neither_its_run_nor_an_attempt(
    site: Site, server: Server, model: SandboxThread, blow: Callable[[Server], None]
) -> None:
    project = make_project(site.database)
    job_id = site.enqueue(JOB_TYPE, project, {"ownerClerkId": OWNER})
    model.clear()
    run = site.launch(job_id)
    eventually(lambda: model.requests(), PATIENCE, "its first question to the model")
    while not _is_over(site, run.run_id):
        said = _said(site, job_id)
        blow(server)
        # However slow the machine is, there is something between two blows that gets through.
        eventually(lambda said=said: _is_over(site, run.run_id) or _said(site, job_id) > said, PATIENCE, "progress")
    assert site.ends(run) is DagsterRunStatus.SUCCESS, _log(site, run.run_id)
    job = queue.get(site.database, job_id)
    assert (job.status, job.attempts, job.claim_no, job.last_error) == ("completed", 1, 1, None)
    asked = Counter(request["schema_title"] for request in model.requests() if request["schema_title"])
    assert set(asked.values()) == {1}, f"something was paid for twice: {asked}"


def _log(site: Site, run_id: str) -> str:
    return "\n".join(str(entry.dagster_event or entry.message) for entry in site.instance.all_logs(run_id))[-8000:]


def _said(site: Site, job_id: UUID) -> int:
    row = site.database.fetch_one("select count(*) as n from public.agent_job_events where job_id = %s", [job_id])
    return int(row["n"]) if row else 0


def _is_over(site: Site, run_id: str) -> bool:
    run = site.instance.get_run_by_id(run_id)
    return run is not None and run.is_finished


@pytest.fixture(scope="module")
def daemon(site: Site) -> Process:
    """The daemon, whose sensors wait."""
    started = site.start("-m", "greenlight_dagster.daemon", "--workspace", "workspace.yaml")
    site.sensors_wait(started)
    return started


@BLOWS
def test_no_tick_and_no_statement_of_the_daemon_fails(
    site: Site, server: Server, daemon: Process, blow: Callable[[Server], None]
) -> None:
    project = site.project()
    site.becomes(site.enqueue("bench.standard", project, {"sample": 1}), "completed")
    blow(server)
    # Claimed by a sensor that has waited all the while, or by the next one.
    job_id = site.enqueue("bench.standard", project, {"sample": 2})
    assert site.becomes(job_id, "completed").attempts == 1
    assert daemon.running
    assert not site.ticks("FAILURE")
    assert "Traceback" not in daemon.output(), daemon.output()[-4000:]
