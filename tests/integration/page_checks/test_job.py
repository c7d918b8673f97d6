"""`browser.check_page` as a Dagster run: what it found is an artifact with a table and a picture."""

from __future__ import annotations

from uuid import UUID

import pytest
from dagster import AssetKey, DagsterInstance

from jobs.browser_check_page import _told
from studio import queue
from studio.database.connection import Database
from studio.job_types import CheckName
from studio.page_checks import asking
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs, events, make_project, steps
from tests.support.page_samples import sample_site

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def asked(database: Database, url: str, *checks: CheckName) -> tuple[UUID, UUID]:
    project = make_project(database)
    with database.transaction() as conn:
        return project, asking.ask(conn, project, url, checks=checks, occasion="now").job_id


def execute(instance: DagsterInstance, job_id: UUID) -> bool:
    job = defs.resolve_job_def("browser_check_page")
    config = {"job_id": str(job_id)}
    return job.execute_in_process(instance=instance, run_config=config, raise_on_error=False).success


def test_a_run_shows_what_it_found(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sample_site() as site:
        monkeypatch.setenv("GREENLIGHT_PAGES_URL", site.url)
        monkeypatch.setenv("GREENLIGHT_LINK_SECRET", "a secret for links, of a test")
        get_settings.cache_clear()
        project, job_id = asked(database, f"{site.url}/sloppy.html", "screenshot", "meta_tags")
        assert execute(instance, job_id)
    assert list(steps(database, job_id)) == ["look", "record", "follow_up"]
    assert queue.get(database, job_id).status == "completed"

    (artifact,) = events(database, job_id, "artifact")
    assert artifact["data"]["page_check"] == str(job_id)
    assert artifact["data"]["passed"] is False
    (shown,) = instance.fetch_materializations(AssetKey(["page_checks"]), limit=5).records
    made = shown.asset_materialization
    assert made is not None
    assert made.partition == str(project)
    assert "| meta_tags | failed |" in str(made.metadata["checks"].value)
    assert str(made.metadata["preview"].value).startswith("![page](data:image/jpeg;base64,")
    assert f"{project}/qa/{str(job_id)[:8]}-desktop.png" in str(made.metadata["pictures"].value)
    logged = " ".join(str(event["message"]) for event in events(database, job_id, "log"))
    assert "screenshot passed" in logged
    assert "meta_tags failed" in logged


@pytest.mark.parametrize(
    ("outcomes", "told"),
    [
        (["not applicable", "not applicable"], "none of the checks applies to this page"),
        (["passed", "not applicable"], "nothing failed"),
        (["failed", "not measured"], "failed screenshot; not measured meta_tags"),
    ],
)
def test_a_run_is_told_in_a_few_words(outcomes: list[str], told: str) -> None:
    results = [
        {"check": check, "outcome": outcome}
        for check, outcome in zip(("screenshot", "meta_tags"), outcomes, strict=True)
    ]
    assert _told(results) == told


def test_without_a_browser_the_job_fails_and_says_what_to_do(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREENLIGHT_BROWSER_PATH", "/nowhere/chromium")
    get_settings.cache_clear()
    _, job_id = asked(database, "https://example.org/", "screenshot")
    assert not execute(instance, job_id)
    job = queue.get(database, job_id)
    # It may be there by the next attempt.
    assert job.status == "queued"
    assert "chromium" in str(job.last_error).lower()
    assert database.fetch_all("select * from page_checks") == []
