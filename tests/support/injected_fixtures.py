"""One Dagster home for a module of tests that run real jobs: name this module in `pytest_plugins` to have it.

A home of its own for each test would cost more than the runs do. Jobs and projects are each test's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterInstance

from greenlight_dagster.instance import engines
from studio.database.connection import Database
from tests.support.dagster import DagsterHome, in_this_process
from tests.support.forks import Forks
from tests.support.injected import Pipeline
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread

# So that a call has a price, and a sum of prices is something to compare.
PRICED = '{"sandbox": {"input_usd_per_million": 3, "output_usd_per_million": 15}}'


@pytest.fixture(scope="module")
def shared_model(corpus: Path) -> Iterator[SandboxThread]:
    with SandboxThread(corpus=corpus) as running:
        yield running


@pytest.fixture(scope="module")
def shared_home(
    postgres: TestServer,
    database_template: str,
    dagster_template: str,
    shared_model: SandboxThread,
    forks: Forks,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[DagsterHome]:
    with postgres.temporary(database_template) as studio, postgres.temporary(dagster_template) as dagster:
        made = DagsterHome(
            tmp_path_factory.mktemp("shared") / "home",
            postgres.url(studio),
            postgres.sqlalchemy_url(dagster),
            shared_model.url,
            forks,
        )
        made.variables["GREENLIGHT_MODEL_PRICES"] = PRICED
        yield made


@pytest.fixture(scope="module")
def shared_instance(shared_home: DagsterHome) -> Iterator[DagsterInstance]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in shared_home.variables.items():
            patch.setenv(name, value)
        with DagsterInstance.from_config(str(shared_home.folder)) as opened:
            yield opened
        engines.disconnect()


@pytest.fixture(scope="module")
def shared_database(shared_home: DagsterHome) -> Iterator[Database]:
    with Database(shared_home.variables["DATABASE_URL"]) as opened:
        yield opened


@pytest.fixture
def model(shared_model: SandboxThread) -> Iterator[SandboxThread]:
    """The model that the jobs ask."""
    yield shared_model
    shared_model.clear()


@pytest.fixture
def pipeline(
    shared_home: DagsterHome,
    shared_instance: DagsterInstance,
    shared_database: Database,
    model: SandboxThread,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Pipeline]:
    """Runs jobs in this process. What another test has left in the queue is taken out of it first."""
    shared_database.execute("update public.agent_jobs set status = 'canceled' where status = 'queued'")
    with in_this_process(shared_home, monkeypatch):
        yield Pipeline(shared_database, shared_instance, shared_home, monkeypatch)
