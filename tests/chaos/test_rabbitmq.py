"""RabbitMQ instead of Redis: it delivers at once what a lost worker had, and a run is carried out once all the same."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import DagsterRunStatus

from studio import fleet
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.fleet_site import FleetSite, Rabbit, fleet_installed, kill_host
from tests.support.postgres import TestServer
from tests.support.site import PATIENCE
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = [
    *DAGSTER_WARNINGS,
    pytest.mark.chaos,
    pytest.mark.skipif(not FULL, reason="part of `make chaos`: another broker"),
]


@pytest.fixture
def site(
    postgres: TestServer, database_template: str, dagster_template: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FleetSite]:
    with fleet_installed(postgres, database_template, dagster_template, Rabbit) as made:
        with made.in_this_process(monkeypatch):
            yield made


def test_runs_go_by_rabbitmq_as_well(site: FleetSite) -> None:
    first = site.worker("standard=1", name="first")
    run = site.launch_job("waiting_job")
    site.began(run)
    second = site.worker("standard=1", name="second")
    kill_host(first)
    # Its message comes to the second worker, which finds the run taken, and is free for the next one.
    second.says(f"run {run.run_id}: Somebody has taken it before.")
    after = site.launch_job("quick_job")
    site.reaches(after, DagsterRunStatus.SUCCESS)
    assert site.starts(run) == 1
    back = site.worker("standard=1", name="first")
    site.reaches(run, DagsterRunStatus.FAILURE)

    # A broker that is restarted has kept what was sent to it.
    back.interrupt()
    going = site.launch_job("waiting_job")
    site.began(going)
    waits = site.launch_job("quick_job")
    site.broker.kill()
    eventually(lambda: fleet.offered_slots(site.database, "standard", 1.0) == 0, PATIENCE, "a fleet without a broker")
    site.broker.start()
    site.takes_runs(second, "standard@second")
    site.go()
    for one in (going, waits):
        site.reaches(one, DagsterRunStatus.SUCCESS)
        assert site.starts(one) == 1
