"""`greenlight bench` refuses clearly where nobody would run its jobs, and leaves nothing behind where somebody does."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from greenlight_dagster.bench.ground import OWNER
from greenlight_dagster.cli import bench, pickup
from greenlight_dagster.stack.ticks import Tick
from sensors.relays import pickup_name
from studio import claims, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.job_types import BENCH_STARTED_AT, LANES
from tests.support.cli import Greenlight
from tests.support.postgres import TestServer
from tests.support.queue import LEASE, make_project

LATE_SECONDS = 0.05


class Worker:
    """Runs the jobs that do nothing, in a thread instead of a stack; `clock` is added to its moments."""

    def __init__(self, db: Database, clock: float = 0.0) -> None:
        self._db = db
        self._clock = clock
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            for job in queue.claim(self._db, "worker", limit=5, lane=None, lease=LEASE, slots=50, project_limit=50):
                self._do(job)
            time.sleep(0.005)

    def _do(self, job: queue.Job) -> None:
        claim = Claim(self._db, job)
        assert job.job_type.startswith("bench.")
        claim.once("noop", lambda: {BENCH_STARTED_AT: time.time() + LATE_SECONDS + self._clock})
        claim.complete()


@pytest.fixture
def worker(db: Database) -> Iterator[Worker]:
    with Worker(db) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(db: Database) -> Iterator[None]:
    yield
    left = db.fetch_all("select id from public.projects where owner_clerk_id = %s", [OWNER])
    db.execute("delete from public.projects where owner_clerk_id = %s", [OWNER])
    assert left == [], "the measurement left projects behind"


def read(text: str) -> dict[str, Any]:
    """Return the JSON that was printed; what went aside is about DAGSTER_HOME."""
    found: dict[str, Any] = json.loads(text)
    return found


def rows(db: Database) -> dict[str, int]:
    counted = db.fetch_one(
        "select (select count(*) from public.agent_jobs where job_type like 'bench.%%') as jobs,"
        " (select count(*) from public.agent_job_events) as events, (select count(*) from public.projects) as projects"
    )
    assert counted is not None
    return dict(counted)


# --- what is measured


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize("lane", LANES)
def test_latency_is_from_the_commit_to_the_op(greenlight: Greenlight, db: Database, lane: str) -> None:
    before = rows(db)
    ran = greenlight("bench", "latency", "--jobs", 2, "--lane", lane, "--json")
    assert ran.code == 0, ran.err
    found = read(ran.out)
    assert (found["lane"], found["jobs"], found["not_begun"]) == (lane, 2, 0)
    assert LATE_SECONDS * 1000 <= found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"] <= found["worst_ms"]
    assert rows(db) == before


@pytest.mark.usefixtures("worker")
def test_a_burst_says_how_many_runs_a_second(greenlight: Greenlight, db: Database) -> None:
    before = rows(db)
    found = read(greenlight("bench", "burst", "--jobs", 12, "--json").out)
    assert (found["sent"], found["completed"]) == (12, 12)
    assert found["per_second"] == pytest.approx(12 / found["seconds"])
    assert greenlight("bench", "burst", "--jobs", 3).said.startswith("3 of 3 jobs in ")
    assert rows(db) == before


@pytest.mark.usefixtures("worker")
def test_chats_come_at_their_rate(greenlight: Greenlight, db: Database) -> None:
    before = rows(db)
    ran = greenlight("bench", "chats", "--seconds", 1, "--per-second", 5)
    assert ran.code == 0, ran.err
    assert "p99_ms" in ran.out
    assert "realtime" in ran.out
    assert rows(db) == before


@pytest.mark.usefixtures("worker")
def test_without_a_dagster_home_the_runs_stay_and_it_says_so(greenlight: Greenlight) -> None:
    assert "DAGSTER_HOME is not set" in greenlight("bench", "burst", "--jobs", 1).err


def test_work_of_others_is_left_alone_and_mentioned(greenlight: Greenlight, db: Database) -> None:
    project = make_project(db)
    with db.transaction() as conn:
        job_id = queue.enqueue(conn, queue.NewJob("bench.heavy", project)).job_id
        held = claims.claim_by_id(conn, db, job_id, "somebody", "run", LEASE)
    with Worker(db):
        ran = greenlight("bench", "burst", "--jobs", 1, "--lane", "heavy")
    assert ran.code == 0, ran.err
    assert "The heavy lane is at work (1 running, 0 queued)" in ran.err
    assert queue.get(db, job_id).status == "running"
    held.complete()


# --- what is refused


def test_no_stack_and_no_database(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    greenlight("bench", "latency").fails("No stack runs on", "Start the stack with `greenlight up`.")


def test_a_database_that_does_not_answer(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me@127.0.0.1:1/studio")
    greenlight("bench", "latency").fails("cannot be reached")


def test_a_schema_that_is_behind(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, postgres: TestServer) -> None:
    with postgres.temporary() as name:
        monkeypatch.setenv("DATABASE_URL", postgres.url(name))
        greenlight("bench", "burst").fails("migrations are pending", "greenlight db migrate")


@pytest.mark.parametrize(
    ("ticks", "why"),
    [
        ([], "its sensors have never ticked"),
        (
            [Tick(pickup_name("standard", 1), 300.0, "has not ticked for 300 s: is the daemon running?")],
            "not ticked for 300 s",
        ),
    ],
)
def test_nobody_who_picks_up(
    greenlight: Greenlight, db: Database, monkeypatch: pytest.MonkeyPatch, ticks: list[Tick], why: str
) -> None:
    monkeypatch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", "postgresql://localhost/dagster")
    monkeypatch.setattr(pickup, "last_ticks", lambda _url: ticks)
    before = rows(db)
    greenlight("bench", "latency").fails("Nobody picks up jobs of the standard lane", why, "greenlight up")
    assert rows(db) == before


def test_one_sensor_that_ticks_is_enough(greenlight: Greenlight, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", "postgresql://localhost/dagster")
    monkeypatch.setattr("greenlight_dagster.bench.measures.WARM_UP_SECONDS", 0.2)
    ticks = [Tick(pickup_name("standard", 1), 300.0, "is silent"), Tick(pickup_name("standard", 2), 3.0, None)]
    monkeypatch.setattr(pickup, "last_ticks", lambda _url: ticks)
    monkeypatch.setattr(bench, "_forget_runs", lambda _ground: None)
    greenlight("bench", "latency").fails("Nobody has run a job of the standard lane")


def test_dagsters_database_that_does_not_answer(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", "postgresql+psycopg2://me@127.0.0.1:1/dagster")
    greenlight("bench", "latency").fails("Dagster's database cannot be read", "greenlight doctor")


def test_a_job_that_nobody_runs_is_taken_back(
    greenlight: Greenlight, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("greenlight_dagster.bench.measures.WARM_UP_SECONDS", 0.2)
    before = rows(db)
    ran = greenlight("bench", "latency")
    assert ran.code == 1
    assert "Nobody has run a job of the standard lane for 0 s." in ran.err
    assert rows(db) == before


def test_a_lane_that_there_is_not(greenlight: Greenlight) -> None:
    greenlight("bench", "latency", "--lane", "fast").fails("'fast' is not one of", "standard", code=2)


def test_runs_on_a_machine_with_another_clock(greenlight: Greenlight, db: Database) -> None:
    with Worker(db, clock=-60):
        ran = greenlight("bench", "latency", "--jobs", 1)
    assert ran.code == 1
    assert "Measure on the machine on which the runs are." in ran.err
