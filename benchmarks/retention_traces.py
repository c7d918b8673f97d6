"""What traces cost when there are many of them; a part of `benchmarks.retention`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import LiteralString
from uuid import UUID

from greenlight_dagster.bench.samples import summarise
from studio.database.connection import Database
from studio.operations import retention, traces
from studio.settings import get_settings

# Rows are spread over so many days.
DAYS = 90
ROUNDS = 200
SPANS_PER_TRACE = 10

_MOMENTS: LiteralString = """
(select n, now() - %(days)s * interval '1 day' * (1 - n::float8 / %(traces)s) as t
 from generate_series(%(from)s, %(traces)s - 1) n) x
"""
_TRACES: LiteralString = f"""
insert into public.pipeline_traces (trace_id, pipeline_name, project_id, start_time, end_time, duration_ms, status,
  success, error_class, fingerprint, span_count, cost_micros, created_at)
select md5('trace' || n)::uuid, 'chat.reply', (%(projects)s::uuid[])[1 + n %% %(many)s], t, t + interval '4 s',
  4000 + n %% 500, case when n %% 50 = 0 then 'error' else 'ok' end, n %% 50 > 0,
  case when n %% 50 = 0 then 'model' end, case when n %% 50 = 0 then 'f' || n %% 20 end, 10, 1200, t
from {_MOMENTS}
"""
_SPANS: LiteralString = f"""
insert into public.pipeline_spans (span_id, trace_id, project_id, pipeline_name, span_name, start_time, end_time,
  duration_ms, self_ms, status, success, input_data, output_data, input_size, output_size, created_at)
select lpad(to_hex(n * 10 + k), 16, '0'), md5('trace' || n)::uuid, (%(projects)s::uuid[])[1 + n %% %(many)s],
  'chat.reply', (array['job:chat.reply', 'step:answer', 'agent:chat', 'llm:anthropic', 'tool:suggest'])[1 + k %% 5],
  t, t + interval '1 s', 1000, 400, 'ok', true, jsonb_build_object('text', repeat('in ', 100)),
  jsonb_build_object('text', repeat('out ', 100)), 300, 400, t
from {_MOMENTS} cross join generate_series(0, 9) k
"""


def fill_traces(db: Database, projects: list[UUID], before: int, spans: int) -> None:
    """Bring traces to `spans` spans, ten to a trace and one in fifty failed, as old as the events."""
    total, done = spans // SPANS_PER_TRACE, before // SPANS_PER_TRACE
    given = {"projects": projects, "many": len(projects), "days": DAYS, "traces": total, "from": done}
    with db.transaction() as conn:
        conn.execute("set local session_replication_role = replica")
        conn.execute(_TRACES, given)
        conn.execute(_SPANS, given)
    db.execute("vacuum analyze public.pipeline_traces")
    db.execute("vacuum analyze public.pipeline_spans")


def of_traces(db: Database) -> Iterator[tuple[str, float, str]]:
    """Yield what listing traces, listing errors and sweeping take, and how large their tables are."""
    for table in ("pipeline_traces", "pipeline_spans"):
        row = db.fetch_one(
            "select pg_table_size(%s::regclass)::float8 as data, pg_indexes_size(%s::regclass)::float8 as indexes",
            [f"public.{table}"] * 2,
        )
        assert row is not None
        yield f"{table}", row["data"] / 1e6, "MB"
        yield f"{table}, indexes", row["indexes"] / 1e6, "MB"
    for name, work in {
        "list traces": lambda: traces.find(db, limit=50),
        "list failed traces": lambda: traces.find(db, status="error", limit=50),
    }.items():
        p50, p95 = timed(work, 50)
        yield f"{name}, p50", p50, "ms"
        yield f"{name}, p95", p95, "ms"
    began = time.perf_counter()
    swept = retention.sweep(db, get_settings())
    took = time.perf_counter() - began
    rows = swept.payloads + swept.traces + swept.spans
    yield "sweep traces", rows / took, "rows/s"
    began = time.perf_counter()
    db.execute("vacuum public.pipeline_spans")
    yield "vacuum spans after it", time.perf_counter() - began, "s"


def timed(work: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Return p50 and p95 of `work` in milliseconds."""
    times = []
    for number in range(rounds + 5):
        began = time.perf_counter()
        work()
        if number >= 5:
            times.append((time.perf_counter() - began) * 1000)
    found = summarise(times)
    return found.p50, found.p95
