"""Traces arrive at InsForge once, whatever becomes of requests and answers; and there only their owner reads them."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from studio.backoff import Backoff
from studio.database.connection import Database
from studio.tracing.delivery import REFUSED, Delivery
from studio.tracing.errors import SinkError, SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch
from studio.tracing.sinks.insforge import InsForgeSink
from studio.tracing.spill import Spill
from tests.support.insforge import API_KEY, InsForge, insforge, migrate
from tests.support.postgres import TestServer
from tests.support.sinks import TRACE, open_span, span, spans, trace
from tests.support.waiting import eventually

WAIT = 20.0
# More than any column holds.
TOO_MUCH = 2**70


@pytest.fixture(scope="module")
def project(postgres: TestServer) -> Iterator[InsForge]:
    with insforge(postgres) as project:
        yield project


@pytest.fixture
def there(project: InsForge) -> Iterator[InsForge]:
    project.clear()
    yield project
    for fault in project.faults:
        fault.released.set()


@pytest.fixture
def connect(there: InsForge) -> Iterator[Callable[..., InsForgeSink]]:
    """Make sinks, and close them afterwards."""
    with contextlib.ExitStack() as stack:

        def made(key: str = API_KEY, url: str = there.url) -> InsForgeSink:
            sink = InsForgeSink(url, key, timeout=WAIT)
            stack.callback(sink.close)
            return sink

        yield made


@pytest.fixture
def sink(connect: Callable[..., InsForgeSink]) -> InsForgeSink:
    return connect()


def delivery(sink: InsForgeSink, spill: Spill | None = None) -> Delivery:
    return Delivery(sink, spill, backoff=Backoff(0.001, 0.002))


def read(there: InsForge, token: str, table: str, **query: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"{there.url}/api/database/records/{table}", params=query, headers=headers).json()


def test_a_trace_and_its_spans_arrive_as_they_are(there: InsForge, sink: InsForgeSink) -> None:
    first = span(1, input_data='{"idea": "a bakery für Ünal"}', attributes={"gen_ai.request.model": "m"})
    # Without most columns; and an empty text, which the gateway would take out of its record.
    second = span(2, parent_span_id=first.span_id, input_data='""', output_data="[1, null]", input_size=2)
    sink.write(Batch([trace(owner_clerk_id="user_1", job_id=uuid4())], [first, second]))

    rows = there.database.fetch_all("select * from pipeline_spans order by span_id")
    assert [row["span_id"] for row in rows] == [first.span_id, second.span_id]
    assert rows[0]["input_data"] == {"idea": "a bakery für Ünal"}
    assert rows[0]["attributes"] == {"gen_ai.request.model": "m"}
    assert (rows[0]["start_time"], rows[0]["end_time"]) == (first.start_time, first.end_time)
    assert (rows[1]["input_data"], rows[1]["input_size"], rows[1]["output_data"]) == (None, 2, [1, None])
    assert rows[1]["category"] == "tool"
    assert there.ids("pipeline_traces", "trace_id") == [str(TRACE)]


def test_a_request_is_what_the_records_api_wants(there: InsForge, sink: InsForgeSink) -> None:
    sink.write(Batch([trace()], [span(1), span(2)]))

    (_, spans_path, headers, body), (_, traces_path, _, _) = there.requests
    assert spans_path == "/api/database/records/pipeline_spans?on_conflict=span_id"
    assert traces_path == "/api/database/records/pipeline_traces?on_conflict=trace_id"
    assert headers["Authorization"] == f"Bearer {API_KEY}"
    assert headers["Prefer"] == "resolution=ignore-duplicates,return=minimal"
    assert "traceparent" not in {name.lower() for name in headers}
    assert len({frozenset(record) for record in json.loads(body)}) == 1


@pytest.mark.parametrize("stored", [True, False], ids=["after it was stored", "before it was stored"])
@pytest.mark.parametrize(
    "fault",
    [{"kind": "drop"}, {"kind": "status", "status": 503}, {"kind": "status", "status": 500, "body": "<h1>oops</h1>"}],
    ids=["no answer", "503", "500 and a page"],
)
def test_an_answer_that_is_lost_costs_no_row_and_doubles_none(
    there: InsForge, sink: InsForgeSink, fault: dict[str, Any], stored: bool
) -> None:
    there.fault(times=3, stored=stored, **fault)
    delivering = delivery(sink)
    batch = Batch([trace()], [span(number) for number in range(50)])
    delivering.put(batch)

    assert delivering.flush(WAIT)
    assert there.ids() == [row.span_id for row in batch.spans]
    assert there.ids("pipeline_traces", "trace_id") == [str(TRACE)]
    counters = delivering.counters
    assert (counters.written, counters.retried, counters.dropped) == (51, 3, 0)
    delivering.close(WAIT)


def test_a_bad_row_among_fifty_is_isolated(there: InsForge, sink: InsForgeSink) -> None:
    good = [span(number) for number in range(48)]
    bad = span(100, input_tokens=TOO_MUCH, input_data='"secret prompt"')
    mended = span(101, input_data='"\\u0000"', output_data='"fine"')
    delivering = delivery(sink)
    delivering.put(Batch(spans=[*good[:20], bad, *good[20:], mended]))

    assert delivering.flush(WAIT)
    assert there.ids() == [row.span_id for row in (*good, mended)]
    row = there.database.fetch_one("select * from pipeline_spans where span_id = %s", [mended.span_id])
    assert row is not None
    assert (row["input_data"], row["output_data"]) == (None, None)
    assert row["attributes"]["greenlight.refused"] == "InsForge answered 400: unsupported Unicode escape sequence."
    counters = delivering.counters
    assert (counters.written, counters.stripped, counters.dropped_by_reason) == (49, 1, {REFUSED: 1})
    assert delivering.dropped == {TRACE: 1}
    # Halved down to each of the two, and no further.
    assert len(there.requests) < 30
    delivering.close(WAIT)


def test_a_dead_server_spills_and_a_later_drain_brings_everything(
    there: InsForge, sink: InsForgeSink, connect: Callable[..., InsForgeSink], tmp_path: Path
) -> None:
    spill = Spill(tmp_path / "traces")
    dead = connect(url="http://127.0.0.1:9")
    delivering = delivery(dead, spill)
    for start in range(0, 1200, 100):
        delivering.put(Batch(spans=[span(number) for number in range(start, start + 100)]))
    delivering.put(Batch([trace()]))
    delivering.close(WAIT)
    assert (delivering.counters.spilled, delivering.counters.dropped) == (1201, 0)

    assert spill.drain(dead).error
    drained = spill.drain(sink)
    assert (drained.rows, drained.refused, drained.left, drained.error) == (1201, 0, 0, None)
    assert len(there.ids()) == 1200
    assert there.ids("pipeline_traces", "trace_id") == [str(TRACE)]


def test_open_rows_stay_here_because_their_end_would_be_ignored(there: InsForge, sink: InsForgeSink) -> None:
    delivering = delivery(sink)
    delivering.put(Batch([trace(end_time=None, status="running")], [open_span(1), span(2)]))
    assert delivering.flush(WAIT)
    delivering.put(Batch([trace()], [span(1)]))
    assert delivering.flush(WAIT)
    delivering.close(WAIT)

    rows = there.database.fetch_all("select status from pipeline_spans union all select status from pipeline_traces")
    assert [row["status"] for row in rows] == ["ok", "ok", "ok"]


@pytest.mark.parametrize(
    ("url", "key", "said"),
    [
        ("", "ik_wrong", "answered 401: Invalid API key"),
        ("/elsewhere", API_KEY, "answered 404"),
        ("", "a key\nof two lines", "cannot be put into a request"),
        ("", "schlüssel", "cannot be put into a request"),
    ],
    ids=["wrong key", "wrong address", "no key at all", "a key in letters that no header has"],
)
def test_what_is_misconfigured_refuses_no_row_and_is_not_asked_again_at_once(
    there: InsForge, connect: Callable[..., InsForgeSink], url: str, key: str, said: str
) -> None:
    sink = connect(key, there.url + url)
    for _ in range(3):
        with pytest.raises(SinkUnavailable) as caught:
            sink.write(spans(1))
        assert said in caught.value.message
        assert key not in str(caught.value)
    assert len(there.requests) <= 1


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (404, "PGRST205", SinkUnavailable),
        (400, "PGRST204", SinkUnavailable),
        (403, "42501", SinkUnavailable),
        (503, "53300", SinkUnavailable),
        (500, "54000", SinkRefused),
        (400, "PGRST102", SinkRefused),
        (413, "", SinkRefused),
        (422, "", SinkRefused),
    ],
    ids=["no table", "no column", "no right", "no connection", "too much", "keys that differ", "too large", "other"],
)
def test_a_row_is_refused_for_its_own_fault_alone(
    there: InsForge, sink: InsForgeSink, status: int, code: str, error: type[SinkError]
) -> None:
    there.fault("status", status=status, body={"code": code, "message": "It is so"})
    with pytest.raises(error, match=f"answered {status}: It is so"):
        sink.write(spans(1))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200, "body": "<h1>Sign in</h1>", "headers": {"Content-Type": "text/html"}},
        {"status": 307, "headers": {"Location": "/api/database/records/pipeline_spans"}},
    ],
    ids=["a page", "a redirect"],
)
def test_an_answer_that_is_not_its_own_is_not_taken_for_success(
    there: InsForge, sink: InsForgeSink, answer: dict[str, Any]
) -> None:
    there.fault("status", **answer)
    with pytest.raises(SinkUnavailable):
        sink.write(spans(1))
    assert (len(there.requests), there.ids()) == (1, [])


@pytest.mark.parametrize(
    ("header", "longest"),
    [("17", 17), ("100000", 900), ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("soon", 30), ("", 30)],
    ids=["seconds", "a day", "a moment that is over", "nonsense", "nothing"],
)
def test_too_many_requests_are_answered_with_silence_for_as_long_as_is_asked(
    there: InsForge, sink: InsForgeSink, header: str, longest: int
) -> None:
    there.fault("status", status=429, body="Too many requests", headers={"Retry-After": header})
    with pytest.raises(SinkUnavailable, match="429"):
        sink.write(spans(1))
    if longest == 0:
        sink.write(spans(1))
        assert len(there.requests) == 2
        return
    with pytest.raises(SinkUnavailable) as caught:
        sink.write(spans(1))
    assert len(there.requests) == 1
    assert longest - 10 < int(caught.value.remedy.split()[-2]) <= longest


def test_what_the_server_says_about_a_row_is_in_the_refusal(there: InsForge, sink: InsForgeSink) -> None:
    with pytest.raises(SinkRefused, match="out of range for type bigint"):
        sink.write(Batch(spans=[span(1, cost_micros=TOO_MUCH)]))


def test_a_key_that_the_server_repeats_is_not_repeated_by_us(there: InsForge, sink: InsForgeSink) -> None:
    there.fault("status", status=400, body={"message": f"bad header Bearer {API_KEY}"})
    with pytest.raises(SinkRefused) as caught:
        sink.write(spans(1))
    assert API_KEY not in str(caught.value)


def test_a_server_that_hangs_holds_up_nobody_beyond_the_deadline(
    there: InsForge, sink: InsForgeSink, connect: Callable[..., InsForgeSink], tmp_path: Path
) -> None:
    fault = there.fault("hang")
    delivering = delivery(sink, Spill(tmp_path))
    delivering.put(Batch(spans=[span(1), span(2)]))
    eventually(lambda: there.requests)
    delivering.close(0.05)

    assert (delivering.counters.spilled, delivering.counters.pending) == (2, 0)
    fault.released.set()
    assert Spill(tmp_path).drain(connect()).rows == 2
    assert there.ids() == [f"{1:016x}", f"{2:016x}"]


def test_more_rows_than_it_takes_at_once_go_in_several_requests(there: InsForge, sink: InsForgeSink) -> None:
    sink.write(spans(1001))
    assert [len(json.loads(body)) for _, _, _, body in there.requests] == [500, 500, 1]


# --- the migration


def test_an_owner_reads_his_own_traces_and_spans_and_writes_none(
    there: InsForge, sink: InsForgeSink, connect: Callable[..., InsForgeSink]
) -> None:
    other = UUID("99999999-2222-3333-4444-555555555555")
    sink.write(
        Batch(
            [trace(owner_clerk_id="user_ann"), trace(other, owner_clerk_id="user_bob")],
            [span(1), span(2, trace_id=other), span(3, trace_id=uuid4())],
        )
    )
    for owner, own_trace, own_span in (("user_ann", TRACE, 1), ("user_bob", other, 2)):
        token = there.token(owner)
        assert [row["trace_id"] for row in read(there, token, "pipeline_traces")] == [str(own_trace)]
        assert [row["span_id"] for row in read(there, token, "pipeline_spans")] == [f"{own_span:016x}"]
    assert read(there, there.token("user_eve"), "pipeline_spans") == []
    assert len(read(there, API_KEY, "pipeline_spans")) == 3
    with pytest.raises(SinkUnavailable, match="permission denied"):
        connect(there.token("user_ann")).write(Batch(spans=[span(4)]))


def test_records_are_found_by_the_apis_filters(there: InsForge, sink: InsForgeSink) -> None:
    sink.write(Batch(spans=[span(1, span_name="llm:anthropic"), span(2, status="error"), span(3)]))
    names = {
        key: [int(row["span_id"], 16) for row in read(there, API_KEY, "pipeline_spans", **query)]
        for key, query in {
            "like": {"span_name": "like.llm:*"},
            "eq": {"status": "eq.error"},
            "in": {"span_id": f"in.({1:016x},{3:016x})"},
            "gt": {"span_id": f"gt.{2:016x}"},
            "lte": {"span_id": f"lte.{2:016x}"},
            "limit": {"limit": "1", "order": "span_id.desc"},
        }.items()
    }
    assert names == {"like": [1], "eq": [2], "in": [1, 3], "gt": [3], "lte": [1, 2], "limit": [3]}


def test_the_server_is_as_strict_as_the_real_one(there: InsForge) -> None:
    def post(records: list[dict[str, Any]], prefer: str = "") -> tuple[int, str]:
        reply = httpx.post(
            f"{there.url}/api/database/records/pipeline_spans?on_conflict=span_id",
            json=records,
            headers={"Authorization": f"Bearer {API_KEY}", "Prefer": prefer},
        )
        return reply.status_code, "" if reply.status_code == 201 else reply.json()["code"]

    record = {"span_id": "0" * 16, "trace_id": str(TRACE), "span_name": "step:scan", "start_time": "2026-03-01T00:00Z"}
    assert post([record, {**record, "model": "m"}]) == (400, "PGRST102")
    assert post([{**record, "input_data": ""}, {**record, "input_data": "x"}]) == (400, "PGRST102")
    assert post([{**record, "colour": "blue"}]) == (400, "PGRST204")
    assert post([record]) == (201, "")
    assert post([record]) == (409, "23505")
    assert post([record], "resolution=ignore-duplicates") == (201, "")


def test_the_migration_may_be_applied_again(there: InsForge, sink: InsForgeSink) -> None:
    sink.write(spans(1))
    migrate(there.database)
    assert len(there.ids()) == 1


def test_both_databases_have_the_columns_that_rows_have(there: InsForge, database: Database) -> None:
    query = """
        select table_name, column_name, data_type, is_nullable, column_default, generation_expression
        from information_schema.columns
        where table_schema = 'public' and table_name in ('pipeline_traces', 'pipeline_spans') order by 1, 2
    """
    assert there.database.fetch_all(query) == database.fetch_all(query)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
