"""One database and a pair of sandbox models per module; every test drives the steps of a phase under a real claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from studio.database.connection import Database
from tests.support.model import model_settings, open_model
from tests.support.phase_fixtures import db, ignorant, informed, sandbox
from tests.support.phases import Founding
from tests.support.sandbox import SandboxThread

__all__ = ["db", "ignorant", "informed", "sandbox"]


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
