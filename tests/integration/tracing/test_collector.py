"""Whatever becomes of the collector and its sinks, the work that is traced has its result, at its pace; and what can be
kept of its trace is kept.
"""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.tracing import span, traced_span
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch
from studio.tracing.sinks.postgres import PostgresSink
from studio.tracing.spill import Spill
from tests.support.collected import collected
from tests.support.size import FULL


class Hanging:
    """A sink that never comes back."""

    name = "hanging"
    takes_open_rows = True

    def __init__(self) -> None:
        self.released = threading.Event()

    def write(self, batch: Batch) -> None:
        self.released.wait()

    def close(self) -> None:
        pass


@traced_span("tool:double")
def double(number: int) -> int:
    return 2 * number


def work(count: int) -> int:
    with TraceContext("p"):
        return sum(double(number) for number in range(count))


def test_a_dead_database_costs_the_work_nothing_and_the_trace_is_kept(database: Database, tmp_path: Path) -> None:
    spill = Spill(tmp_path)
    with Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1") as dead:
        with TraceCollector([PostgresSink(dead)], stop_seconds=0.2, spill=spill):
            assert work(10) == 90
    drained = spill.drain(PostgresSink(database))
    # A root and ten calls, and their trace.
    assert drained.rows == 12
    row = database.fetch_one("select span_count, status from public.pipeline_traces")
    assert row == {"span_count": 11, "status": "ok"}


def test_a_sink_that_hangs_holds_nobody(database: Database, tmp_path: Path) -> None:
    hanging = Hanging()
    collector = TraceCollector(
        [hanging, PostgresSink(database)], flush_seconds=0.01, stop_seconds=0.2, spill=Spill(tmp_path)
    ).start()
    try:
        assert work(3) == 6
    finally:
        collector.stop()
        hanging.released.set()
    row = database.fetch_one("select count(*) as n from public.pipeline_spans where status = 'ok'")
    assert row == {"n": 4}, "another sink's trouble is not this one's"
    assert list(tmp_path.glob("hanging-*.jsonl")), "what it did not take is spilled"


def test_nowhere_to_write_is_counted_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    with Database("postgresql://nobody@127.0.0.1:1/none?connect_timeout=1") as dead:
        with TraceCollector([PostgresSink(dead)], stop_seconds=0.2, spill=Spill(no_folder)) as collector:
            assert work(3) == 6
    assert collector.lost == 4
    assert "dropped" in caplog.text


def test_dropped_spans_stand_in_the_trace(database: Database) -> None:
    class Refusing(PostgresSink):
        def write(self, batch: Batch) -> None:
            for row in batch.spans:
                if row.span_name == "tool:odd":
                    # What no column takes, whatever is taken away from it.
                    row.span_id = "not hexadecimal!"
            super().write(batch)

    with TraceCollector([Refusing(database)]):
        with TraceContext("p"), span("tool:odd"):
            pass
    row = database.fetch_one("select dropped_spans, status from public.pipeline_traces")
    assert row == {"dropped_spans": 1, "status": "ok"}


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="the long form")
def test_a_hundred_thousand_spans_in_one_trace(database: Database) -> None:
    with TraceCollector([PostgresSink(database)], stop_seconds=120):
        assert work(100_000) == 9_999_900_000
    row = database.fetch_one("select span_count, dropped_spans from public.pipeline_traces")
    assert row == {"span_count": 100_001, "dropped_spans": 0}
    stored = database.fetch_one("select count(*) as n from public.pipeline_spans where status = 'ok'")
    assert stored == {"n": 100_001}


def test_the_collector_starts_and_stops_as_often_as_it_is_told() -> None:
    collector = TraceCollector([])
    collector.stop()
    for _ in range(2):
        with collector:
            assert work(1) == 0
        assert work(1) == 0


def test_inputs_that_pile_up_are_let_go_of_and_their_spans_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.tracing.collector.BACKLOG_CHARS", 1_000)
    with collected() as kept, TraceContext("p"):
        for number in range(5):
            with span(f"tool:{number}") as traced:
                traced.set_input("x" * 400)
    sizes = [kept.named(f"tool:{number}").input_size for number in range(5)]
    assert sizes == [402, 402, None, None, None]
    assert kept.named("tool:4").attributes == {"greenlight.payload_let_go": 402}


def test_a_stop_that_finds_too_much_keeps_the_spans_without_what_went_in(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work = threading.Event()
    go_on = threading.Event()

    class Slow(Redactor):
        def json(self, text: str) -> str:
            at_work.set()
            go_on.wait()
            return super().json(text)

    spill = Spill(tmp_path)
    collector = TraceCollector(
        [PostgresSink(database)], flush_seconds=0.01, stop_seconds=0.2, spill=spill, redactor=Slow(())
    ).start()
    try:
        with TraceContext("p"):
            for number in range(20):
                double(number)
            at_work.wait()
            for number in range(20):
                double(number)
    finally:
        collector.stop()
        go_on.set()
    assert collector.lost == 0
    spill.drain(PostgresSink(database))
    assert database.fetch_one("select count(*) as n from public.pipeline_spans where status = 'ok'") == {"n": 41}
    assert database.fetch_one("select span_count, status from public.pipeline_traces") == {
        "span_count": 41,
        "status": "ok",
    }


def test_the_sdk_being_disabled_disables_its_export_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with collected() as kept:
        assert work(3) == 6
    assert len(kept.spans) == 4
    assert kept.trace.span_count == 4
