"""A tick checks and tells by itself: it launches nothing, and what fails keeps nothing else from being done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from dagster import DagsterInstance, build_schedule_context

from resources.database import StudioDatabase
from schedules import operations
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.operations import alerts
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS, forget_process
from tests.support.traces import make_trace, span

pytestmark = DAGSTER_WARNINGS

Tick = Callable[[], str | None]


@pytest.fixture
def tick(database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Tick]:
    """Return a function that evaluates the schedule as the daemon does, and returns what its tick says."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("GREENLIGHT_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GREENLIGHT_ALERT_EMAIL", "ops@example.org")
    forget_process()
    with DagsterInstance.ephemeral() as instance:

        def evaluate() -> str | None:
            context = build_schedule_context(
                instance=instance,
                scheduled_execution_time=datetime(2026, 3, 1, 12, tzinfo=UTC),
                resources={"studio_database": StudioDatabase()},
            )
            data = operations.operations_every_minute.evaluate_tick(context)
            assert not data.run_requests
            return data.skip_message

        yield evaluate
    forget_process()


def test_a_tick_tells_what_is_wrong_and_the_next_one_does_not_tell_it_again(
    tick: Tick, database: Database, tmp_path: Path
) -> None:
    make_trace(
        database,
        spans=[span("job:test.work", 0, 1000, error="It broke.", fingerprint="f00d")],
        ago=timedelta(seconds=30),
    )
    assert "1 alerts are open, 0 were closed, 1 told; 1 notifications sent, 0 failed." in (tick() or "")
    assert "1 alerts are open, 0 were closed, 0 told; 0 notifications sent, 0 failed." in (tick() or "")
    assert len(list((tmp_path / "outbox").glob("*.eml"))) == 1


def test_what_fails_keeps_nothing_else_from_being_done_and_fails_the_tick(
    tick: Tick, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    def broken(_: Database, __: Settings) -> str:
        raise DatabaseError("It is away.")

    def well(_: Database, __: Settings) -> str:
        done.append("well")
        return "Done."

    monkeypatch.setattr(operations, "WORKS", {"broken": broken, "well": well})
    with pytest.raises(DatabaseError, match="It is away"):
        operations.do_all(database, Settings())
    assert done == ["well"]
    monkeypatch.setattr(operations, "WORKS", {"well": well})
    assert tick() == "well: Done."


def test_alerts_are_checked_every_minute() -> None:
    assert operations.WORKS["alerts"] is alerts.check
    assert operations.operations_every_minute.cron_schedule == "* * * * *"
