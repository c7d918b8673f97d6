"""One database and one set of providers per module; every test drives real claims of approved actions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.actions import Stage, action_settings, hook_client
from tests.support.postgres import TestServer
from tests.support.providers import Providers, providers


@pytest.fixture(scope="module")
def url(postgres: TestServer, database_template: str) -> Iterator[str]:
    """One database for the module: each test has companies of its own in it."""
    with postgres.temporary(database_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def db(url: str) -> Iterator[Database]:
    with Database(url) as db:
        yield db


@pytest.fixture(scope="module")
def all_providers() -> Iterator[Providers]:
    with providers() as running:
        yield running


@pytest.fixture
def stage(db: Database, url: str, all_providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A studio on providers that remember nothing of earlier tests."""
    all_providers.clear()
    settings = action_settings(url, all_providers, tmp_path_factory.mktemp("data"))
    return Stage(db, settings, all_providers, hook_client(all_providers.hook_address))
