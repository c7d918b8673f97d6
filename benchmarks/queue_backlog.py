"""Claiming behind a project at its limit: 300,000 of its queued rows may cost little more than none."""

from __future__ import annotations

import statistics
import time
from datetime import timedelta
from uuid import UUID

from benchmarks.fixtures import make_project
from studio import queue
from studio.database.connection import Database

BACKLOG = 300_000
ROUNDS = 15
# Measured ×2 to ×3: the search by project costs two more index walks. Without it the factor is in the hundreds.
BOUND = 15.0


def _fill(db: Database, project_id: UUID, count: int) -> None:
    with db.transaction() as conn:
        # Without triggers: what is measured is the claim, not the filling.
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, lane)"
            " select %s, 'email.process_due', 'outreach', gen_random_uuid()::text, 'standard'"
            " from generate_series(1, %s)",
            [project_id, count],
        )


def _claim_ms(db: Database) -> float:
    times = []
    for _ in range(ROUNDS):
        _fill(db, make_project(db), 1)
        started = time.perf_counter()
        claimed = queue.claim(
            db, "bench", limit=1, lane="standard", lease=timedelta(hours=1), slots=10_000, project_limit=1
        )
        times.append((time.perf_counter() - started) * 1000)
        assert len(claimed) == 1
    return statistics.median(times)


def run(db: Database) -> tuple[str, float, float, float]:
    """Return name, milliseconds without and with the backlog, and the bound."""
    _claim_ms(db)
    without = _claim_ms(db)
    capped = make_project(db)
    _fill(db, capped, BACKLOG)
    db.execute("update public.agent_jobs set created_at = now() - interval '1 day' where project_id = %s", [capped])
    db.execute("analyze public.agent_jobs")
    queue.claim(db, "bench", limit=1, lane="standard", lease=timedelta(hours=1), slots=10_000, project_limit=1)
    return "claim behind 300,000 rows of a project at its limit", without, _claim_ms(db), BOUND
