"""Whatever an object looks like, PostgreSQL takes what is stored of it, and the studio reads it back."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from studio.database.connection import Database
from studio.tracing.fault import fault_of
from studio.tracing.payload import LIMIT_BYTES, serialised, stored
from studio.tracing.redaction import Redactor
from studio.tracing.rows import Batch, SpanRow
from studio.tracing.sinks.postgres import PostgresSink

REDACTOR = Redactor(["hunter2"])


class Hostile:
    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError("no")


def nested(depth: int) -> Any:
    value: Any = "end"
    for _ in range(depth):
        value = {"a": [value]}
    return value


NASTY = {
    "\x00\ud800 key": "\x00\\u0000\udfff",
    "numbers": [float("nan"), float("-inf"), 10**4000, 10**9999, 1e308, 5e-324],
    "depth": nested(3_000),
    "hostile": Hostile(),
    "login": {"password": 123, "said": "hunter2 Bearer abcdefghij"},
    1: "one",
    "1": "one as text",
    "empty": [{}, [], "", None],
}


def test_a_nasty_payload_is_stored_as_jsonb_and_read_back(database: Database) -> None:
    values = [NASTY, [NASTY] * 100, '\x00\U0001f600"\\\n' * 40_000, '{"a": ' * 20_000]
    payloads = [stored(serialised(value), REDACTOR) for value in values]
    exc = ValueError("\x00\ud800 hunter2 " + "x" * 5_000)
    fault = fault_of(exc, REDACTOR)
    spans = [
        SpanRow(
            span_id=f"{n:016x}",
            trace_id=uuid.UUID(int=1),
            span_name="agent:research",
            start_time=datetime(2026, 3, 1, tzinfo=UTC),
            input_data=payload.text,
            input_size=payload.size,
            input_sha256=payload.sha256,
            error=fault.message,
            error_type=fault.type,
            error_class=fault.error_class,
            fingerprint=fault.fingerprint,
            stack=fault.stack,
        )
        for n, payload in enumerate(payloads)
    ]
    PostgresSink(database).write(Batch(spans=spans))
    rows = database.fetch_all(
        "select input_data, input_size, jsonb_typeof(input_data) as kind, octet_length(input_data::text) as bytes"
        ", error from public.pipeline_spans order by span_id"
    )
    assert [row["kind"] for row in rows] == ["object", "string", "string", "string"]
    assert [row["input_size"] for row in rows] == [payload.size for payload in payloads]
    # PostgreSQL's own form has a space behind each comma and colon; text it has the same.
    assert all(row["bytes"] <= LIMIT_BYTES for row in rows if row["kind"] == "string")
    assert not any("hunter2" in str(row) for row in rows)
    read = rows[0]["input_data"]
    assert read["numbers"][:2] == ["NaN", "-Infinity"]
    assert read["numbers"][2] == 10**4000
    assert read["login"]["password"] == "•••"
    assert "unreadable" not in read
