"""A tick enqueues what its scheduled moment asks for, once, however late, often or interrupted it is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance, build_schedule_context
from dagster._utils.schedules import cron_string_iterator

from jobs.nightshift_cycle_project import OPS
from resources.database import StudioDatabase
from schedules import night_shift as night_schedules
from studio import fan_out
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.night_shift.cycle import NightShift
from tests.support.dagster import DAGSTER_WARNINGS, defs, forget_process
from tests.support.night import STEPS
from tests.support.queue import make_project

pytestmark = DAGSTER_WARNINGS

NIGHT = datetime(2026, 3, 1, 1, tzinfo=UTC)
CRONS = {
    "night_shift": "0 1 * * *",
    "night_shift_rest": "5-59/10 1-4 * * *",
    "due_mail_hourly": "0 * * * *",
    "digests_daily": "0 7 * * *",
    "nudges_daily": "30 7 * * *",
    "operations_every_minute": "* * * * *",
    "upkeep_hourly": "17 * * * *",
}

Tick = Callable[[str, datetime], str | None]


@pytest.fixture(scope="module")
def instance() -> Iterator[DagsterInstance]:
    """An instance in memory: an evaluation reads nothing from it."""
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def tick(database_url: str, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tick]:
    """Return a function that evaluates a schedule for a moment and returns what its tick says."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    forget_process()

    def evaluate(name: str, at: datetime) -> str | None:
        context = build_schedule_context(
            instance=instance, scheduled_execution_time=at, resources={"studio_database": StudioDatabase()}
        )
        data = defs.resolve_schedule_def(name).evaluate_tick(context)
        assert not data.run_requests, "a schedule only enqueues"
        return data.skip_message

    yield evaluate
    forget_process()


def jobs(db: Database) -> list[dict[str, Any]]:
    return db.fetch_all("select * from public.agent_jobs order by created_at, idempotency_key")


def old_project(db: Database, **columns: Any) -> Any:
    return make_project(db, created_at=datetime(2020, 1, 1, tzinfo=UTC), **columns)


def test_every_schedule_says_its_zone_and_runs_without_being_turned_on() -> None:
    schedules = defs.get_repository_def().schedule_defs
    assert {schedule.name: schedule.cron_schedule for schedule in schedules} == CRONS
    assert {schedule.execution_timezone for schedule in schedules} == {"UTC"}
    assert {schedule.default_status for schedule in schedules} == {dg.DefaultScheduleStatus.RUNNING}


def test_the_night_queues_every_project_and_says_how_many(tick: Tick, database: Database) -> None:
    made = {old_project(database) for _ in range(3)}
    assert tick("night_shift", NIGHT) == "Queued 3 night-shift cycles of 2026-03-01."
    assert {job["project_id"] for job in jobs(database)} == made
    assert {job["payload"]["day"] for job in jobs(database)} == {"2026-03-01"}


def test_the_rest_of_the_night_finds_whom_an_earlier_tick_left_out(
    tick: Tick, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(5):
        old_project(database)
    monkeypatch.setattr(fan_out, "PAGE", 2)
    monkeypatch.setattr(night_schedules, "TICK_SECONDS", 0.0)
    monkeypatch.setattr(fan_out.night_shift, "__kwdefaults__", {"seconds": float("inf"), "page": 2})
    said = tick("night_shift", NIGHT)
    assert said == "Queued 2 night-shift cycles of 2026-03-01, and the rest will follow."
    for at in list(_rest_of(NIGHT))[:3]:
        tick("night_shift_rest", at)
    assert len({job["project_id"] for job in jobs(database)}) == len(jobs(database)) == 5


def test_the_ticks_of_the_rest_are_all_of_the_same_night() -> None:
    ticks = list(_rest_of(NIGHT))
    assert len(ticks) == 24
    assert ticks[0] == NIGHT + timedelta(minutes=5)
    assert {at.date() for at in ticks} == {NIGHT.date()}


def _rest_of(night: datetime) -> list[datetime]:
    """Return the ticks of the rest of the night between this one and the next."""
    found: list[datetime] = []
    for at in cron_string_iterator(night.timestamp(), CRONS["night_shift_rest"], "UTC"):
        if at >= night + timedelta(days=1):
            break
        found.append(at)
    return found


@pytest.mark.parametrize("name", ["night_shift", "due_mail_hourly", "digests_daily", "nudges_daily"])
def test_a_tick_that_comes_twice_does_its_work_once(tick: Tick, database: Database, name: str) -> None:
    old_project(database)
    tick(name, NIGHT)
    before = jobs(database)
    assert len(before) == 1
    tick(name, NIGHT)
    assert jobs(database) == before


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("due_mail_hourly", "email_due:2020-12-31T23"),
        ("digests_daily", "drip_digests:2020-12-31"),
        ("nudges_daily", "drip_nudges:2020-12-31"),
    ],
)
def test_a_tick_that_comes_late_works_under_the_key_of_its_moment(
    tick: Tick, database: Database, name: str, key: str
) -> None:
    said = tick(name, datetime(2020, 12, 31, 23, 59, 59, tzinfo=UTC))
    (job,) = jobs(database)
    assert (job["project_id"], job["idempotency_key"]) == (SYSTEM_PROJECT_ID, key)
    assert said == f"Job {job['id']}: created, queued."


def test_a_schedule_that_was_off_for_nights_harms_nothing(tick: Tick, database: Database) -> None:
    made = old_project(database)
    # Dagster evaluates the last of the ticks that were missed, and those that follow.
    for night in (NIGHT, NIGHT + timedelta(days=9), NIGHT + timedelta(days=10)):
        tick("night_shift", night)
    keys = [job["idempotency_key"] for job in jobs(database)]
    assert keys == [f"nightshift:{made}:2026-03-{day}" for day in ("01", "10", "11")]


def test_the_clock_of_a_country_does_not_move_the_night(tick: Tick, database: Database) -> None:
    old_project(database, timezone="Europe/Berlin")
    # In the night of 29 March, 01:00 UTC is when Berlin's clocks go from two to three.
    for hour in (0, 1, 2):
        tick("due_mail_hourly", datetime(2026, 3, 29, hour, tzinfo=UTC))
    tick("night_shift", datetime(2026, 3, 29, 1, tzinfo=UTC))
    keys = {job["idempotency_key"].partition(":")[2][-13:] for job in jobs(database) if job["lane"]}
    assert {"2026-03-29T00", "2026-03-29T01", "2026-03-29T02"} <= keys


def test_steps_are_those_of_the_dagster_job() -> None:
    described = [(op.name, tuple(need for need in op.needs if need != "report"), op.transactional) for op in OPS]
    assert described == list(STEPS)
    assert all(hasattr(NightShift, op.name) for op in OPS)
