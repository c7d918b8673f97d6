"""One migrated database per module; each test has a project of its own in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio import lanes
from studio.database.connection import Database
from studio.settings import Settings
from tests.support.approvals import Company
from tests.support.postgres import TestServer

# As many as there are people who press the same button at once in a test.
CONNECTIONS = 20


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    with (
        postgres.temporary(database_template) as name,
        Database(postgres.url(name), pool_size=CONNECTIONS + 2) as db,
    ):
        lanes.prepare_database(db, Settings())
        yield db


@pytest.fixture
def company(db: Database) -> Company:
    """A project in phase 1 that may do everything."""
    return Company(db)


@pytest.fixture
def make_company(db: Database) -> Callable[..., Company]:
    def make(**fields: Any) -> Company:
        return Company(db, **fields)

    return make
