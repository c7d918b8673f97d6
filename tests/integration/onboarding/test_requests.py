"""A scan is answered from the cache or becomes one job of the studio's own per request, read by its id alone."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from studio import events, queue
from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound, RateLimited
from studio.events import NewEvent
from studio.job_types import SYSTEM_PROJECT_ID, ScanPayload, job_type, parse_payload, scan_key
from studio.onboarding import cache, limits, request
from studio.onboarding.scan import Meta, Scan
from studio.onboarding.work import LAST_OP
from studio.queue import NewJob
from studio.settings import Settings
from tests.support.queue import InBackground, make_project
from tests.support.scans import ask, asked, claimed, finish, site

REPOSITORY = "https://github.com/acme/anvils"
_numbers = itertools.count(1)


@pytest.fixture
def domain() -> str:
    """A domain that no other test asks for."""
    return f"site{next(_numbers)}.test"


def keep(db: Database, scan: Scan) -> bool:
    with db.transaction() as conn:
        return cache.store(conn, scan)


def kept(db: Database, domain: str) -> Scan | None:
    with db.connection() as conn:
        return cache.cached(conn, domain)


# --- asking


def test_a_request_becomes_a_job_of_the_studios_own(db: Database, settings: Settings, domain: str) -> None:
    made = ask(db, settings, domain=f"https://WWW.{domain}/x", repo_url=" github.com/Acme/anvils ", requested_by="anna")
    assert (made.scan, made.cache_hit) == (None, False)
    assert made.job is not None
    assert made.job.outcome == "created"
    job = queue.get(db, made.job.job_id)
    assert (job.project_id, job.job_type, job.lane, job.max_attempts) == (
        SYSTEM_PROJECT_ID,
        "onboarding.scan",
        "realtime",
        1,
    )
    assert job.payload == {"domain": domain, "repoUrl": "https://github.com/Acme/anvils", "requestedBy": "anna"}


def test_what_somebody_thinks_of_is_not_kept(db: Database, settings: Settings, domain: str) -> None:
    job = queue.get(db, asked(db, settings, domain=domain, idea="A secret plan about anvils."))
    assert "secret" not in json.dumps(job.payload) + job.idempotency_key


def test_a_second_click_is_the_same_job_whoever_clicks(db: Database, settings: Settings, domain: str) -> None:
    first = asked(db, settings, domain=domain, requested_by="anna")
    again = ask(db, settings, domain=domain.upper(), requested_by="bob")
    assert again.job is not None
    assert (again.job.job_id, again.job.outcome) == (first, "existing")
    assert asked(db, settings, domain=domain, repo_url=REPOSITORY) != first


def test_many_clicks_at_once_are_one_job(db: Database, settings: Settings, domain: str) -> None:
    clicks = [InBackground(lambda: asked(db, settings, domain=domain)) for _ in range(6)]
    assert len({click.result() for click in clicks}) == 1


def test_a_minute_that_ends_in_between_makes_no_second_job(db: Database, settings: Settings, domain: str) -> None:
    first = asked(db, settings, domain=domain)
    row = db.fetch_one("select now() - interval '10 seconds' as before")
    assert row is not None
    db.execute(
        "update agent_jobs set idempotency_key = %s where id = %s", [scan_key(domain, None, row["before"]), first]
    )
    assert asked(db, settings, domain=domain) == first
    db.execute("update agent_jobs set created_at = now() - interval '2 minutes' where id = %s", [first])
    db.execute(
        "update agent_jobs set idempotency_key = %s where id = %s",
        [scan_key(domain, None, row["before"] - timedelta(minutes=2)), first],
    )
    assert asked(db, settings, domain=domain) != first


def test_a_scan_that_failed_is_tried_anew(db: Database, settings: Settings, domain: str) -> None:
    first = asked(db, settings, domain=domain)
    claimed(db, first).fail("the disk is full", permanent=True, retry_base=timedelta(0))
    again = ask(db, settings, domain=domain)
    assert again.job is not None
    assert (again.job.job_id, again.job.outcome, again.job.status) == (first, "revived", "queued")


def test_an_idea_alone_has_nothing_to_look_at(db: Database, settings: Settings) -> None:
    made = ask(db, settings, idea="A tool library.")
    assert (made.job, made.cache_hit) == (None, False)
    assert made.scan is not None
    assert (made.scan.domain, made.scan.tech_stack) == (None, [])
    assert {"domain", "dns", "meta", "repo_summary", "competitors_found"} <= set(made.scan.reasons)


def test_where_nothing_may_be_looked_at_nobody_waits(db: Database, domain: str) -> None:
    made = ask(db, Settings(outbound_enabled=False), domain=domain, repo_url=REPOSITORY)
    assert made.job is None
    assert made.scan is not None
    assert made.scan.error is not None
    assert made.scan.error.count("turned off") == 2
    assert (made.scan.domain, made.scan.repo_url) == (domain, REPOSITORY)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({}, "nothing to start with"),
        ({"domain": "  ", "repo_url": "", "idea": " "}, "nothing to start with"),
        ({"domain": "localhost"}, "local network"),
        ({"domain": "127.0.0.1"}, "not a domain"),
        ({"domain": "me:secret@site.test"}, "credentials"),
        ({"domain": "a\x00.test"}, "NUL"),
        ({"domain": "\ud800.test"}, "surrogate"),
        ({"domain": "a" * 501}, "The domain has 501 characters"),
        ({"repo_url": "x" * 501}, "The repository has 501 characters"),
        ({"repo_url": "https://me:secret@git.test/a"}, "credentials"),
        ({"repo_url": "https://github.com/acme"}, "names no repository"),
        ({"repo_url": "javascript:alert(1)"}, "no http"),
        ({"idea": "x" * 2001}, "The idea has 2,001 characters"),
        ({"idea": "\x00"}, "NUL"),
    ],
)
def test_what_cannot_be_used_is_said(db: Database, settings: Settings, wish: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        ask(db, settings, **wish)
    assert "secret" not in str(caught.value)


def test_a_payload_names_something_to_look_at() -> None:
    kind = job_type("onboarding.scan")
    with pytest.raises(InvalidInput, match="a domain or a repository"):
        parse_payload(kind, SYSTEM_PROJECT_ID, {})
    payload = parse_payload(kind, SYSTEM_PROJECT_ID, {"domain": "site.test"})
    assert isinstance(payload, ScanPayload)
    assert kind.key(SYSTEM_PROJECT_ID, payload).startswith("scan:")


# --- the cache


def test_a_look_is_kept_for_a_day_by_the_databases_clock(db: Database, settings: Settings, domain: str) -> None:
    scan = site(domain)
    assert keep(db, scan)
    made = ask(db, settings, domain=f"HTTP://{domain}/path")
    assert (made.job, made.cache_hit, made.scan) == (None, True, scan)
    row = db.fetch_one("select expires_at - now() as left from domain_scan_cache where domain = %s", [domain])
    assert row is not None
    assert timedelta(hours=23) < row["left"] <= timedelta(hours=24)
    db.execute("update domain_scan_cache set expires_at = now() - interval '1 second' where domain = %s", [domain])
    assert kept(db, domain) is None
    assert ask(db, settings, domain=domain).job is not None


def test_a_newer_look_takes_the_place_of_an_older(db: Database, domain: str) -> None:
    keep(db, site(domain))
    keep(db, site(domain, existing_content="parked", dns="parked", meta=None))
    found = kept(db, domain)
    assert found is not None
    assert found.existing_content == "parked"


@pytest.mark.parametrize(
    "changed",
    [
        {"error": "Not measured: no network."},
        {"existing_content": None},
        {"meta": None},
        {"meta": Meta(title="Acme")},
        {"meta": Meta(description="Anvils.")},
    ],
)
def test_a_look_that_failed_or_says_little_is_not_kept(db: Database, domain: str, changed: dict[str, Any]) -> None:
    assert not keep(db, site(domain, **changed))
    assert kept(db, domain) is None


@pytest.mark.parametrize("row", [{}, [], "x", {"dns": "perhaps"}, {"domain": "other.test", "existing_content": "none"}])
def test_what_lies_in_the_cache_and_does_not_fit_is_looked_at_anew(db: Database, domain: str, row: Any) -> None:
    db.execute(
        "insert into domain_scan_cache (domain, result, expires_at) values (%s, %s::jsonb, now() + interval '1 hour')",
        [domain, json.dumps(row)],
    )
    assert kept(db, domain) is None


def test_with_a_repository_it_is_looked_at_now(db: Database, settings: Settings, domain: str) -> None:
    keep(db, site(domain))
    assert ask(db, settings, domain=domain, repo_url=REPOSITORY).job is not None


# --- the result


def test_a_result_is_there_when_it_is(db: Database, settings: Settings, domain: str) -> None:
    job_id = asked(db, settings, domain=domain)
    assert request.result(db, job_id).model_dump() == {
        "job_id": job_id,
        "status": "queued",
        "scan": None,
        "error": None,
    }
    scan = site(domain)
    claim = finish(db, job_id, scan)
    assert request.result(db, job_id).scan == scan
    claim.complete()
    found = request.result(db, job_id)
    assert (found.status, found.scan, found.error) == ("completed", scan, None)


def test_what_went_wrong_inside_is_not_told_to_everybody(db: Database, settings: Settings, domain: str) -> None:
    job_id = asked(db, settings, domain=domain)
    claimed(db, job_id).fail("password=hunter2 refused", permanent=True, retry_base=timedelta(0))
    found = request.result(db, job_id)
    assert (found.status, found.scan) == ("failed", None)
    assert found.error == "The scan did not come to an end. Ask for a new one."


def test_a_result_of_another_version_is_said_to_be_unreadable(db: Database, settings: Settings, domain: str) -> None:
    job_id = asked(db, settings, domain=domain)
    claim = claimed(db, job_id)
    claim.once(LAST_OP, lambda: {"dns": "perhaps"})
    claim.complete()
    found = request.result(db, job_id)
    assert (found.status, found.scan) == ("completed", None)
    assert found.error is not None


def test_its_steps_are_those_that_were_recorded(db: Database, settings: Settings, domain: str) -> None:
    job_id = asked(db, settings, domain=domain)
    assert request.scan_events(db, job_id) == []
    info = {"level": "INFO"}
    with db.transaction() as conn:
        events.append(
            conn,
            job_id,
            [
                NewEvent("log", "Looking", info),
                NewEvent("log", 'Started execution of step "x".', {**info, "step_event": "STEP_START"}),
                NewEvent("log", "Traceback", {"level": "ERROR"}),
                NewEvent("artifact", "Something else", info),
                NewEvent("log", "Fetching", info),
            ],
        )
    steps = request.scan_events(db, job_id)
    assert [step.message for step in steps] == ["Looking", "Fetching"]
    assert steps[0].seq < steps[1].seq
    assert request.scan_events(db, job_id, steps[0].seq) == steps[1:]
    assert request.scan_events(db, job_id, steps[1].seq) == []


def test_any_other_job_is_no_scan(db: Database) -> None:
    project = make_project(db)
    with db.transaction() as conn:
        mine = queue.enqueue(conn, NewJob("nightshift.cycle_project", project, {})).job_id
        systems = queue.enqueue(conn, NewJob("email.process_due", SYSTEM_PROJECT_ID, {}, key=str(uuid4()))).job_id
        foreign = queue.enqueue(conn, NewJob("onboarding.scan", project, {"domain": "site.test"})).job_id
    for job_id in (mine, systems, foreign, uuid4()):
        with pytest.raises(NotFound, match="There is no scan"):
            request.result(db, job_id)
        with pytest.raises(NotFound, match="There is no scan"):
            request.scan_events(db, job_id)


# --- how often


def test_an_address_asks_so_often_and_no_more(db: Database) -> None:
    few = (2, timedelta(hours=1))
    for _ in range(2):
        limits.take_scan(db, "198.51.100.1", per_address=few)
    with pytest.raises(RateLimited) as caught:
        limits.take_scan(db, "198.51.100.1", per_address=few)
    assert 1 <= caught.value.retry_after <= 3600
    limits.take_scan(db, "198.51.100.2", per_address=few)
    assert not db.fetch_all("select 1 from request_counts where key like '%%198.51%%'")


def test_all_together_ask_so_often_and_one_does_not_use_it_up(db: Database) -> None:
    db.execute("delete from request_counts")
    one, three = (1, timedelta(hours=1)), (3, timedelta(hours=1))
    limits.take_scan(db, "a", per_address=one, overall=three)
    for _ in range(5):
        with pytest.raises(RateLimited):
            limits.take_scan(db, "a", per_address=one, overall=three)
    limits.take_scan(db, "b\x00", per_address=one, overall=three)
    limits.take_scan(db, "c", per_address=one, overall=three)
    with pytest.raises(RateLimited):
        limits.take_scan(db, "d", per_address=one, overall=three)
