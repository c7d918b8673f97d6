"""The real SDK against a real server: one database and one sandbox model per module.

Every test pays from a project of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.model.client import Model
from tests.support.model import TOOLS_PAGE, open_model
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name), pool_size=20) as db:
        yield db


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxThread]:
    """The sandbox model, which finds one page."""
    corpus = tmp_path_factory.mktemp("corpus")
    (corpus / "lendly.md").write_text(TOOLS_PAGE, encoding="utf-8")
    with SandboxThread(corpus=Path(corpus)) as server:
        yield server


@pytest.fixture(autouse=True)
def sandbox(server: SandboxThread) -> SandboxThread:
    """The sandbox model without what earlier tests ordered and asked."""
    server.clear()
    return server


@pytest.fixture(scope="module")
def model(server: SandboxThread, db: Database) -> Iterator[Model]:
    """A client for the sandbox that asks once."""
    with open_model(server.url, db) as model:
        yield model
