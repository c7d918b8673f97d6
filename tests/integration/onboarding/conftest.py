"""One database for a module: its tests have domains, owners and keys of their own in it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from studio.settings import Settings
from tests.support.postgres import TestServer


@pytest.fixture(scope="module")
def db(postgres: TestServer, database_template: str) -> Iterator[Database]:
    with postgres.temporary(database_template) as name, Database(postgres.url(name), pool_size=8) as opened:
        yield opened


@pytest.fixture
def settings() -> Settings:
    return Settings()
