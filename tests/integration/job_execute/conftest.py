"""A run by hand works on a project of its test's own."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.support.dagster import make_project


@pytest.fixture
def project(database: Database) -> UUID:
    # Without an address nobody is told by a mail, whose job would stand beside the run's own.
    return make_project(database, email=None)
