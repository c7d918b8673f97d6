"""What a worker's process makes of a run, short of carrying it out."""

from __future__ import annotations

import os

import pytest
from dagster import DagsterInstance, DagsterRunStatus
from sqlalchemy.exc import OperationalError

from greenlight_dagster.workers import carrying
from studio import fleet
from studio.database.connection import Database
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, defs

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

WORKER = "standard@here"


def created(instance: DagsterInstance, status: DagsterRunStatus) -> str:
    return instance.create_run_for_job(job_def=defs.resolve_job_def(JOB_NAME), status=status).run_id


def ending(db: Database, run_id: str) -> str | None:
    take = fleet.take_of(db, run_id)
    assert take is not None
    assert (take.worker_id, take.host, take.pid) == (WORKER, os.uname().nodename, os.getpid())
    return take.ending


@pytest.mark.parametrize(
    "taker",
    [
        pytest.param(("standard@there", "there", 1, "1"), id="elsewhere"),
        # As in a container that was started anew, to which the broker gives what the one before had.
        pytest.param((WORKER, os.uname().nodename, os.getpid(), "1"), id="an earlier process of the same number"),
    ],
)
def test_a_run_that_somebody_has_is_left_to_him(
    taker: tuple[str, str, int, str], database: Database, instance: DagsterInstance
) -> None:
    run_id = created(instance, DagsterRunStatus.STARTED)
    fleet.take(database, run_id, *taker)
    assert "taken it before" in carrying.carry_out(run_id, WORKER, instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is DagsterRunStatus.STARTED


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        (DagsterRunStatus.CANCELING, "canceled before it began", DagsterRunStatus.CANCELED),
        (DagsterRunStatus.FAILURE, "ended already", DagsterRunStatus.FAILURE),
    ],
)
def test_a_run_that_is_not_to_begin_does_not(
    before: DagsterRunStatus, said: str, after: DagsterRunStatus, database: Database, instance: DagsterInstance
) -> None:
    run_id = created(instance, before)
    assert said in carrying.carry_out(run_id, WORKER, instance)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status is after
    assert ending(database, run_id) == carrying.DONE


def test_a_run_that_was_deleted_is_none(database: Database, instance: DagsterInstance) -> None:
    assert "deleted" in carrying.carry_out("no-such-run", WORKER, instance)
    assert ending(database, "no-such-run") == carrying.DONE


def test_a_run_that_cannot_be_begun_is_held_by_nobody(
    database: Database, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = created(instance, DagsterRunStatus.STARTING)

    def is_away(*_: object) -> None:
        raise OperationalError("select", {}, Exception("the server is away"))

    with monkeypatch.context() as away:
        away.setattr(instance, "get_run_by_id", is_away)
        with pytest.raises(OperationalError):
            carrying.carry_out(run_id, WORKER, instance)
    assert "broke off" in str(ending(database, run_id))
