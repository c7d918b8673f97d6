"""Nights on a database of their own."""

from __future__ import annotations

import pytest

from studio.database.connection import Database
from studio.settings import Settings
from tests.support.night import Nights


@pytest.fixture
def nights(database: Database) -> Nights:
    return Nights(database, Settings(GREENLIGHT_LINK_SECRET="s" * 32, APP_BASE_URL="https://studio.test"))
