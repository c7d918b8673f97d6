"""One database and a pair of sandbox models per module: one finds pages about tool libraries, the other nothing."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.model import model_settings, open_model
from tests.support.phase_fixtures import db
from tests.support.reports import PAGES, Reporting, write_pages
from tests.support.sandbox import SandboxThread

__all__ = ["db"]


@pytest.fixture(scope="module")
def informed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxThread]:
    """The sandbox model with pages to find."""
    with SandboxThread(corpus=write_pages(tmp_path_factory.mktemp("corpus"), PAGES)) as server:
        yield server


@pytest.fixture
def sandbox(informed: SandboxThread) -> SandboxThread:
    """The informed sandbox without what earlier tests ordered and asked."""
    informed.clear()
    return informed


@pytest.fixture(scope="module")
def studio(informed: SandboxThread, db: Database) -> Iterator[Reporting]:
    """A studio that finds the pages of the corpus and may not go out."""
    with open_model(informed.url, db) as model:
        yield Reporting(db, model_settings(informed.url), model)
