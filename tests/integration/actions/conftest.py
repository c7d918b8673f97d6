"""One database and one set of providers for all modules; every test drives real claims of approved actions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.settings import Settings
from tests.support.actions import Stage, action_settings, hook_client
from tests.support.postgres import TestServer
from tests.support.providers import Providers, providers


@pytest.fixture(scope="package")
def url(postgres: TestServer, database_template: str) -> Iterator[str]:
    """One database for all: each test has companies of its own in it."""
    with postgres.temporary(database_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="package")
def db(url: str) -> Iterator[Database]:
    with Database(url) as db:
        yield db


@pytest.fixture(scope="package")
def all_providers() -> Iterator[Providers]:
    with providers() as running:
        yield running


@pytest.fixture(scope="package")
def configured(url: str, all_providers: Providers, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings under which every action is configured: reading them takes longer than many a test."""
    return action_settings(url, all_providers, tmp_path_factory.mktemp("unused"))


@pytest.fixture
def stage(db: Database, configured: Settings, all_providers: Providers, tmp_path: Path) -> Stage:
    """A studio with a storage folder of its own, on providers that remember nothing of earlier tests."""
    all_providers.clear()
    settings = configured.model_copy(update={"data_dir": tmp_path})
    return Stage(db, settings, all_providers, hook_client(all_providers.hook_address))
