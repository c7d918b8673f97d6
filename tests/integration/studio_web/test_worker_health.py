"""A monitor with the secret hears whether work is taken; what waits for its turn is no fault (domain spec §12)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.studio_web.conftest import SECRETS, Desk

ROUTE = "/api/worker/health"
MONITOR = {"x-worker-health-secret": SECRETS["worker_health_secret"]}


def health(desk: Desk) -> dict[str, Any]:
    answer = desk.stranger.get(ROUTE, headers=MONITOR)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.fixture(autouse=True)
def _quiet(desk: Desk) -> None:
    desk.db.execute("delete from agent_jobs")
    desk.db.execute("delete from worker_heartbeats")


def job(desk: Desk, status: str = "queued", *, waits: int = 0, lane: str = "standard", project: object = None) -> None:
    """Insert a job that has been due for `waits` seconds, or whose lease ended so long ago."""
    desk.db.execute(
        "insert into agent_jobs (project_id, job_type, agent_key, status, idempotency_key, lane, run_after, created_at,"
        " started_at, leased_until, completed_at) values (%(project)s, 'test.work', 'ceo', %(status)s,"
        " gen_random_uuid()::text, %(lane)s, now() - make_interval(secs => %(waits)s),"
        " now() - make_interval(secs => %(waits)s), case when %(status)s <> 'queued' then now() end,"
        " case when %(status)s = 'running' then now() - make_interval(secs => %(waits)s) end,"
        " case when %(status)s in ('failed', 'completed') then now() end)",
        {"project": project or desk.project(), "status": status, "lane": lane, "waits": waits},
    )


def test_only_who_knows_the_secret_hears_anything(desk: Desk) -> None:
    for headers in ({}, {"x-worker-health-secret": "wrong"}, {"Authorization": f"Bearer {MONITOR}"}):
        assert desk.stranger.get(ROUTE, headers=headers).status_code == 401
        assert desk.ada.get(ROUTE, headers=headers).status_code == 401
    assert desk.stranger.get(f"{ROUTE}?secret={SECRETS['worker_health_secret']}").status_code == 401


def test_an_idle_studio_is_well(desk: Desk) -> None:
    found = health(desk)
    assert (found["status"], found["problems"], found["failuresLastHour"]) == ("ok", [], [])
    assert {lane["lane"] for lane in found["lanes"]} == {"realtime", "standard", "heavy"}


@pytest.mark.parametrize(("waits", "status"), [(10, "ok"), (60, "degraded"), (300, "down")])
def test_work_that_nobody_takes_is_a_sign(desk: Desk, waits: int, status: str) -> None:
    job(desk, waits=waits)
    found = health(desk)
    assert found["status"] == status
    assert bool(found["problems"]) is (status != "ok")
    [lane] = [lane for lane in found["lanes"] if lane["lane"] == "standard"]
    assert (lane["queued"], lane["due"], lane["takeable"]) == (1, 1, 1)


def test_work_that_waits_for_a_slot_or_for_its_hour_is_none(desk: Desk) -> None:
    for _ in range(3):
        job(desk, "running", waits=-3600)
    job(desk, waits=300)
    busy = desk.project()
    for _ in range(2):
        job(desk, "running", waits=-3600, lane="heavy", project=busy)
    job(desk, waits=300, lane="heavy", project=busy)
    job(desk, waits=-300, lane="realtime")
    found = health(desk)
    assert found["status"] == "ok", found["problems"]
    assert {lane["lane"]: lane["takeable"] for lane in found["lanes"]} == {"realtime": 0, "standard": 0, "heavy": 0}


def test_leases_that_end_unnoticed_are_a_sign(desk: Desk) -> None:
    job(desk, "running", waits=30)
    assert health(desk)["status"] == "ok"
    job(desk, "running", waits=300)
    found = health(desk)
    assert (found["status"], found["expiredLeases"]) == ("degraded", 2)


def test_failures_of_the_last_hour_are_counted_by_type(desk: Desk) -> None:
    job(desk, "failed")
    job(desk, "failed")
    job(desk, "completed")
    found = health(desk)
    assert found["failuresLastHour"] == [{"jobType": "test.work", "count": 2}]
    assert found["completedLastHour"] == 1
    assert found["lastClaimAt"] is not None
    assert found["status"] == "ok"


@pytest.mark.parametrize(("seconds", "status"), [([5], "ok"), ([5, 300], "degraded"), ([300, 400], "down")])
def test_workers_that_say_that_they_live_are_believed(desk: Desk, seconds: list[int], status: str) -> None:
    for number, ago in enumerate(seconds):
        desk.db.execute(
            "insert into worker_heartbeats (worker_id, status, last_seen_at)"
            " values (%s, 'running', now() - make_interval(secs => %s))",
            [f"w{number}", ago],
        )
    found = health(desk)
    assert found["status"] == status
    assert len(found["heartbeats"]) == len(seconds)
