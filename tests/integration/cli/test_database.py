"""`greenlight db` migrates, says where the schema stands, and resets."""

from __future__ import annotations

import pytest

from studio.database.connection import Database
from studio.database.migrations import read_folder
from studio.job_types import JOB_TYPES
from studio.paths import MIGRATIONS
from tests.support.cli import IDEA, Greenlight
from tests.support.postgres import TestServer

# --- the database


def test_migrations_are_shown_and_applied_once(greenlight: Greenlight) -> None:
    states = greenlight("db", "status", "--json").json
    assert {row["state"] for row in states} == {"applied"}
    assert greenlight("db", "migrate", "--json").json == []
    assert "The schema is up to date." in greenlight("db", "migrate").out
    table = greenlight("db", "status")
    assert all(row["name"] in table.out for row in states)


def test_an_empty_database_is_migrated_and_reset(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, postgres: TestServer
) -> None:
    with postgres.temporary() as name:
        monkeypatch.setenv("DATABASE_URL", postgres.url(name))
        applied = greenlight("db", "migrate", "--json").json
        assert [row["name"] for row in applied] == [migration.name for migration in read_folder(MIGRATIONS)]
        made = greenlight("projects", "create", IDEA, "--json").json
        assert len(greenlight("db", "reset", "--force", "--json").json) == len(applied)
        assert greenlight("projects", "list", "--json").json == []
        greenlight("projects", "show", made["project_id"]).fails("no project")
        # The job types are there again, for rows that other clients insert.
        with Database(postgres.url(name)) as fresh:
            known = fresh.fetch_all("select job_type from public.agent_job_types")
        assert {row["job_type"] for row in known} >= set(JOB_TYPES)
