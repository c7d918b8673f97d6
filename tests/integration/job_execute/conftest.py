"""A run by hand works on a project of its test's own."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.support.dagster import make_project


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database)
