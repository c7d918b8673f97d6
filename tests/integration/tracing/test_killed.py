"""A process that is killed in the middle of nested spans leaves what was in flight; somebody else closes its trace."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import Any, cast
from uuid import UUID

import pytest

from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.operations import issues
from studio.paths import ROOT
from studio.tracing import ids, lost
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.redaction import Redactor
from studio.tracing.sinks.postgres import PostgresSink
from tests.support.queue import lose, running
from tests.support.traces import rows, span, store
from tests.support.waiting import eventually

NOBODY = Redactor(())
CHILD = """
import sys, time
from uuid import UUID
from studio.database.connection import Database
from studio.tracing import span, traced_span
from studio.tracing.collector import TraceCollector
from studio.tracing.context import TraceContext
from studio.tracing.sinks.postgres import PostgresSink

@traced_span("agent:researcher")
def research(question):
    with span("llm:anthropic"), span("chat sandbox"):
        time.sleep(60)

url, trace_id, job_id, project_id = sys.argv[1:]
with Database(url) as db, TraceCollector([PostgresSink(db)], flush_seconds=0.02):
    with TraceContext("test.work", trace_id=UUID(trace_id), kind="job", job_id=UUID(job_id), claim_no=1,
                      project_id=UUID(project_id)):
        with span("step:done"):
            pass
        with span("step:research"):
            research("Who else does this?")
"""


def spans_of(db: Database, trace_id: UUID) -> dict[str, dict[str, object]]:
    rows = db.fetch_all(
        "select s.*, p.span_name as parent from public.pipeline_spans s"
        " left join public.pipeline_spans p on p.span_id = s.parent_span_id where s.trace_id = %s",
        [trace_id],
    )
    return {row["span_name"]: row for row in rows}


def killed_in_mid_call(claim: Claim) -> UUID:
    """Let a process work on the claim's trace, and kill it in the middle of a model call; return the trace."""
    db, trace_id = claim.db, ids.of_claim(claim.job_id, claim.claim_no)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, db.url, str(trace_id), str(claim.job_id), str(claim.job.project_id)], cwd=ROOT
    )
    try:
        eventually(lambda: "chat sandbox" in spans_of(db, trace_id), what="the row of the call in flight")
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    return trace_id


def test_what_was_in_flight_is_there_with_its_input_and_is_closed_by_whoever_brings_the_job_back(
    database: Database,
) -> None:
    claim = running(database)
    trace_id = killed_in_mid_call(claim)
    before = spans_of(database, trace_id)
    assert {name: span["parent"] for name, span in before.items()} == {
        "job:test.work": None,
        "step:done": "job:test.work",
        "step:research": "job:test.work",
        "agent:researcher": "step:research",
        "llm:anthropic": "agent:researcher",
        "chat sandbox": "llm:anthropic",
    }
    assert {name for name, span in before.items() if span["end_time"] is None} == set(before) - {"step:done"}
    assert before["agent:researcher"]["input_data"] == {"question": "Who else does this?"}

    lose(claim)
    with database.transaction() as conn:
        assert lost.close(conn, claim.job, "The process of run 1 was lost.", outcome="queued", redactor=NOBODY)
    with database.transaction() as conn:
        assert not lost.close(conn, claim.job, "Again.", outcome="queued", redactor=NOBODY)
    after = spans_of(database, trace_id)
    assert {name: span["status"] for name, span in after.items()} == {
        **dict.fromkeys(before, "lost"),
        "step:done": "ok",
    }
    assert {span["error_class"] for name, span in after.items() if name != "step:done"} == {"lost worker"}
    assert [name for name, span in after.items() if span["fingerprint"]] == ["job:test.work"]
    trace = database.fetch_one("select * from public.pipeline_traces where trace_id = %s", [trace_id])
    assert trace is not None
    assert (trace["status"], trace["success"], trace["outcome"], trace["span_count"]) == ("lost", False, "queued", 6)
    assert "chat sandbox" in trace["error"]


def test_a_sweep_closes_what_nobody_else_has(database: Database) -> None:
    claim = running(database)
    trace_id = killed_in_mid_call(claim)
    assert lost.sweep(database, NOBODY) == [], "its job is still running"
    lose(claim)
    assert lost.sweep(database, NOBODY) == [], "its run may still be writing"
    database.execute(
        "update public.agent_jobs set run_after = now() - interval '2 minutes', started_at = now() - interval '1 hour'"
    )
    database.execute("update public.pipeline_traces set created_at = now() - interval '1 hour'")
    assert lost.sweep(database, NOBODY) == [trace_id]
    assert lost.sweep(database, NOBODY) == []
    assert {span["status"] for span in spans_of(database, trace_id).values()} == {"lost", "ok"}


def test_a_run_that_never_began_has_a_trace_too(database: Database) -> None:
    claim = running(database)
    assert claim.release("Run 7 failed to launch. No memory.") == "queued"
    with database.transaction() as conn:
        lost.close(conn, claim.job, "Run 7 failed to launch. No memory.", outcome="queued", redactor=NOBODY)
    spans = spans_of(database, ids.of_claim(claim.job_id, 1))
    assert {name: span["status"] for name, span in spans.items()} == {
        "job:test.work": "lost",
        "queue:wait": "ok",
        "launch": "lost",
    }
    assert "failed to launch" in str(spans["launch"]["error"])


def test_a_run_that_was_canceled_before_it_began_is_not_lost(database: Database) -> None:
    claim = running(database)
    claim.cancel("Not wanted.")
    with database.transaction() as conn:
        lost.close(conn, claim.job, "Not wanted.", outcome="canceled", redactor=NOBODY)
    trace = database.fetch_one("select status, error_class, outcome from public.pipeline_traces")
    assert trace == {"status": "cancelled", "error_class": "cancelled", "outcome": "canceled"}


@pytest.mark.parametrize("ended", ["ok", "cancelled"])
def test_a_run_that_began_after_all_has_its_own_spans_alone(database: Database, ended: str) -> None:
    claim = running(database)
    trace_id = ids.of_claim(claim.job_id, 1)
    why = "The lease of run 7 ran out: its process is lost."
    with database.transaction() as conn:
        assert lost.close(conn, claim.job, why, outcome="queued", redactor=NOBODY)
    assert [issue.count for issue in issues.find(database)] == [1]
    batch = rows(
        project_id=claim.job.project_id,
        trace_id=trace_id,
        job_id=claim.job_id,
        spans=[
            span("job:test.work", 0, 900, status=ended),
            span("queue:wait", 0, 100, under=0),
            span("launch", 100, 200, under=0),
        ],
    )
    for _ in range(2):
        store(database, batch)
        found = database.fetch_all("select span_name, status, span_id from public.pipeline_spans order by start_time")
        assert {row["span_id"] for row in found} == {one.span_id for one in batch.spans}
        assert issues.find(database) == []
    row = database.fetch_one("select status, error, span_count from public.pipeline_traces")
    assert row == {"status": ended, "error": None, "span_count": 3}


def test_what_stands_in_does_not_come_beside_an_end_that_was_quicker(database: Database) -> None:
    claim = running(database)
    batch = rows(project_id=claim.job.project_id, trace_id=ids.of_claim(claim.job_id, 1),
                 spans=[span("job:test.work", 0, 9)])  # fmt: skip

    class Between:
        """Lets the run end after it was looked whether it has begun."""

        def __init__(self, conn: Connection) -> None:
            self._conn = conn

        def execute(self, query: Any, params: Any = None) -> Any:
            done = self._conn.execute(query, params)
            if "is null as open" in query:
                store(database, batch)
            return done

    with database.transaction() as conn:
        lost.close(cast("Connection", Between(conn)), claim.job, "Gone.", outcome="queued", redactor=NOBODY)
    found = database.fetch_all("select span_name from public.pipeline_spans")
    assert found == [{"span_name": "job:test.work"}]
    assert database.fetch_all("select status from public.pipeline_traces") == [{"status": "ok"}]
    assert issues.find(database) == []


def test_who_was_taken_for_lost_and_was_not_has_the_last_word(database: Database) -> None:
    claim = running(database)
    with TraceCollector([PostgresSink(database)]) as collector:
        trace = TraceContext(
            "test.work", trace_id=ids.of_claim(claim.job_id, 1), project_id=claim.job.project_id, job_id=claim.job_id
        )
        trace.begin()
        collector.flush()
        with database.transaction() as conn:
            assert lost.close(conn, claim.job, "Its lease ran out.", outcome="queued", redactor=NOBODY)
        trace.end("completed")
    row = database.fetch_one("select status, outcome, error, fingerprint from public.pipeline_traces")
    assert row == {"status": "ok", "outcome": "completed", "error": None, "fingerprint": None}
