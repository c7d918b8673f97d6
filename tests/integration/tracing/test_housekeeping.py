"""Every minute, traces that nobody else will close are closed, and what lies on the disk goes where it belongs: to the
database, and to the copy at InsForge, which so has lost runs, too.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import SecretStr

from schedules.operations import do_all
from studio.database.connection import Database
from studio.settings import Settings
from studio.tracing.collector import TraceCollector, spill_of
from studio.tracing.context import TraceContext
from studio.tracing.rows import Batch
from studio.tracing.sinks.postgres import PostgresSink
from tests.support.insforge import API_KEY, insforge
from tests.support.postgres import TestServer
from tests.support.queue import lose, running
from tests.support.sinks import span, trace


def test_a_lost_trace_is_closed_and_copied_and_what_was_spilled_is_brought_back(
    database: Database, postgres: TestServer, tmp_path: Path
) -> None:
    with insforge(postgres) as there:
        settings = Settings(data_dir=tmp_path, insforge_url=there.url, insforge_api_key=SecretStr(API_KEY))
        spill_of(settings).save("postgres", [Batch([trace()], [span(1)])])
        claim = running(database)
        with TraceCollector([PostgresSink(database)]) as collector:
            context = TraceContext(
                "test.work", project_id=claim.job.project_id, job_id=claim.job_id, claim_no=1, owner_clerk_id="owner"
            )
            root = context.begin()
            root.set_input({"asked": "what"})
            collector.flush()
        lose(claim)
        database.execute(
            "update public.agent_jobs set run_after = now() - interval '1 hour', started_at = now() - interval '1 hour'"
        )
        database.execute(
            "update public.pipeline_traces set created_at = now() - interval '1 hour' where job_id is not null"
        )

        said = do_all(database, settings)
        assert "lost traces: 1" in said
        assert "2 rows to postgres" in said
        assert "2 rows to insforge" in said
        [row] = there.database.fetch_all("select span_id, status, input_data from public.pipeline_spans")
        assert row == {"span_id": root.span_id, "status": "lost", "input_data": {"asked": "what"}}
        [row] = there.database.fetch_all("select trace_id, owner_clerk_id, status from public.pipeline_traces")
        assert row == {"trace_id": context.trace_id, "owner_clerk_id": "owner", "status": "lost"}
        assert list((tmp_path / "traces").iterdir()) == []
        again = do_all(database, settings)
        assert "lost traces: 0 spilled traces: none" in again
