"""A rehearsal goes the whole way of a trace, from its first span to its rows, and leaves nothing of it."""

from __future__ import annotations

from studio.database.connection import Connection, Database
from studio.tracing.active import NOTHING, current
from studio.tracing.collector import installed
from studio.tracing.rehearsal import rehearse


def test_a_rehearsal_stores_a_trace_that_its_transaction_takes_back(database: Database) -> None:
    with database.connection() as conn:
        with conn.transaction(force_rollback=True):
            rehearse(conn)
            assert _stored(conn) == {"traces": 1, "spans": 2, "ended": 2}
        assert _stored(conn) == {"traces": 0, "spans": 0, "ended": 0}
    assert installed() is None
    assert current() is NOTHING


def _stored(conn: Connection) -> dict[str, int] | None:
    return conn.execute(
        "select (select count(*) from public.pipeline_traces) as traces, count(*) as spans,"
        " count(*) filter (where status = 'ok' and input_data is not null or parent_span_id is null) as ended"
        " from public.pipeline_spans"
    ).fetchone()
