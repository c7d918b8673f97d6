"""Probes and monitors: who may be sent requests says so with its reasons, and metrics are for those with the secret."""

from __future__ import annotations

import threading
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from studio.database.connection import Database
from tests.integration.studio_web.conftest import SECRETS, Desk
from tests.support.queue_rows import put_job
from tests.support.web import StudioThread, WebThread, web_settings
from web.kept import Kept
from web.pulse import Pulse
from web.readiness import Readiness

SECRET = SECRETS["worker_health_secret"]
BEARER = {"Authorization": f"Bearer {SECRET}"}
NOWHERE = "postgresql://127.0.0.1:1/nowhere"


def ready(web: WebThread) -> tuple[int, str, list[str]]:
    with httpx.Client(base_url=web.url, verify=False, timeout=30) as client:
        answer = client.get("/readyz")
    said = answer.json()
    return answer.status_code, said["status"], said["reasons"]


# --- whether it can serve


@pytest.mark.parametrize("application", [WebThread, StudioThread])
def test_it_is_ready_until_it_stops(database: Database, tmp_path: Path, application: type[WebThread]) -> None:
    with application(database, tmp_path, stopping_file=tmp_path / "stopping") as web:
        assert ready(web) == (200, "ready", [])
        with httpx.Client(base_url=web.url, verify=False) as client:
            assert client.head("/readyz").status_code == 200
        (tmp_path / "stopping").touch()
        assert ready(web) == (503, "not ready", ["The stack is stopping."])
        web._server.config.app.state.site.stopping.set()
        assert ready(web)[2] == ["This process is stopping.", "The stack is stopping."]


@pytest.mark.parametrize("application", [WebThread, StudioThread])
def test_it_is_not_ready_without_a_database(tmp_path: Path, application: type[WebThread]) -> None:
    with Database(NOWHERE) as gone, application(gone, tmp_path) as web:
        assert ready(web) == (503, "not ready", ["The database cannot be reached."])


@pytest.mark.parametrize(
    ("change", "is_ready"),
    [
        ("delete from supabase_migrations.schema_migrations where name = 'pipeline_traces'", False),
        ("delete from supabase_migrations.schema_migrations", False),
        ("update supabase_migrations.schema_migrations set checksum = 'x' where name = 'agent_jobs'", False),
        ("drop schema supabase_migrations cascade", False),
        ("insert into supabase_migrations.schema_migrations (version, name) values ('99990101000000', 'next')", True),
    ],
    ids=["pending", "none", "changed", "empty", "newer"],
)
def test_it_is_ready_with_the_schema_of_its_release_or_of_a_newer_one(
    database: Database, tmp_path: Path, change: str, is_ready: bool
) -> None:
    database.execute(change)  # type: ignore[arg-type]
    readiness = Readiness(web_settings(tmp_path), database, Pulse(database), threading.Event())
    reasons = readiness.reasons()
    assert len(reasons) == (not is_ready)
    assert all("migrations" in reason for reason in reasons)


def test_it_is_not_ready_while_the_queue_is_locked_and_asks_for_it_seldom(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.readiness.QUEUE_KEPT_SECONDS", 3600)
    settings, pulse = web_settings(tmp_path), Pulse(database)
    with database.transaction() as conn, monkeypatch.context() as hasty:
        hasty.setattr("web.readiness.QUEUE_WAIT_SECONDS", 0.05)
        conn.execute("lock table public.agent_jobs")
        locked = Readiness(settings, database, pulse, threading.Event())
        assert locked.reasons() == ["The queue cannot be read: another session holds a lock on agent_jobs."]
    assert locked.reasons(), "it is not asked for again at once"
    assert Readiness(settings, database, pulse, threading.Event()).reasons() == []


# --- metrics


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": SECRET},
        {"Authorization": f"Basic {SECRET}"},
        {"x-worker-health-secret": "wrong"},
        {"x-worker-health-secret": ""},
    ],
    ids=["nothing", "wrong", "no scheme", "other scheme", "wrong header", "empty header"],
)
def test_who_does_not_know_the_secret_hears_what_to_set(desk: Desk, headers: dict[str, str]) -> None:
    for client in (desk.stranger, desk.ada):
        answer = client.get("/metrics", headers=headers, params={"secret": SECRET})
        assert (answer.status_code, list(answer.json())) == (401, ["error"])
        assert "WORKER_HEALTH_SECRET" in answer.json()["error"]
        assert answer.headers["www-authenticate"] == "Bearer"


def test_where_no_secret_is_set_nobody_has_it(database: Database, tmp_path: Path) -> None:
    with StudioThread(database, tmp_path) as web, web.stranger() as client:
        for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer None"}):
            answer = client.get("/metrics", headers=headers)
            assert answer.status_code == 401
            assert "Set WORKER_HEALTH_SECRET" in answer.json()["error"]


def test_a_scraper_gets_what_it_can_parse_and_the_database_is_asked_seldom(desk: Desk) -> None:
    put_job(desk.db, project=desk.project(), run_after="now() + interval '1 hour'")
    answers = [
        desk.stranger.get("/metrics", headers=headers)
        for headers in (BEARER, {"Authorization": f"bearer {SECRET}"}, {"x-worker-health-secret": SECRET})
    ]
    assert {answer.status_code for answer in answers} == {200}
    first = answers[0]
    assert first.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert first.headers["cache-control"] == "no-store"
    found = {family.name: family for family in text_string_to_metric_families(first.text)}
    queued = {sample.labels["lane"]: sample.value for sample in found["greenlight_jobs_queued"].samples}
    assert queued == {"heavy": 0, "realtime": 0, "standard": 1}
    # A measurement differs from one look to the next, so one look it was.
    lag = [next(line for line in one.text.splitlines() if line.startswith("greenlight_stream_lag")) for one in answers]
    assert len(set(lag)) == 1


def test_the_public_origin_has_no_metrics(database: Database, tmp_path: Path) -> None:
    with WebThread(database, tmp_path, worker_health_secret=SECRET) as web:
        answer = httpx.get(f"{web.url}/metrics", headers=BEARER, verify=False)
    assert (answer.status_code, "greenlight_" in answer.text) == (404, False)


def test_a_scraper_hears_that_the_database_is_away(tmp_path: Path) -> None:
    with Database(NOWHERE) as gone, StudioThread(gone, tmp_path, worker_health_secret=SECRET) as web:
        with web.stranger() as client:
            answer = client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert "greenlight_database_up 0.0" in answer.text.splitlines()


# --- an answer that is kept


def test_an_answer_is_kept_for_its_time_and_an_error_is_not() -> None:
    asked: list[int] = []

    def ask() -> int:
        asked.append(1)
        if len(asked) == 1:
            raise ValueError("not yet")
        return len(asked)

    kept = Kept(ask, 3600)
    with pytest.raises(ValueError, match="not yet"):
        kept.get()
    assert [kept.get(), kept.get()] == [2, 2]
    fresh = Kept(ask, 0)
    assert [fresh.get(), fresh.get()] == [3, 4]
