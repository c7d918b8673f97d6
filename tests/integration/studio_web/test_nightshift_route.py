"""A scheduler with a secret queues the night's work once a day; without one, nobody does (seed plan §5.3, D34)."""

from __future__ import annotations

import pytest

from studio.job_types import SYSTEM_PROJECT_ID
from tests.integration.studio_web.conftest import SECRETS, Desk

ROUTE = "/api/nightshift/run"
CRON = {"Authorization": f"Bearer {SECRETS['cron_secret']}"}
NIGHT = {"x-night-shift-secret": SECRETS["night_shift_secret"]}


def test_the_night_is_queued_once(desk: Desk) -> None:
    project = desk.project()
    desk.db.execute("update projects set created_at = now() - interval '2 days' where id = %s", [project])
    first = desk.stranger.get(ROUTE, headers=CRON)
    assert first.status_code == 200
    assert first.json()["queuedProjects"] == 1
    assert first.json()["complete"] is True
    again = desk.stranger.post(ROUTE, headers=NIGHT).json()
    assert again == first.json() | {"queuedProjects": 0}
    rows = desk.db.fetch_all(
        "select job_type from agent_jobs where project_id in (%s, %s) order by job_type", [project, SYSTEM_PROJECT_ID]
    )
    assert [row["job_type"] for row in rows] == [
        "drip.process_digests",
        "drip.process_nudges",
        "email.process_due",
        "nightshift.cycle_project",
    ]


def test_a_night_of_many_projects_takes_several_calls(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    project = desk.project()
    desk.db.execute("update projects set created_at = now() - interval '2 days' where id = %s", [project])
    with monkeypatch.context() as patch:
        patch.setattr("web.api.nightshift.ROUTE_SECONDS", 0.0)
        assert desk.stranger.get(ROUTE, headers=CRON).json()["complete"] is False
    assert desk.stranger.get(ROUTE, headers=CRON).json()["complete"] is True


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Bearer {SECRETS['night_shift_secret']}"},
        {"Authorization": f"Basic {SECRETS['cron_secret']}"},
        {"x-night-shift-secret": SECRETS["cron_secret"]},
        {"x-night-shift-secret": ""},
        {"x-night-shift-secret": "\xe4".encode("latin-1")},
    ],
    ids=["nothing", "wrong", "the other", "scheme", "crossed", "empty", "not ascii"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_the_right_secret_nobody_comes_in(desk: Desk, method: str, headers: dict[str, str]) -> None:
    for client in (desk.stranger, desk.ada):
        assert client.request(method, ROUTE, headers=headers).status_code == 401


@pytest.mark.parametrize("where", ["?secret={}", "?token={}", "?cron_secret={}"])
def test_a_secret_in_the_address_is_none(desk: Desk, where: str) -> None:
    assert desk.stranger.get(ROUTE + where.format(SECRETS["cron_secret"])).status_code == 401


def test_a_page_of_another_site_cannot_call_it_with_a_session(desk: Desk) -> None:
    answer = desk.ada.post(ROUTE, headers={"Origin": "https://evil.example"})
    assert answer.status_code == 401
