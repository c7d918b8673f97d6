"""Anybody may have a domain looked at: the look is a job, its steps can be followed, and too many are refused."""

from __future__ import annotations

import contextlib
import threading
import time
from uuid import uuid4

import pytest

from studio.errors import RateLimited
from studio.onboarding import cache, limits
from tests.integration.studio_web.conftest import Desk
from tests.integration.studio_web.holdings import say
from tests.support.scans import site

ROUTE = "/api/onboarding/scan"


@pytest.fixture(autouse=True)
def _fresh(desk: Desk) -> None:
    desk.db.execute("delete from request_counts")


def test_a_domain_is_looked_at_by_a_job(desk: Desk) -> None:
    asked = desk.stranger.post(ROUTE, json={"domain": "https://Fresh.example/", "unheardOf": 1})
    assert asked.status_code == 200
    answer = asked.json()
    assert (answer["status"], answer["scan"], answer["cacheHit"], answer["cache_hit"]) == ("queued", None, False, False)
    again = desk.ada.post(ROUTE, json={"domain": "fresh.example"}).json()
    assert (again["jobId"], again["outcome"]) == (answer["jobId"], "existing")
    shown = desk.stranger.get(f"{ROUTE}/{answer['jobId']}").json()
    assert (shown["status"], shown["scan"], shown["steps"]) == ("queued", None, [])


def test_what_is_known_is_answered_at_once(desk: Desk) -> None:
    with desk.db.transaction() as conn:
        cache.store(conn, site("known.example"))
    answer = desk.stranger.post(ROUTE, json={"domain": "known.example"}).json()
    assert (answer["jobId"], answer["status"], answer["cache_hit"]) == (None, "completed", True)
    assert (answer["scan"]["domain"], answer["scan"]["http_status"]) == ("known.example", 200)


def test_an_idea_alone_needs_no_look(desk: Desk) -> None:
    answer = desk.stranger.post(ROUTE, json={"idea_description": "Bread by bicycle"}).json()
    assert (answer["jobId"], answer["status"]) == (None, "completed")


@pytest.mark.parametrize(
    "body", [{}, {"domain": "none"}, {"domain": "x" * 501}, {"repoUrl": "ftp://x/y"}, {"domain": 1}]
)
def test_what_cannot_be_looked_at_is_refused(desk: Desk, body: dict[str, object]) -> None:
    assert desk.stranger.post(ROUTE, json=body).status_code == 422


def test_too_many_scans_are_refused(desk: Desk) -> None:
    answers = [desk.stranger.post(ROUTE, json={"domain": "often.example"}) for _ in range(21)]
    assert [answer.status_code for answer in answers] == [200] * 20 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_strangers_use_up_nothing_of_owners_and_owners_nothing_of_strangers(desk: Desk) -> None:
    asked = {"domain": "popular.example"}
    for visitor in range(320):
        with contextlib.suppress(RateLimited):
            limits.take_scan(desk.db, f"198.51.100.{visitor // 20}")
    assert desk.stranger.post(ROUTE, json=asked).status_code == 429
    for owner in (desk.ada, desk.bob):
        assert owner.post(ROUTE, json=asked).status_code == 200
    desk.db.execute("delete from request_counts")
    answers = [desk.ada.post(ROUTE, json=asked).status_code for _ in range(31)]
    assert answers == [200] * 30 + [429]
    assert desk.bob.post(ROUTE, json=asked).status_code == 200
    assert desk.stranger.post(ROUTE, json=asked).status_code == 200
    row = desk.db.fetch_one("select sum(hits) as hits from request_counts where scope = 'scan/all'")
    assert row == {"hits": 1}


def test_what_needs_no_look_costs_nothing(desk: Desk) -> None:
    with desk.db.transaction() as conn:
        cache.store(conn, site("kept.example"))
    for body in ({"domain": "kept.example"}, {"idea_description": "Bread by bicycle"}):
        assert {desk.stranger.post(ROUTE, json=body).status_code for _ in range(22)} == {200}
    assert desk.stranger.post(ROUTE, json={"domain": "none"}).status_code == 422
    assert desk.db.fetch_all("select 1 from request_counts where scope like 'scan/%%'") == []


def test_another_job_is_no_scan(desk: Desk) -> None:
    _, job = say(desk.db, desk.project(), "ada")
    for other in (job, uuid4()):
        assert desk.ada.get(f"{ROUTE}/{other}").status_code == 404
        assert desk.ada.get(f"{ROUTE}/{other}?wait=5").status_code == 404
    assert desk.ada.get(f"{ROUTE}/{job}?wait=26").status_code == 422


def test_who_waits_hears_of_the_next_step(desk: Desk) -> None:
    job = desk.stranger.post(ROUTE, json={"domain": "slow.example"}).json()["jobId"]

    def step(message: str) -> None:
        desk.db.execute(
            "insert into agent_job_events (project_id, job_id, type, message, data)"
            " select project_id, id, 'log', %s, '{\"level\": \"INFO\"}'"
            " from agent_jobs where id = %s",
            [message, job],
        )

    step("Looking")
    first = desk.stranger.get(f"{ROUTE}/{job}?wait=20").json()
    assert [one["message"] for one in first["steps"]] == ["Looking"]
    threading.Timer(0.2, step, ["Found"]).start()
    began = time.monotonic()
    heard = desk.stranger.get(f"{ROUTE}/{job}?wait=20&after={first['steps'][0]['seq']}").json()
    assert [one["message"] for one in heard["steps"]] == ["Found"]
    assert time.monotonic() - began < 10


def test_waiting_ends_by_itself_and_does_not_take_every_place(desk: Desk) -> None:
    job = desk.stranger.post(ROUTE, json={"domain": "never.example"}).json()["jobId"]
    shown = desk.stranger.get(f"{ROUTE}/{job}?wait=0.2").json()
    assert (shown["status"], shown["steps"]) == ("queued", [])
    desk.app.state.scans_waiting = 50
    try:
        began = time.monotonic()
        assert desk.stranger.get(f"{ROUTE}/{job}?wait=20").json()["steps"] == []
        assert time.monotonic() - began < 10
    finally:
        desk.app.state.scans_waiting = 0
