"""What Prometheus scrapes can be parsed, is described in sentences, and says what health says; nothing in it can fall
that is called a counter."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from studio.database.connection import Database
from studio.operations import health, metrics
from studio.operations.health import Health
from studio.settings import Settings
from tests.support.queue import make_project
from tests.support.queue_rows import put_job
from tests.support.traces import rows, span, store

ODD = 'odd "type"\\ of\nsomebody'


def families(look: Health | None) -> dict[str, Metric]:
    text = metrics.exposition(metrics.registry(lambda: look)).decode()
    found = list(text_string_to_metric_families(text))
    assert len({family.name for family in found}) == len(found)
    return {family.name: family for family in found}


def value(found: dict[str, Metric], name: str, **labels: str) -> float:
    [sample] = [one for one in found[f"greenlight_{name}"].samples if one.labels == labels]
    return sample.value


@pytest.fixture
def looked(database: Database, tmp_path: Path) -> Health:
    """Health with something of everything."""
    project = make_project(database)
    put_job(database, "running", project=project, leased_until="now() + interval '5 seconds'", dagster_run_id="run")
    put_job(database, "running", leased_until="now() - interval '10 minutes'")
    put_job(database, run_after="now() - interval '10 minutes'", lane="heavy")
    put_job(database, "failed", job_type=ODD, lane="heavy")
    fault = span("job:test.work", 0, 9, error="No.", fingerprint="f", error_class="model")
    store(
        database,
        *(rows(end_ms=ms, queue_ms=ms / 10, ago=timedelta(minutes=1)) for ms in (1000, 2000, 3000)),
        rows(spans=[fault], dropped_spans=4, ago=timedelta(minutes=1)),
        rows(end_ms=None),
    )
    database.execute(
        "insert into public.project_budgets (project_id, spent_micros, cap_micros) values (%s, 90, 100)", [project]
    )
    database.execute(
        "insert into public.model_calls (project_id, step, agent, model, cost_micros, reserved_micros, reserved_tokens)"
        " values (%s, 'research', 'ceo', 'm', 1234, 0, 0)",
        [project],
    )
    folder = tmp_path / "traces"
    folder.mkdir()
    (folder / "postgres-1-a.jsonl").write_text("12345")
    return health.look(database, Settings(GREENLIGHT_DATA_DIR=tmp_path))


def test_it_says_what_health_says(looked: Health) -> None:
    found = families(looked)
    said = {
        "database_up": 1,
        "leases_ending": 1,
        "leases_expired": 1,
        "workers": 1,
        "worker_heartbeats": 0,
        "projects_near_cap": 1,
        "model_calls_last_day": 1,
        "traces_open": 1,
        "traces_dropped_spans": 4,
        "trace_spill_files": 1,
        "trace_spill_bytes": 5,
        "trace_spill_unreadable_files": 0,
    }
    assert {name: value(found, name) for name in said} == said
    lanes = {
        name: value(found, name, lane="heavy") for name in ("jobs_running", "jobs_queued", "jobs_due", "jobs_takeable")
    }
    assert lanes == {"jobs_running": 0, "jobs_queued": 1, "jobs_due": 1, "jobs_takeable": 1}
    assert value(found, "jobs_running", lane="standard") == 2
    assert value(found, "lane_slots", lane="standard") == 3
    assert value(found, "oldest_due_seconds", lane="heavy") == pytest.approx(600, abs=60)
    assert value(found, "job_type_running", job_type="test.work") == 2
    assert value(found, "jobs_started_per_minute", job_type="test.work", window="5m") == 2 / 5
    assert value(found, "jobs_ended_last_hour", job_type=ODD, status="failed") == 1
    attempts = [value(found, "job_attempts_last_hour", job_type="test.work", status=s) for s in ("ok", "error", "lost")]
    assert attempts == [3, 1, 0]
    assert value(found, "job_duration_seconds", job_type="test.work", quantile="0.5") == 2
    assert value(found, "queue_wait_seconds", job_type="test.work", quantile="0.5") == 0.2
    assert value(found, "spend_micros", window="24h") == 1234
    assert value(found, "traces_last_day", status="all") == 5
    assert value(found, "errors_open", **{"class": "model"}) == 1
    assert [value(found, "health_status", status=s) for s in ("ok", "degraded", "down")] == [0, 0, 1]
    assert value(found, "stream_lag_seconds") < 2


def test_every_family_is_a_gauge_and_described_in_a_sentence(looked: Health) -> None:
    found = families(looked)
    ours = [family for name, family in found.items() if name.startswith("greenlight_")]
    assert {family.type for family in ours} == {"gauge"}
    for family in ours:
        assert family.documentation[0].isupper(), family.name
        assert family.documentation.endswith("."), family.name
        assert family.samples, family.name
        assert not family.name.endswith("_total")
    # The process says of itself what it says everywhere, once.
    assert set(found) - {family.name for family in ours} >= {"process_start_time_seconds", "process_open_fds"}


def test_of_a_database_that_is_away_nothing_is_said_but_that() -> None:
    found = families(None)
    assert [name for name in found if name.startswith("greenlight_")] == ["greenlight_database_up"]
    assert value(found, "database_up") == 0


def test_nothing_is_asked_before_somebody_scrapes() -> None:
    asked: list[int] = []
    registry = metrics.registry(lambda: asked.append(1))
    assert asked == []
    metrics.exposition(registry)
    assert asked == [1]
