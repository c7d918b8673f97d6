"""The trace of a job that a machine with a wrong clock carries out tells when it happened, and how long it took."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from studio.database.connection import Database
from studio.paths import ROOT
from tests.support.hosts_host import HostError, build_clock
from tests.support.queue import enqueue, make_project

PROGRAM = """
import sys, time
from datetime import timedelta
from uuid import UUID
from dagster import DagsterRun
from resources import job_trace
from studio import claims
from studio.database.connection import Database
from studio.settings import Settings
from studio.tracing import span

settings = Settings()
with Database(sys.argv[1]) as db, db.transaction() as conn:
    claim = claims.claim_by_id(
        conn, db, UUID(sys.argv[2]), "worker", "run-1", timedelta(seconds=settings.lease_seconds)
    )
with Database(sys.argv[1]) as db, job_trace.collecting(settings, db):
    trace = job_trace.begin(claim, DagsterRun("job", "run-1"), settings, of_pickup=True)
    time.sleep(0.2)
    job_trace.end(trace, "completed", None, None)
"""


@pytest.mark.parametrize("skew", [0, 300, -300])
def test_a_trace_is_by_the_clock_of_the_database(
    skew: int, database: Database, database_url: str, tmp_path: Path
) -> None:
    try:
        clock = build_clock(tmp_path)
    except HostError as exc:
        pytest.skip(str(exc))
    job_id = enqueue(database, make_project(database))
    wrong = {"LD_PRELOAD": str(clock), "SKEWED_CLOCK_SECONDS": str(skew)}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, database_url, str(job_id)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database_url, **wrong},
        cwd=ROOT,
        check=True,
    )
    row = database.fetch_one(
        "select t.start_time - j.created_at as early, now() - t.end_time as ago,"
        " t.duration_ms, t.queue_ms, t.launch_ms,"
        " extract(epoch from now() - j.created_at)::float8 * 1000 as whole_ms"
        " from public.pipeline_traces t join public.agent_jobs j on j.id = t.job_id"
    )
    assert row is not None
    # Less than the five minutes, more than a busy machine takes.
    near = timedelta(seconds=120)
    assert abs(row["early"]) < near
    assert abs(row["ago"]) < near
    assert 200 <= row["duration_ms"] <= row["whole_ms"] + 1000
    assert row["queue_ms"] + row["launch_ms"] <= row["duration_ms"]
