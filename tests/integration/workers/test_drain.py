"""A worker that is stopped takes no more runs, lets those in flight finish, and gives back what takes too long."""

from __future__ import annotations

import os
import signal

import pytest
from dagster import DagsterRunStatus

from studio import fleet
from tests.support.cli import process
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.fleet_site import FleetSite, kill_host

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def test_a_stopped_worker_finishes_what_it_has_and_leaves_the_rest_to_others(site: FleetSite) -> None:
    first = site.worker("standard=1", name="first")
    going = site.launch_job("waiting_job")
    site.began(going)
    os.kill(first.pid, signal.SIGTERM)
    first.says("runs in flight get up to")
    second = site.worker("standard=1", name="second")
    later = site.launch_job("quick_job")
    site.reaches(later, DagsterRunStatus.SUCCESS)
    take = fleet.take_of(site.database, later.run_id)
    assert take is not None
    assert take.worker_id == "standard@second"
    assert {w.worker_id: w.status for w in site.workers()}["standard@first"] == "draining"
    site.go()
    assert first.wait() == 0
    site.reaches(going, DagsterRunStatus.SUCCESS)
    assert {w.worker_id: w.status for w in site.workers()}["standard@first"] == "stopped"

    # In a hurry: what goes on is interrupted, and killed where it does not heed.
    site.rest()
    again = site.launch_job("waiting_job")
    site.began(again)
    os.kill(second.pid, signal.SIGTERM)
    second.says("runs in flight get up to")
    os.kill(second.pid, signal.SIGTERM)
    assert second.wait() == 0
    site.reaches(again, DagsterRunStatus.FAILURE)
    assert (site.files / f"interrupted-{again.run_id}").exists()


def test_a_machine_that_went_down_tells_of_its_runs_when_it_is_back(site: FleetSite) -> None:
    before = site.worker("standard=1")
    run = site.launch_job("waiting_job")
    site.began(run)
    kill_host(before)
    after = site.worker("standard=1")
    site.reaches(run, DagsterRunStatus.FAILURE)
    twin = site.start_worker("standard=1", name="here")
    assert twin.wait() == 1
    assert "A worker that is called standard@here lives" in " ".join(twin.output().split())
    assert after.running


def test_a_process_that_has_grown_is_replaced(site: FleetSite) -> None:
    # Less than any has from the beginning.
    site.worker("standard=1", GREENLIGHT_WORKER_MAX_MB="100")
    pids = set()
    for _ in range(3):
        run = site.launch_job("quick_job")
        site.reaches(run, DagsterRunStatus.SUCCESS)
        take = fleet.take_of(site.database, run.run_id)
        assert take is not None
        pids.add(take.pid)
    assert len(pids) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--lane", "fast=1"], "There is no lane 'fast'"),
        (["--lane", "heavy=0"], "does not say how many"),
        (["--lane", "heavy"], "does not say how many"),
        (["--lane", "heavy=1", "--lane", "heavy=2"], "is given twice"),
        (["--name", "a@b"], "cannot be a machine's name"),
    ],
)
def test_a_wrong_option_is_named(site: FleetSite, arguments: list[str], says: str) -> None:
    process("worker", *arguments, **site.variables).fails(says)
