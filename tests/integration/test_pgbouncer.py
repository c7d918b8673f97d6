"""Behind PgBouncer in transaction mode, configured by the project's own file, everything works as without it.

The sessions that it shares out are fewer than those who work, so whatever one leaves behind would be met by another.
With a direct connection for LISTEN news come by notification; without one, polling alone must do.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import sqlalchemy
from dagster import DagsterInstance, DagsterRunStatus

from greenlight_dagster.cli import doctor_pooler
from greenlight_dagster.cli.doctor_tools import Finding
from greenlight_dagster.instance import engines
from studio import delivery, events, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.pooled import Haste
from studio.errors import DatabaseError, ProviderUnavailable
from studio.event_hub import EventHub
from studio.events import NewEvent
from studio.listener import Listener
from studio.settings import Settings, get_settings
from tests.support import dagster as phase0
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, DagsterHome, in_this_process
from tests.support.forks import Forks
from tests.support.job_execute import by_project
from tests.support.pgbouncer import POOL_SIZE, Pooler, needs_pgbouncer, pooler
from tests.support.pickups import asked_for, evaluate
from tests.support.postgres import TestServer
from tests.support.queue import LEASE, InBackground, claim_next, enqueue, make_project, seqs, statuses
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = [*DAGSTER_WARNINGS, needs_pgbouncer]

# More than there are sessions, each of them often enough that psycopg would prepare what it repeats.
WORKERS, JOBS, LINES = 4 * POOL_SIZE, 48, 6
NEVER = 600.0
LONG = 60.0
HASTE = Haste(wait_seconds=20, statement_seconds=15, lock_seconds=0.4)


class Behind:
    """A studio's and a Dagster database behind a pooler, and ways to get to them."""

    def __init__(self, pgbouncer: Pooler, studio: str, dagster: str) -> None:
        self.pgbouncer, self.studio, self.dagster = pgbouncer, studio, dagster

    def settings(self, **changes: object) -> Settings:
        given = {
            "database_url": self.pgbouncer.url(self.studio),
            "dagster_database_url": self.pgbouncer.sqlalchemy_url(self.dagster),
            "db_pooled": True,
            "listen_url": self.pgbouncer.direct_url(self.studio),
        }
        return Settings(**{**given, **changes})  # type: ignore[arg-type]

    @contextlib.contextmanager
    def opened(self, haste: Haste | None = None, **changes: object) -> Iterator[Database]:
        with Database.from_settings(self.settings(**{"db_pool_size": WORKERS, **changes}), haste=haste) as db:
            yield db

    def every_session(self, db: Database, query: str) -> list[object]:
        """Ask each session of the pooler the same, by holding all of them at once."""
        with contextlib.ExitStack() as held:
            conns = [held.enter_context(db.transaction()) for _ in range(POOL_SIZE)]
            answers = [
                conn.execute(f"select pg_backend_pid() as pid, {query} as answer".encode()).fetchone() for conn in conns
            ]
        assert len({answer["pid"] for answer in answers if answer}) == POOL_SIZE
        return [answer["answer"] for answer in answers if answer]


@pytest.fixture(scope="module")
def behind(postgres: TestServer, database_template: str, dagster_template: str) -> Iterator[Behind]:
    if postgres.embedded is None:
        pytest.skip("the server is not ours to make a role on")
    with (
        postgres.temporary(database_template) as studio,
        postgres.temporary(dagster_template) as dagster,
        pooler(postgres.embedded, studio, dagster) as pgbouncer,
    ):
        yield Behind(pgbouncer, studio, dagster)


@pytest.fixture(params=["listening", "polling"])
def listens(request: pytest.FixtureRequest) -> bool:
    """Whether there is a direct connection for LISTEN."""
    return str(request.param) == "listening"


@pytest.fixture
def pooled(behind: Behind, listens: bool) -> Iterator[Database]:
    with behind.opened(**({} if listens else {"listen_url": None})) as db:
        yield db


@pytest.fixture
def listener(pooled: Database, listens: bool) -> Iterator[Listener]:
    with Listener(pooled, listen=listens) as listener:
        yield listener


# --- sessions are everybody's


def test_a_hasty_reader_leaves_its_limits_with_nobody(behind: Behind) -> None:
    with behind.opened(HASTE) as hasty, behind.opened() as db:
        assert behind.every_session(db, "current_setting('statement_timeout')") == ["0"] * POOL_SIZE
        assert behind.every_session(hasty, "current_setting('statement_timeout')") == ["15s"] * POOL_SIZE
        for _ in range(3 * POOL_SIZE):
            assert hasty.fetch_one("select current_setting('lock_timeout') as limit") == {"limit": "400ms"}
        assert behind.every_session(db, "current_setting('statement_timeout')") == ["0"] * POOL_SIZE
        assert behind.every_session(db, "current_setting('lock_timeout')") == ["0"] * POOL_SIZE


def test_a_hasty_reader_waits_for_no_lock(behind: Behind) -> None:
    with behind.opened(HASTE) as hasty, behind.opened() as db, db.transaction() as conn:
        conn.execute("lock table public.agent_memory")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            hasty.fetch_all("select * from public.agent_memory")
        with pytest.raises(psycopg.errors.LockNotAvailable), hasty.transaction() as reading:
            reading.execute("select * from public.agent_memory")


def test_everybody_works_in_utc_whatever_another_client_has_set(behind: Behind) -> None:
    with behind.opened() as db, behind.opened() as other:
        with other.connection() as conn:
            conn.execute("set timezone to 'Asia/Tokyo'")
            assert conn.execute("show timezone").fetchone() == {"TimeZone": "Asia/Tokyo"}
            for _ in range(3 * POOL_SIZE):
                assert db.fetch_one("show timezone") == {"TimeZone": "UTC"}
        assert behind.every_session(db, "current_setting('timezone')") == ["UTC"] * POOL_SIZE


def test_a_server_in_another_zone_is_worked_with_in_utc(behind: Behind, postgres: TestServer) -> None:
    with psycopg.connect(postgres.url(behind.studio), autocommit=True) as conn:
        conn.execute(f"alter database \"{behind.studio}\" set timezone to 'Asia/Tokyo'")
        try:
            behind.pgbouncer.console("reconnect")
            with behind.opened() as db:
                assert behind.every_session(db, "current_setting('timezone')") == ["UTC"] * POOL_SIZE
        finally:
            conn.execute(f'alter database "{behind.studio}" reset timezone')
            behind.pgbouncer.console("reconnect")


def test_who_does_not_know_of_the_pooler_is_told(behind: Behind) -> None:
    with behind.opened(db_pooled=False) as db, pytest.raises(DatabaseError, match=r"GREENLIGHT_DB_POOLED=true"):
        db.connect()


# --- the queue


def events_of(db: Database, claim: Claim, line: str) -> None:
    with db.transaction() as conn:
        events.append(conn, claim.job_id, [NewEvent("log", line)], claim.claim_no)


def work_through(db: Database, left: threading.Event) -> list[UUID]:
    """Claim and carry out jobs until none is `left`; return those that were carried out."""
    done: list[UUID] = []
    while not left.is_set():
        for job in queue.claim(
            db, "worker", limit=2, lane="standard", lease=LEASE, slots=WORKERS, project_limit=WORKERS
        ):
            claim = Claim(db, job)
            for number in range(LINES):
                events_of(db, claim, f"line {number}")
                assert claim.renew(timedelta(minutes=1)) is not None
            claim.once("step", lambda: {"n": 1})
            claim.complete()
            done.append(job.id)
    return done


def test_many_workers_share_few_sessions(pooled: Database, behind: Behind) -> None:
    project = make_project(pooled)
    jobs = {enqueue(pooled, project) for _ in range(JOBS)}
    over = threading.Event()
    with ThreadPoolExecutor(WORKERS) as workers:
        working = [workers.submit(work_through, pooled, over) for _ in range(WORKERS)]
        try:
            eventually(lambda: all(queue.get(pooled, job_id).ended for job_id in jobs), LONG, "the end of the jobs")
        finally:
            over.set()
        done = [job_id for worker in working for job_id in worker.result()]
    assert sorted(done) == sorted(jobs)
    for job_id in done:
        assert statuses(pooled, job_id) == ["queued", "running", "completed"]
    assert seqs(pooled, project) == list(range(1, JOBS * (3 + LINES) + 1))
    [pool] = [pool for pool in behind.pgbouncer.console("show databases") if pool["name"] == behind.studio]
    assert pool["current_connections"] == POOL_SIZE, "the pool was no bottle-neck, so nothing was shared"


def test_a_pooler_that_is_restarted_costs_nothing_but_time(behind: Behind) -> None:
    with behind.opened() as db:
        project = make_project(db)
        enqueue(db, project)
        claim = claim_next(db)
        behind.pgbouncer.stop()
        with Listener(db) as listener, listener.subscribe("news", safety_poll_seconds=NEVER) as woken:
            assert woken.wait(LONG), "LISTEN does not need the pooler"
        saved = InBackground(lambda: claim.once("step", lambda: {"n": 1}))
        behind.pgbouncer.start()
        assert saved.result() == {"n": 1}
        claim.complete()
        assert queue.get(db, claim.job_id).status == "completed"


def test_no_lock_that_outlasts_a_transaction_is_held_by_a_pooled_session(behind: Behind) -> None:
    with behind.opened() as db, contextlib.ExitStack() as held:
        # As many as there are sessions are at a provider, and each writes meanwhile.
        for number in range(POOL_SIZE):
            held.enter_context(delivery._alone(db, UUID(int=number), 5.0, "a provider"))
        assert behind.every_session(db, "1") == [1] * POOL_SIZE


def test_a_lock_is_held_for_as_long_as_a_provider_takes_without_a_direct_connection(behind: Behind) -> None:
    with behind.opened(listen_url=None) as db, delivery._alone(db, UUID(int=1), 5.0, "a provider"):
        for _ in range(3 * POOL_SIZE):
            db.fetch_one("select 1")
        with pytest.raises(ProviderUnavailable), delivery._alone(db, UUID(int=1), 0.2, "a provider"):
            pass


# --- news


def test_who_follows_misses_nothing(pooled: Database, listener: Listener, listens: bool) -> None:
    project = make_project(pooled)
    job_id = enqueue(pooled, project)
    seen: list[int] = []

    def follow() -> None:
        def ended() -> bool:
            return queue.get(pooled, job_id).ended and seen[-1:] == seqs(pooled, project)[-1:]

        # Nothing but a notification wakes who listens; who polls is woken by nothing else.
        with EventHub(pooled, listener, safety_poll_seconds=NEVER) as hub:
            for event in hub.follow(project, 0, stop=ended):
                seen.append(event.seq)

    following = InBackground(follow)
    claim = claim_next(pooled)
    for number in range(LINES):
        events_of(pooled, claim, f"line {number}")
        eventually(lambda: seen and seen[-1] == seqs(pooled, project)[-1], LONG, "the news")
    claim.complete()
    following.result(LONG)
    assert seen == list(range(1, 3 + LINES + 1))


def test_news_come_by_notification_over_the_direct_connection(behind: Behind) -> None:
    with behind.opened() as db, Listener(db) as listener:
        with listener.subscribe("news", safety_poll_seconds=NEVER) as woken:
            assert woken.wait(LONG), "the LISTEN did not become active"
            for _ in range(3):
                db.execute("select pg_notify('news', '')")
                assert woken.wait(LONG)


# --- Dagster


def test_a_limit_of_dagsters_web_server_ends_with_its_statement(
    behind: Behind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_DB_POOLED", "true")
    get_settings.cache_clear()
    url = behind.pgbouncer.sqlalchemy_url(behind.dagster)
    show = sqlalchemy.text("show statement_timeout")
    try:
        for _ in range(2 * POOL_SIZE):
            with engines.connect(engines.shared_engine(url, 1500)) as limited:
                assert limited.execute(show).scalar() == "1500ms"
            with engines.connect(engines.shared_engine(url)) as free:
                assert free.execute(show).scalar() == "0"
        with engines.connect(engines.shared_engine(url, 100)) as limited:
            with pytest.raises(sqlalchemy.exc.OperationalError, match="statement timeout"):
                limited.execute(sqlalchemy.text("select pg_sleep(30)"))
    finally:
        engines.disconnect()


@pytest.fixture
def home(
    behind: Behind,
    listens: bool,
    model_server: SandboxThread,
    forks: Forks,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[DagsterHome]:
    settings = behind.settings()
    assert settings.database_url is not None
    assert settings.dagster_database_url is not None
    made = DagsterHome(tmp_path / "home", settings.database_url, settings.dagster_database_url, model_server.url, forks)
    made.variables["GREENLIGHT_DB_POOLED"] = "true"
    made.variables["WORKER_POLL_MS"] = "100"
    if listens:
        made.variables["GREENLIGHT_LISTEN_URL"] = str(settings.listen_url)
    with in_this_process(made, monkeypatch):
        yield made


def test_a_whole_job_from_its_claim_to_its_packet(home: DagsterHome, pooled: Database) -> None:
    project = phase0.make_project(pooled)
    assert home.execute(by_project(project)).wait() == 0
    [job] = [job for job in queue.find(pooled, project_id=project) if job.job_type == JOB_TYPE]
    assert (job.status, job.last_error) == ("completed", None)
    assert set(phase0.steps(pooled, job.id)) == set(phase0.STEPS)
    found = seqs(pooled, project)
    assert found == list(range(1, len(found) + 1))
    with DagsterInstance.from_config(str(home.folder)) as instance:
        run = phase0.run_of(instance, pooled, job.id)
        assert run.status is DagsterRunStatus.SUCCESS
        # What the next job is picked up by.
        again = phase0.enqueue(pooled, phase0.make_project(pooled))
        assert f"{again}:1" in asked_for(evaluate(instance))
    engines.disconnect()


# --- what the doctor says


def said(settings: Settings) -> list[Finding]:
    with Database.from_settings(settings) as db:
        return list(doctor_pooler.findings(settings, db))


def test_the_doctor_finds_settings_that_fit(behind: Behind) -> None:
    [found] = said(behind.settings())
    assert (found.state, found.detail.split(",")[0]) == ("ok", "transactions are pooled")


@pytest.mark.parametrize(
    ("changes", "state", "words"),
    [
        ({"listen_url": None}, "warning", "set GREENLIGHT_LISTEN_URL"),
        ({"db_listen": False}, "warning", "GREENLIGHT_DB_LISTEN is off"),
        ({"listen_url": "POOLED"}, "problem", "hears nothing"),
        ({"listen_url": "ELSEWHERE"}, "problem", "hears nothing"),
        ({"database_url": "DIRECT"}, "warning", "no pooler is there"),
        ({"database_url": "DIRECT", "db_pooled": False}, "warning", "put both behind it"),
    ],
)
def test_the_doctor_names_what_does_not_fit(
    behind: Behind, postgres: TestServer, changes: dict[str, object], state: str, words: str
) -> None:
    # A session of the pooler would refuse the options that a direct one is opened with.
    pooled = behind.pgbouncer.url(behind.studio)
    urls = {"POOLED": pooled, "ELSEWHERE": postgres.url(postgres.maintenance), "DIRECT": behind.settings().listen_url}
    changes = {name: urls.get(str(value), value) for name, value in changes.items()}
    [found] = said(behind.settings(**changes))
    assert found.state == state
    assert words in found.detail


def test_the_doctor_says_nothing_where_there_is_no_pooler(behind: Behind) -> None:
    direct = behind.settings().listen_url
    plain = behind.settings(database_url=direct, dagster_database_url=None, db_pooled=False, listen_url=None)
    assert said(plain) == []
