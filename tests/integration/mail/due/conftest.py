"""Claims go over all projects, so that each test begins without the mail of the others."""

from __future__ import annotations

import pytest

from studio.database.connection import Database


@pytest.fixture(autouse=True)
def nothing_is_due(db: Database) -> None:
    """Claims go over all projects, so that each test begins without the mail of the others."""
    db.execute("delete from public.email_jobs")
