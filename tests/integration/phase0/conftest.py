"""One database and a pair of sandbox models per module; every test drives the steps under a real claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.model import model_settings, open_model
from tests.support.phase0 import Studio
from tests.support.phase_fixtures import db, ignorant, informed, sandbox
from tests.support.sandbox import SandboxThread

__all__ = ["db", "ignorant", "informed", "sandbox"]


@pytest.fixture(scope="module")
def studio(informed: SandboxThread, db: Database) -> Iterator[Studio]:
    """A studio that finds the pages of the corpus and may not go out."""
    with open_model(informed.url, db) as model:
        yield Studio(db, model_settings(informed.url), model)


@pytest.fixture(scope="module")
def blind(ignorant: SandboxThread, db: Database) -> Iterator[Studio]:
    """A studio whose searches find nothing."""
    with open_model(ignorant.url, db) as model:
        yield Studio(db, model_settings(ignorant.url), model)
