"""The fixtures of tests that drive the steps of phases: a `conftest` imports them by name.

One database and one pair of sandbox models per module: one finds the pages of the corpus, the other finds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.phase0 import write_corpus
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
def sandbox(informed: SandboxThread, ignorant: SandboxThread) -> SandboxThread:
    """The informed sandbox; neither remembers what earlier tests ordered and asked."""
    informed.clear()
    ignorant.clear()
    return informed
