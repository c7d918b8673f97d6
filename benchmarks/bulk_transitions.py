"""Changing many jobs by one statement: ten times the jobs may take about ten times as long, not a hundred times."""

from __future__ import annotations

import time

from benchmarks.fixtures import make_project
from studio.database.connection import Database

SMALL, LARGE = 800, 8_000
# Linear is ×10. A join of the transition tables under the plan of the first small statement was ×60 and more.
BOUND = 25.0


def run(db: Database) -> tuple[str, float, float, float]:
    """Return name, milliseconds for the small and the large statement, and the bound."""
    with db.connection() as conn:

        def canceled_ms(count: int) -> float:
            project_id = make_project(db)
            conn.execute(
                "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
                " select %s, 'email.process_due', 'outreach', 'bench-' || n from generate_series(1, %s) n",
                [project_id, count],
            )
            started = time.perf_counter()
            conn.execute("update public.agent_jobs set status = 'canceled' where project_id = %s", [project_id])
            return (time.perf_counter() - started) * 1000

        # A session that has been used before keeps the plans of its first statements.
        for _ in range(8):
            canceled_ms(1)
        return f"cancel {SMALL:,} → {LARGE:,} jobs by one statement", canceled_ms(SMALL), canceled_ms(LARGE), BOUND
