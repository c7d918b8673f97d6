"""`greenlight projects mail` shows and sets when a project's mail may leave, and changes only what is given."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.support.cli import NOBODY, Greenlight
from tests.support.queue import make_project


@pytest.fixture
def project_id(db: Database) -> UUID:
    return make_project(db)


def test_what_is_given_is_set_and_the_rest_stays(greenlight: Greenlight, project_id: UUID) -> None:
    before = greenlight("projects", "mail", project_id, "--json").json
    assert (before["timezone"], before["quiet"]) == ("UTC", None)
    greenlight("projects", "mail", project_id, "--timezone", "Europe/Berlin", "--quiet", "22:00-07:30")
    greenlight("projects", "mail", project_id, "--cap", "20")
    assert greenlight("projects", "mail", project_id, "--json").json == {
        "timezone": "Europe/Berlin",
        "quiet": "22:00-07:30",
        "daily_cap": 20,
    }
    greenlight("projects", "mail", project_id, "--quiet", "none", "--cap", "none")
    after = greenlight("projects", "mail", project_id, "--json").json
    assert (after["timezone"], after["quiet"], after["daily_cap"]) == ("Europe/Berlin", None, None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--timezone", "Mars/Olympus"], "Mars/Olympus"),
        (["--quiet", "at night"], "no span of the day"),
        (["--quiet", "22:00"], "no span of the day"),
        (["--quiet", "22:00-22:00"], "different times"),
        (["--cap", "many"], "no number of mails"),
        (["--cap", "-1"], "daily cap"),
    ],
)
def test_what_cannot_be_set_is_named_and_changes_nothing(
    greenlight: Greenlight, project_id: UUID, options: list[str], said: str
) -> None:
    before = greenlight("projects", "mail", project_id, "--json").json
    greenlight("projects", "mail", project_id, *options).fails(said)
    assert greenlight("projects", "mail", project_id, "--json").json == before


def test_a_change_is_audited_with_what_was_there_before(greenlight: Greenlight, project_id: UUID) -> None:
    greenlight("projects", "mail", project_id, "--cap", "20", "--quiet", "22:00-07:30")
    greenlight("projects", "mail", project_id, "--cap", "20")
    greenlight("projects", "mail", project_id)
    (entry,) = greenlight("projects", "audit", project_id, "--json").json
    assert (entry["actor"], entry["what"]) == ("local-owner", "mail")
    assert entry["before"]["quiet"] is None
    assert entry["after"] == {"timezone": "UTC", "quiet": "22:00-07:30", "daily_cap": 20}
    assert 'quiet "22:00-07:30", daily_cap 20' in greenlight("projects", "audit", project_id).said


def test_an_unknown_project_is_said(greenlight: Greenlight) -> None:
    greenlight("projects", "mail", NOBODY).fails("no project")
