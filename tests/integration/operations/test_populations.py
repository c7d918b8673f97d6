"""Figures about the same thing are about the same runs: synthetic ones are left out of all of them."""

from __future__ import annotations

from pathlib import Path

from studio.database.connection import Database
from studio.operations import health
from studio.settings import Settings
from tests.support.queue_rows import put_job
from tests.support.traces import make_trace


def test_jobs_of_synthetic_runs_are_counted_where_they_take_a_slot(database: Database, tmp_path: Path) -> None:
    put_job(database, "completed")
    tests = [put_job(database, status) for status in ("running", "queued", "completed", "failed", "canceled")]
    tests.append(put_job(database, "completed", job_type="test.only"))
    with database.transaction() as conn, conn.cursor() as cursor:
        cursor.executemany(
            "insert into public.synthetic_jobs (job_id, run_id, scenario) values (%s, gen_random_uuid(), 'x')",
            [[job] for job in tests],
        )
    make_trace(database)
    for _ in range(3):
        make_trace(database, kind="synthetic")
    found = health.look(database, Settings(GREENLIGHT_DATA_DIR=tmp_path))
    (work,) = found.job_types
    standard = next(lane for lane in found.lanes if lane.name == "standard")
    for flow in (work, standard):
        assert (flow.running, flow.queued, flow.due) == (1, 1, 1)
        assert (flow.completed, flow.failed, flow.canceled) == (1, 0, 0)
        assert (flow.started_per_minute.hour, flow.completed_per_minute.hour) == (1 / 60, 1 / 60)
    assert found.traces.day == 1
