"""The benchmarks of the database do their work on a real one, and its statements are counted by what it was asked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from benchmarks import claims, enqueue, events, traced_model, tracing
from benchmarks.server import Server
from benchmarks.size import Size
from studio.database.connection import Database

SMALL = Size(200, 200)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # Not under pytest's own folders: those may be too long for a socket.
    with tempfile.TemporaryDirectory(prefix="greenlight-bench-") as folder, Server(Path(folder)) as running:
        yield running


def test_statements_of_others_are_counted_while_they_are_asked_for(server: Server) -> None:
    url, other = server.database("counted"), server.database("uncounted")
    with psycopg.connect(url, application_name="asker") as conn, psycopg.connect(other) as elsewhere:
        conn.execute("select 'before'")
        conn.commit()
        with server.statements("counted") as counted:
            conn.execute("select\n'over two lines'")
            conn.execute("select %s::int", [2])
            conn.commit()
            elsewhere.execute("select 'elsewhere'")
        conn.execute("select 'after'")
    assert counted.kinds == {"work": 2, "control": 2}
    assert counted.applications == {"asker": 4}
    server.drop("counted")


def test_the_benchmarks_of_the_database_yield_their_figures(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "FEW", SMALL)
    monkeypatch.setattr(claims, "MANY", Size(400, 400))
    monkeypatch.setattr(claims, "ROUNDS", Size(3, 3))
    monkeypatch.setattr(enqueue, "SINGLES", Size(8, 8))
    monkeypatch.setattr(enqueue, "BULK", Size(4_000, 4_000))
    monkeypatch.setattr(events, "EVENTS", Size(1_000, 1_000))
    for benchmark, figures in ((claims.run, 6), (enqueue.run, 4), (events.run, 1)):
        with server.studio("bench") as db:
            found = list(benchmark(db, True))
        assert len(found) == figures
        assert all(figure.ours > 0 for figure in found)


def test_a_bulk_is_really_enqueued(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enqueue, "SINGLES", Size(8, 8))
    monkeypatch.setattr(enqueue, "BULK", Size(4_000, 4_000))
    with server.studio("bench") as db:
        list(enqueue.run(db, True))
        assert _count(db, "agent_jobs") == _count(db, "agent_job_events") == 50 + 8 + 8 + 4_000 + 4_000


def test_what_tracing_costs_is_measured_with_traces_that_are_really_stored(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "ROUNDS", Size(2, 2))
    monkeypatch.setattr(tracing, "PAUSE_SECONDS", 0.0)
    monkeypatch.setattr(tracing, "CROWD", Size(700, 700))
    monkeypatch.setattr(traced_model, "QUESTIONS", Size(1, 1))
    with server.studio("bench") as db:
        figures = {figure.what: figure.ours for figure in tracing.run(db, True)}
        # Two rounds of three kinds of spans, the last kind one at a time, and the crowd; each trace with its root.
        assert _count(db, "pipeline_traces") == 2 * 3 + 1
        assert _count(db, "pipeline_spans") == 2 * (25 + 25 + 1) + 700 + 7
        assert figures["700 in one trace: lost"] == 0
        list(traced_model.run(db, True))
        # A round that does not count, and one that does: once each with a trace, once without.
        assert _count(db, "model_calls") == 4
        assert _count(db, "pipeline_traces") == 2 * 3 + 1 + 2


def _count(db: Database, table: str) -> int:
    with db.connection() as conn:
        row = conn.execute(psycopg.sql.SQL("select count(*) as n from {}").format(psycopg.sql.Identifier(table)))
        found = row.fetchone()
    assert found is not None
    return int(found["n"])
