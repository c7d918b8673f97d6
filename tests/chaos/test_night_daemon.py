"""After days in which no daemon ran, the real one makes up for the last night, and its cycle runs to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from dagster import DagsterInstance
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.workspace.load import location_origins_from_yaml_paths

from schedules.night_shift import CRON
from studio.paths import ROOT
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.night import packet, project, rows
from tests.support.postgres import TestServer
from tests.support.site import PATIENCE, installed
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
# A minute in which a daemon of four days ago wakes up; what each tick does is tested by itself in `test_schedules`.
pytestmark = [
    *DAGSTER_WARNINGS,
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`"),
]

DOWN = timedelta(days=4)


def last_seen(instance: DagsterInstance, name: str, cron: str, at: datetime) -> None:
    """Let a daemon have looked at the schedule for the last time at `at`."""
    [location] = location_origins_from_yaml_paths([str(ROOT / "workspace.yaml")])
    origin = RemoteRepositoryOrigin(location, "__repository__").get_instigator_origin(name)
    instance.add_instigator_state(
        InstigatorState(
            origin,
            InstigatorType.SCHEDULE,
            InstigatorStatus.DECLARED_IN_CODE,
            ScheduleInstigatorData(cron, at.timestamp()),
        )
    )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_last_night_is_made_up_for_and_carried_out(
    postgres: TestServer, database_template: str, dagster_template: str
) -> None:
    with installed(postgres, database_template, dagster_template, spares=1) as site:
        now = datetime.now(UTC)
        made = project(site.database, phase=0)
        packet(site.database, made, 0, words=["Talk to five customers"])
        last_seen(site.instance, "night_shift", CRON, now - DOWN)
        daemon = site.start("-m", "greenlight_dagster.daemon", "--workspace", "workspace.yaml")

        def carried_out() -> list[str]:
            assert daemon.running, daemon.output()[-4000:]
            jobs = rows(site.database, "agent_jobs", made)
            return [job["idempotency_key"] for job in jobs if job["status"] == "completed"]

        # Of the nights that were missed only the last is of use to anybody.
        night = (now - timedelta(hours=1)).date()
        assert eventually(carried_out, PATIENCE, "the night's cycle") == [f"nightshift:{made}:{night}"]
        said = [tick["reason"] for tick in site.ticks("SKIPPED") if tick["sensor"] == "night_shift"]
        assert said == [f"Queued 1 night-shift cycles of {night}."]
        listed = [row["description"] for row in rows(site.database, "tasks", made)]
        assert listed == ["nightshift_summary"]
