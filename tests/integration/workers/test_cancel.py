"""A canceled run leaves its process, and what its worker knows of it, as any other run does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from dagster import DagsterRunStatus

from studio import fleet
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.fleet_site import FleetSite, fleet_installed
from tests.support.launcher import kill
from tests.support.postgres import TestServer
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture(scope="module")
def shared(postgres: TestServer, database_template: str, dagster_template: str) -> Iterator[FleetSite]:
    with fleet_installed(postgres, database_template, dagster_template) as made:
        made.worker("standard=1")
        yield made


@pytest.fixture
def site(shared: FleetSite, monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetSite]:
    with shared.in_this_process(monkeypatch):
        yield shared
        shared.rest()


def test_a_process_that_had_a_canceled_run_is_told_of_when_it_is_lost_with_another(site: FleetSite) -> None:
    canceled = site.launch_job("waiting_job")
    pid = site.began(canceled)
    assert site.run_launcher.terminate(canceled.run_id) is True
    site.reaches(canceled, DagsterRunStatus.CANCELED)
    later = site.launch_job("waiting_job")
    assert site.began(later) == pid
    kill(pid)
    site.reaches(later, DagsterRunStatus.FAILURE)
    assert any("was lost" in message for message in site.messages(later))


def test_a_run_whose_process_dies_while_it_is_canceled_is_ended(site: FleetSite) -> None:
    run = site.launch_job("deaf_job")
    pid = site.began(run)
    assert site.run_launcher.terminate(run.run_id) is True
    eventually((site.files / f"interrupted-{run.run_id}").exists, what="the interrupt")
    kill(pid)
    site.reaches(run, DagsterRunStatus.CANCELED)
    take = fleet.take_of(site.database, run.run_id)
    assert take is not None
    assert "lost" in str(take.ending)
