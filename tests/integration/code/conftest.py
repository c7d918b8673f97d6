"""A studio that writes code, in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.support.code import OWNER, Builder
from tests.support.dagster import make_project
from tests.support.model import model_settings

MakeBuilder = Callable[..., Builder]


@pytest.fixture
def builder_of(database: Database, tmp_path: Path) -> MakeBuilder:
    """Make a studio that writes code with the model at an address."""

    def make(url: str, **settings: Any) -> Builder:
        changes = {
            "data_dir": tmp_path / "data",
            "link_secret": "a-link-secret-of-the-tests-0123456789",
            "app_base_url": "http://localhost:3030",
            **settings,
        }
        return Builder(database, model_settings(url, **changes))

    return make


@pytest.fixture
def project_id(database: Database) -> UUID:
    """A project without a repository."""
    assert OWNER
    return make_project(database)
