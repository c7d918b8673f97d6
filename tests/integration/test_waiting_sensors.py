"""Sensors that wait: whatever makes a job due, frees its slot, or ends the wait is noticed at once, by one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.definitions.sensor_definition import SensorExecutionData

from resources.database import StudioDatabase
from sensors import code_server, waiting
from sensors.pickup import build_pickup_sensor
from sensors.waiting import POLLING, Pace, pace
from sensors.watcher import build_watcher
from studio.claims import start
from studio.database.connection import Database
from studio.job_types import Lane
from studio.queue import NewJob, enqueue
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs, forget_process
from tests.support.queue import InBackground, make_project
from tests.support.sessions import cut_off_others
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

# Longer than any test takes: what ends sooner has been woken.
LONG = Pace(120.0, -1)
Evaluate = Callable[..., InBackground]


@pytest.fixture(autouse=True)
def nothing_but_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "SAFETY_POLL_SECONDS", 600.0)


@pytest.fixture
def evaluate(instance: DagsterInstance) -> Iterator[Evaluate]:
    """Evaluate a pickup sensor in the background, as a thread of the code server does."""
    repository = defs.get_repository_def()

    def begin(lane: Lane = "standard", pace: Pace = LONG, number: int = 1) -> InBackground:
        def tick() -> SensorExecutionData:
            resources = {"studio_database": StudioDatabase()}
            with dg.build_sensor_context(instance=instance, repository_def=repository, resources=resources) as context:
                sensor = build_pickup_sensor(lane, number, [*repository.get_all_jobs()], pace)
                return sensor.evaluate_tick(context)

        return InBackground(tick)

    yield begin
    forget_process()


def add(db: Database, project: UUID, lane: Lane = "standard", **options: object) -> UUID:
    with db.transaction() as conn:
        new = NewJob(f"bench.{lane}", project, {"projectId": str(project)}, **options)  # type: ignore[arg-type]
        return enqueue(conn, new).job_id


def listens(db: Database, count: int = 1) -> None:
    """Wait until the code server's listener is there, so that what follows comes as a notification."""

    def there() -> bool:
        row = db.fetch_one(
            "select count(*) as n from pg_stat_activity where datname = current_database() and query ilike 'listen%%'"
        )
        return row is not None and row["n"] >= count

    eventually(there, what="a session that listens")


def keys(tick: InBackground) -> list[str | None]:
    return [request.run_key for request in tick.result().run_requests or []]


def test_a_job_that_comes_meanwhile_is_picked_up(evaluate: Evaluate, database: Database) -> None:
    tick = evaluate()
    listens(database)
    job = add(database, make_project(database))
    assert keys(tick) == [f"{job}:1"]


def test_sensors_of_a_lane_relay_each_other(evaluate: Evaluate, database: Database) -> None:
    ticks = [evaluate(number=number) for number in (1, 2, 3)]
    listens(database)
    jobs = []
    for _ in ticks:
        before = sum(tick.done for tick in ticks)
        jobs.append(add(database, make_project(database)))
        eventually(lambda before=before: sum(tick.done for tick in ticks) == before + 1, what="one more sensor's end")
    assert sorted(key for tick in ticks for key in keys(tick)) == sorted(f"{job}:1" for job in jobs)


def test_another_lanes_job_is_left_to_its_own_sensor(evaluate: Evaluate, database: Database) -> None:
    standard, realtime = evaluate("standard"), evaluate("realtime")
    listens(database)
    job = add(database, make_project(database), "realtime")
    assert keys(realtime) == [f"{job}:1"]
    assert not standard.done
    add(database, make_project(database), "standard")
    assert len(keys(standard)) == 1


def test_a_slot_that_becomes_free_is_filled(
    evaluate: Evaluate, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKER_CONCURRENCY", "1")
    get_settings.cache_clear()
    first, second = add(database, make_project(database)), add(database, make_project(database))
    assert keys(evaluate(pace=POLLING)) == [f"{first}:1"]
    tick = evaluate()
    listens(database)
    assert not tick.done
    start(database, first, 1, "a-run", timedelta(minutes=1)).complete()
    assert keys(tick) == [f"{second}:1"]


def test_a_job_is_picked_up_when_its_time_comes(evaluate: Evaluate, database: Database) -> None:
    job = add(database, make_project(database), run_after=datetime.now(UTC) + timedelta(seconds=1))
    assert keys(evaluate()) == [f"{job}:1"]


def test_a_wait_ends_with_a_word_when_nothing_came(evaluate: Evaluate) -> None:
    assert evaluate(pace=Pace(0.2, -1)).result().skip_message == "No job is due."


def test_whoever_waits_for_his_turn_says_so_in_the_end(evaluate: Evaluate, database: Database) -> None:
    first = evaluate()
    listens(database)
    assert evaluate(pace=Pace(0.2, -1), number=2).result().skip_message == "Another sensor waits."
    add(database, make_project(database))
    assert len(keys(first)) == 1


def test_a_lost_connection_costs_no_tick(evaluate: Evaluate, database: Database) -> None:
    tick = evaluate()
    listens(database)
    with database.connection() as conn:
        cut_off_others(conn)
    job = add(database, make_project(database))
    assert keys(tick) == [f"{job}:1"]


def test_without_listen_polling_finds_the_job(
    evaluate: Evaluate, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_DB_LISTEN", "false")
    monkeypatch.setenv("WORKER_POLL_MS", "50")
    forget_process()
    tick = evaluate()
    job = add(database, make_project(database))
    assert keys(tick) == [f"{job}:1"]


def test_a_stopping_stack_ends_the_wait_and_begins_nothing(
    evaluate: Evaluate, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_STOPPING_FILE", str(tmp_path / "stopping"))
    get_settings.cache_clear()
    ticks = [evaluate(number=number) for number in (1, 2)]
    listens(database)
    (tmp_path / "stopping").touch()
    assert [tick.result().skip_message for tick in ticks] == [waiting.STOPPING.why] * 2
    job = add(database, make_project(database))
    assert evaluate().result().skip_message == waiting.STOPPING.why
    row = database.fetch_one("select status from public.agent_jobs where id = %s", [job])
    assert row == {"status": "queued"}


def test_the_watcher_waits_while_nothing_runs(instance: DagsterInstance, database: Database) -> None:
    watcher, repository = build_watcher(Pace(0.2, -1)), defs.get_repository_def()
    with dg.build_sensor_context(
        instance=instance, repository_def=repository, resources={"studio_database": StudioDatabase()}
    ) as context:
        assert watcher.evaluate_tick(context).skip_message == "Every running job has its run."


@pytest.mark.parametrize(("threads", "waits"), [("24", True), ("17", True), ("16", False), ("", False)])
def test_sensors_wait_only_where_the_code_server_has_threads_to_spare(
    threads: str, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for size in code_server.SIZES:
        monkeypatch.setenv(size, threads)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    assert code_server.threads() == int(threads or 6)
    assert pace(9) == (Pace(45.0, -1) if waits else POLLING)


def test_waiting_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in code_server.SIZES:
        monkeypatch.setenv(size, "99")
    monkeypatch.setenv("GREENLIGHT_PICKUP_WAIT_SECONDS", "0")
    get_settings.cache_clear()
    assert pace(9) == POLLING
