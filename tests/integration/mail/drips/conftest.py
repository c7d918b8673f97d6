"""Drips go over all people, so that each test begins without the people of the others."""

from __future__ import annotations

import pytest

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID


@pytest.fixture(autouse=True)
def nobody_is_there(db: Database) -> None:
    """Drips go over all people."""
    db.execute("delete from public.projects where id <> %s", [SYSTEM_PROJECT_ID])
    db.execute("delete from public.email_jobs")
    db.execute("delete from public.users")
