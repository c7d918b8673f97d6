"""What grows old at InsForge goes as it goes here, and nothing else does; an InsForge that is away costs an hour."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio.database.connection import Database
from studio.job_types import SYSTEM_PROJECT_ID
from studio.operations import copy_retention
from studio.settings import Settings
from studio.tracing.rows import Batch, SpanRow
from studio.tracing.sinks.insforge import InsForgeSink
from tests.support.insforge import API_KEY, InsForge, insforge
from tests.support.postgres import TestServer
from tests.support.queue import make_project
from tests.support.sinks import span, trace
from tests.support.traces import NOW


@pytest.fixture(scope="module")
def project(postgres: TestServer) -> Iterator[InsForge]:
    with insforge(postgres) as project:
        yield project


@pytest.fixture
def there(project: InsForge) -> InsForge:
    project.clear()
    return project


@pytest.fixture
def settings(there: InsForge) -> Settings:
    return Settings(INSFORGE_URL=there.url, INSFORGE_API_KEY=API_KEY)


def store(
    there: InsForge, days: float, *, status: str = "ok", project: UUID | None = None, fault: str | None = None
) -> tuple[str, list[str]]:
    """Copy a trace that ended so many days ago, with two spans that have payloads; the second one with the `fault`.

    Return their ids.
    """
    trace_id = uuid4()
    at = {"start_time": NOW - timedelta(days=days), "trace_id": trace_id, "project_id": project}
    payload: dict[str, Any] = {"input_data": '"a prompt"', "output_data": '{"an": "answer"}', "input_size": 10}
    spans: list[SpanRow] = [span(**at, **payload), span(**at, **payload, fingerprint=fault)]
    sink = InsForgeSink(there.url, API_KEY)
    sink.write(Batch([trace(trace_id, status=status, project_id=project, start_time=at["start_time"])], spans))
    sink.close()
    for table in ("pipeline_traces", "pipeline_spans"):
        there.database.execute(
            f"update public.{table} set created_at = %s where trace_id = %s".encode(), [at["start_time"], trace_id]
        )
    return str(trace_id), [row.span_id for row in spans]


def traces(there: InsForge) -> set[str]:
    return set(there.ids("pipeline_traces", "trace_id"))


def with_payload(there: InsForge) -> set[str]:
    rows = there.database.fetch_all(
        "select span_id, input_size, input_data is not null as input, output_data is not null as output"
        " from public.pipeline_spans"
    )
    assert all(row["input"] == row["output"] and row["input_size"] == 10 for row in rows)
    return {row["span_id"] for row in rows if row["input"]}


@pytest.mark.parametrize("at_once", [1, 2, 100], ids=["one at once", "two", "many"])
def test_payloads_go_after_a_week_and_traces_after_a_month_or_three(
    database: Database, there: InsForge, settings: Settings, monkeypatch: pytest.MonkeyPatch, at_once: int
) -> None:
    for limit in ("SPANS_AT_ONCE", "IDS_AT_ONCE"):
        monkeypatch.setattr(copy_retention, limit, at_once)
    young, spans_of_young = store(there, 6)
    week, _ = store(there, 8)
    failed, spans_of_failed = store(there, 8, status="error", fault="f")
    overcome, _ = store(there, 9, fault="f")
    lost, spans_of_lost = store(there, 50, status="lost", fault="f")
    for days, status in ((31, "ok"), (32, "ok"), (91, "error")):
        store(there, days, status=status, fault="f")
    # Whose trace never came.
    orphan = store(there, 91)[0]
    there.database.execute("delete from public.pipeline_traces where trace_id = %s", [orphan])

    assert copy_retention.sweep(database, settings) == 3
    assert traces(there) == {young, week, failed, overcome, lost}
    assert len(there.ids()) == 10
    # Of those that failed the span in which it came up keeps what went in.
    assert with_payload(there) == {*spans_of_young, spans_of_failed[1], spans_of_lost[1]}

    before = len(there.requests)
    assert copy_retention.sweep(database, settings) == 0
    assert with_payload(there) == {*spans_of_young, spans_of_failed[1], spans_of_lost[1]}
    assert len(there.requests) - before < 20


def test_a_deleted_project_takes_its_copies_with_it(database: Database, there: InsForge, settings: Settings) -> None:
    kept, gone = make_project(database), make_project(database)
    kept_trace, _ = store(there, 1, project=kept)
    nobodys, _ = store(there, 1)
    for _ in range(3):
        store(there, 1, project=gone, status="error", fault="f")
    without_trace, _ = store(there, 1, project=gone)
    there.database.execute("delete from public.pipeline_traces where trace_id = %s", [without_trace])
    assert copy_retention.sweep(database, settings) == 0
    database.execute("delete from public.projects where id = %s", [gone])

    assert copy_retention.sweep(database, settings) == 3
    assert traces(there) == {kept_trace, nobodys}
    assert there.database.fetch_one("select count(*)::int as n from public.pipeline_spans") == {"n": 4}


def test_the_copies_of_another_installation_are_left_alone(
    database: Database, there: InsForge, settings: Settings
) -> None:
    make_project(database)
    for project in (uuid4(), uuid4(), SYSTEM_PROJECT_ID):
        store(there, 1, project=project)
    assert copy_retention.sweep(database, settings) == 0
    assert len(traces(there)) == 3


def test_one_sweep_takes_so_much_and_the_next_ones_the_rest(
    database: Database, there: InsForge, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit, number in (("SPANS_AT_ONCE", 2), ("SPAN_ROUNDS", 1), ("IDS_AT_ONCE", 1), ("TRACE_ROUNDS", 2)):
        monkeypatch.setattr(copy_retention, limit, number)
    for _ in range(3):
        store(there, 31)
    left = []
    for _ in range(6):
        before = len(there.requests)
        copy_retention.sweep(database, settings)
        assert len(there.requests) - before < 20
        left.append(len(traces(there)))
        # Spans go before their trace.
        assert len(there.ids()) <= 2 * left[-1]
    assert left == sorted(left, reverse=True)
    assert left[-1] == 0


@pytest.mark.parametrize("away", ["503", "no answer", "wrong key"])
def test_an_insforge_that_is_away_costs_nothing_but_time(
    database: Database, there: InsForge, settings: Settings, away: str, caplog: pytest.LogCaptureFixture
) -> None:
    store(there, 31)
    asked = settings
    if away == "wrong key":
        asked = Settings(INSFORGE_URL=there.url, INSFORGE_API_KEY="ik_wrong")
    else:
        there.fault(**{"503": {"kind": "status", "status": 503}, "no answer": {"kind": "drop"}}[away])  # type: ignore[arg-type]
    with caplog.at_level(logging.WARNING):
        said = copy_retention.sweep(database, asked)
    assert isinstance(said, str)
    assert "InsForge" in said
    assert said in caplog.text
    assert len(traces(there)) == 1
    assert copy_retention.sweep(database, settings) == 1
    assert (traces(there), there.ids()) == (set(), [])


def test_without_insforge_nothing_is_asked(database: Database, there: InsForge) -> None:
    assert copy_retention.sweep(database, Settings(INSFORGE_URL=None)) == 0
    assert there.requests == []
