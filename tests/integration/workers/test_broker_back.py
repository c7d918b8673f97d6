"""A broker that went away while all of a lane's processes were busy: when it is back, all of them take runs again."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import redis
from dagster import DagsterRunStatus

from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.fleet_site import FleetSite
from tests.support.site import PATIENCE
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def lose_all(site: FleetSite) -> None:
    site.broker.kill()
    eventually(lambda: {w.status for w in site.workers()} == {"error"}, PATIENCE, "a worker without a broker")
    site.broker.start()


def lose_connections(site: FleetSite) -> None:
    with redis.Redis.from_url(site.broker.url) as client:
        assert client.client_kill_filter(_type="normal", skipme=True) > 0
        assert client.client_kill_filter(_type="pubsub", skipme=True) > 0


@pytest.mark.parametrize("lose", [lose_all, lose_connections])
def test_no_process_is_idle_beside_runs_that_wait(site: FleetSite, lose: Callable[[FleetSite], None]) -> None:
    worker = site.worker("standard=3")
    busy = [site.launch_job("waiting_job") for _ in range(3)]
    for run in busy:
        site.began(run)
    lose(site)
    site.takes_runs(worker, "standard@here")
    site.rest()
    for run in busy:
        site.reaches(run, DagsterRunStatus.SUCCESS)
    # Each goes on until all have begun.
    after = [site.launch_job("waiting_job") for _ in range(3)]
    for run in after:
        site.began(run)
    site.go()
    for run in [*busy, *after]:
        site.reaches(run, DagsterRunStatus.SUCCESS)
        assert site.starts(run) == 1
