"""One database and a pair of sandbox models per module; conversations are driven without Dagster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from studio.database.connection import Database
from studio.model.client import Model
from tests.integration.chat.talk import Talk
from tests.support.model import open_model
from tests.support.phase_fixtures import db, ignorant, informed, sandbox
from tests.support.sandbox import SandboxThread

__all__ = ["db", "ignorant", "informed", "sandbox"]


@pytest.fixture(scope="module")
def model(informed: SandboxThread, db: Database) -> Iterator[Model]:
    """A model client for the sandbox."""
    with open_model(informed.url, db) as opened:
        yield opened


@pytest.fixture
def talking(db: Database, model: Model) -> Callable[..., Talk]:
    """Makes projects that are answered by the sandbox."""
    return lambda **options: Talk(db, model=lambda: model, **options)
