"""A scan's run looks at site and repository, records each step as it happens, and leaves what it found under its id."""

from __future__ import annotations

import json
from collections.abc import Iterator
from uuid import UUID

import pytest
from dagster import DagsterInstance

from resources.model import OutboundResource
from studio import queue
from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.onboarding import request
from studio.onboarding.request import ScanResult
from studio.queue import NewJob
from studio.settings import get_settings
from tests.support.dagster import DAGSTER_WARNINGS, defs
from tests.support.local_web import LocalWeb, html, local_web
from tests.support.outbound import client_for
from tests.support.queue import statuses
from tests.support.scans import ask, asked

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

PAGE = "<title>Acme</title><meta name=description content='Anvils since 1949.'><p>Buy one."
REPOSITORY = {"full_name": "acme/anvils", "description": "Anvils as code"}


@pytest.fixture
def web(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalWeb]:
    """One server for both: the internet's site.test, and GitHub's API."""
    pages = {
        "/": html(PAGE),
        "/repos/acme/anvils": lambda request: request.answer(200, json.dumps(REPOSITORY).encode()),
    }
    with local_web(pages) as web:
        client, _ = client_for(web)
        monkeypatch.setattr(OutboundResource, "get", lambda _self: client)
        monkeypatch.setenv("GREENLIGHT_GITHUB_URL", f"http://{web.address[0]}:{web.address[1]}")
        get_settings.cache_clear()
        yield web


def run(instance: DagsterInstance, db: Database, job_id: UUID) -> ScanResult:
    job = defs.resolve_job_def("onboarding_scan")
    assert job.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False).success
    return request.result(db, job_id)


def test_a_domain_and_its_repository(instance: DagsterInstance, database: Database, web: LocalWeb) -> None:
    job_id = asked(database, get_settings(), domain="site.test", repo_url="github.com/acme/anvils")
    found = run(instance, database, job_id)
    assert (found.status, found.error) == ("completed", None)
    assert found.scan is not None
    assert (found.scan.domain, found.scan.http_status, found.scan.own_words) == ("site.test", 200, "Anvils since 1949.")
    assert found.scan.repo_summary is not None
    assert found.scan.repo_summary.description == "Anvils as code"
    assert statuses(database, job_id) == ["queued", "running", "completed"]

    steps = [step.message for step in request.scan_events(database, job_id)]
    told = [
        "Looking up site.test in DNS",
        "DNS has an address for site.test",
        "Fetching https://site.test/",
        "Fetching http://site.test/",
        "http://site.test/ answers with HTTP 200",
        "Asking GitHub for acme/anvils",
        "Asking GitHub for its files",
        "Asking GitHub for its languages",
    ]
    assert [step for step in steps if step in told] == told
    assert not [step for step in steps if "execution of step" in step]
    # Only a look at a domain alone is kept.
    assert database.fetch_all("select domain from domain_scan_cache") == []


def test_a_domain_alone_is_looked_at_once_a_day(instance: DagsterInstance, database: Database, web: LocalWeb) -> None:
    job_id = asked(database, get_settings(), domain="site.test")
    found = run(instance, database, job_id)
    again = ask(database, get_settings(), domain="http://www.site.test/")
    assert (again.job, again.cache_hit, again.scan) == (None, True, found.scan)


def test_what_cannot_be_reached_is_a_finding_and_no_failure(
    instance: DagsterInstance, database: Database, web: LocalWeb
) -> None:
    job_id = asked(database, get_settings(), domain="local.test", repo_url="https://github.com/acme/secret")
    found = run(instance, database, job_id)
    assert (found.status, found.error) == ("completed", None)
    assert found.scan is not None
    assert found.scan.error is not None
    assert "not public" in found.scan.error
    assert "not found, or is private" in found.scan.error
    assert database.fetch_all("select domain from domain_scan_cache") == []


def test_a_job_of_another_hand_is_normalised_too(instance: DagsterInstance, database: Database, web: LocalWeb) -> None:
    with database.transaction() as conn:
        new = NewJob("onboarding.scan", SYSTEM_PROJECT_ID, {"domain": "HTTPS://Site.test/x"})
        job_id = queue.enqueue(conn, new).job_id
    found = run(instance, database, job_id)
    assert found.scan is not None
    assert found.scan.domain == "site.test"
