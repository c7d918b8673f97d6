"""The studio's database takes traces once, however often they are sent, and knows what is a row's fault."""

from __future__ import annotations

import logging
from pathlib import Path
from uuid import uuid4

import pytest

from studio.backoff import Backoff
from studio.database.connection import Database, Haste
from studio.tracing.delivery import REFUSED, Delivery
from studio.tracing.errors import SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch, SpanRow
from studio.tracing.sinks import postgres as module
from studio.tracing.sinks.postgres import PostgresSink
from studio.tracing.spill import Spill
from tests.support.postgres import TestServer
from tests.support.queue import make_project
from tests.support.sinks import TRACE, open_span, span, spans, trace

WAIT = 20.0
TOO_MUCH = 2**70


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def sink(database: Database) -> PostgresSink:
    return PostgresSink(database)


def ids(database: Database) -> list[str]:
    return [row["span_id"] for row in database.fetch_all("select span_id from public.pipeline_spans order by 1")]


def test_rows_arrive_as_they_are_and_only_once(database: Database, sink: PostgresSink) -> None:
    project = make_project(database)
    batch = Batch(
        [trace(project_id=project)],
        [
            span(1, project_id=project, input_data='{"ü": [1.5, null]}', attributes={"a": "\u2028"}, cost_micros=7),
            span(2),
        ],
    )
    sink.write(batch)
    sink.write(batch)

    first, second = database.fetch_all("select * from public.pipeline_spans order by span_id")
    assert (first["input_data"], first["attributes"], first["cost_micros"]) == ({"ü": [1.5, None]}, {"a": "\u2028"}, 7)
    assert (first["start_time"], first["trace_id"]) == (batch.spans[0].start_time, TRACE)
    assert (second["input_data"], second["events"]) == (None, [])
    (stored,) = database.fetch_all("select * from public.pipeline_traces")
    assert stored["owner_clerk_id"] is not None


def test_an_end_replaces_its_beginning_and_not_the_other_way_round(database: Database, sink: PostgresSink) -> None:
    sink.write(Batch([trace(end_time=None, status="running")], [open_span(1, input_data='"in"')]))
    sink.write(Batch([trace()], [span(1, input_data='"in"', output_data='"out"')]))
    sink.write(Batch([trace(end_time=None, status="running")], [open_span(1)]))
    (row,) = database.fetch_all("select status, input_data, output_data from public.pipeline_spans")
    assert row == {"status": "ok", "input_data": "in", "output_data": "out"}
    assert database.fetch_all("select status from public.pipeline_traces") == [{"status": "ok"}]


@pytest.mark.parametrize(
    "bad",
    [
        span(9, input_data='{"a": '),
        span(9, input_data='"\\u0000"'),
        span(9, input_data='"\ud800"'),
        span(9, input_tokens=TOO_MUCH),
        span(9, status="odd"),
        span(9, span_id="no such id"),
    ],
    ids=["half a JSON", "NUL", "a surrogate", "too large a number", "a status that is none", "an id that is none"],
)
def test_a_bad_row_is_refused_and_takes_no_other_along(database: Database, sink: PostgresSink, bad: SpanRow) -> None:
    with pytest.raises(SinkRefused) as caught:
        sink.write(Batch(spans=[span(1), bad]))
    # The server's second line would repeat the row.
    assert "\n" not in str(caught.value)
    assert "tool:search" not in str(caught.value)
    assert ids(database) == []

    delivery = Delivery(sink, None)
    delivery.put(Batch([trace()], [span(1), bad, span(2)]))
    assert delivery.flush(WAIT)
    delivery.close(WAIT)
    kept = [1, 2] if not bad.payload_bytes else [1, 2, 9]
    assert ids(database) == [f"{number:016x}" for number in kept]
    assert delivery.counters.dropped_by_reason == ({} if bad.payload_bytes else {REFUSED: 1})


def test_a_trace_whose_project_is_gone_is_refused(sink: PostgresSink) -> None:
    with pytest.raises(SinkRefused, match="foreign key"):
        sink.write(Batch([trace(project_id=uuid4())]))


def test_a_row_that_stands_there_twice_is_refused(sink: PostgresSink) -> None:
    with pytest.raises(SinkRefused, match="second time"):
        sink.write(Batch(spans=[open_span(1), span(1)]))


def test_a_schema_that_is_behind_is_nobodys_row(postgres: TestServer) -> None:
    with postgres.temporary() as name, Database(postgres.url(name)) as empty:
        with pytest.raises(SinkUnavailable, match="greenlight db migrate"):
            PostgresSink(empty).write(spans(1))


def test_a_trace_says_what_was_lost_on_the_way(database: Database, sink: PostgresSink) -> None:
    other = uuid4()
    sink.write(Batch([trace(end_time=None, status="running", dropped_spans=3), trace(other)]))
    # What knows of less does not wipe it.
    sink.write(Batch([trace(dropped_spans=1)]))
    rows = database.fetch_all("select trace_id, dropped_spans from public.pipeline_traces")
    assert {row["trace_id"]: row["dropped_spans"] for row in rows} == {TRACE: 3, other: 0}


SUMS = ("span_count", "model_calls", "input_tokens", "output_tokens", "cost_micros", "dropped_spans")


def test_what_ends_after_its_trace_is_added_and_an_older_row_takes_nothing_away(
    database: Database, sink: PostgresSink
) -> None:
    def stored() -> dict[str, object]:
        (row,) = database.fetch_all("select * from public.pipeline_traces")
        return {"status": row["status"], **{name: row[name] for name in SUMS}}

    first, second = ({name: 10 * n + at for at, name in enumerate(SUMS)} for n in (1, 2))
    rows = [trace(end_time=None, status="running", **first), trace(**first), trace(**second)]
    for row in (*rows, *rows[::-1], *rows):
        sink.write(Batch([row]))
    assert stored() == {"status": "ok", **second}
    # Each by itself; and another end has no say.
    sink.write(Batch([trace(**{**first, "cost_micros": 99})]))
    sink.write(Batch([trace(status="error", **dict.fromkeys(SUMS, 1000))]))
    assert stored() == {"status": "ok", **second, "cost_micros": 99}


def test_an_open_row_that_is_late_lowers_nothing(database: Database, sink: PostgresSink) -> None:
    for count in (5, 3):
        sink.write(Batch([trace(end_time=None, status="running", span_count=count)]))
    assert database.fetch_all("select span_count from public.pipeline_traces") == [{"span_count": 5}]


def test_the_sums_of_a_lost_trace_are_replaced_by_those_of_its_end(database: Database, sink: PostgresSink) -> None:
    sink.write(Batch([trace(status="lost", cost_micros=900, span_count=9, dropped_spans=2)]))
    sink.write(Batch([trace(cost_micros=300, span_count=4)]))
    (row,) = database.fetch_all("select status, cost_micros, span_count, dropped_spans from public.pipeline_traces")
    assert row == {"status": "ok", "cost_micros": 300, "span_count": 4, "dropped_spans": 2}


def test_a_locked_table_holds_up_us_and_not_for_long(
    database: Database, sink: PostgresSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LOCK_TIMEOUT_MS", 20)
    delivery = Delivery(sink, None, backoff=Backoff(0.001, 0.002))
    with database.transaction() as conn:
        conn.execute("lock table public.pipeline_spans in access exclusive mode")
        with pytest.raises(SinkUnavailable, match="lock timeout"):
            sink.write(spans(1))
        delivery.put(Batch(spans=[span(1)]))
    assert delivery.flush(WAIT)
    assert ids(database) == [f"{1:016x}"]
    delivery.close(WAIT)


def test_a_database_that_is_gone_spills_and_a_later_drain_brings_everything(
    database: Database, sink: PostgresSink, tmp_path: Path
) -> None:
    spill = Spill(tmp_path / "traces")
    with Database("postgresql://nobody@127.0.0.1:9/nowhere", haste=Haste(0.05, 1, 1)) as nowhere:
        delivery = Delivery(PostgresSink(nowhere), spill)
        delivery.put(Batch([trace()], [span(number) for number in range(600)]))
        delivery.close(WAIT)
        assert delivery.counters.spilled == 601
        assert "nobody" not in (spill.drain(PostgresSink(nowhere)).error or "nobody")
    assert spill.drain(sink).rows == 601
    assert len(ids(database)) == 600
    assert database.fetch_all("select trace_id from public.pipeline_traces") == [{"trace_id": TRACE}]
