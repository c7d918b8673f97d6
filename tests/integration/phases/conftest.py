"""One database and one sandbox model per module; every test drives the steps of a phase under a real claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.model import model_settings, open_model
from tests.support.phase0 import write_corpus
from tests.support.phases import Founding
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has projects of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.fixture(scope="module")
def informed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxThread]:
    """The sandbox model with pages to find."""
    with SandboxThread(corpus=write_corpus(tmp_path_factory.mktemp("corpus"))) as server:
        yield server


@pytest.fixture(scope="module")
def ignorant() -> Iterator[SandboxThread]:
    """The sandbox model whose searches find nothing."""
    with SandboxThread() as server:
        yield server


@pytest.fixture(autouse=True)
def sandbox(informed: SandboxThread) -> SandboxThread:
    """The informed sandbox, which does not remember what earlier tests ordered and asked."""
    informed.clear()
    return informed


@pytest.fixture(scope="module")
def studio(informed: SandboxThread, db: Database) -> Iterator[Founding]:
    """A studio that finds the pages of the corpus and may not go out."""
    with open_model(informed.url, db) as model:
        yield Founding(db, model_settings(informed.url), model)


@pytest.fixture(scope="module")
def blind(ignorant: SandboxThread, db: Database) -> Iterator[Founding]:
    """A studio whose searches find nothing."""
    with open_model(ignorant.url, db) as model:
        yield Founding(db, model_settings(ignorant.url), model)
