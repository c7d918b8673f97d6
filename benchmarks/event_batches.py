"""Appending events in a batch: ten times the events may take about ten times as long, not a hundred times."""

from __future__ import annotations

import time
from uuid import uuid4

from benchmarks.fixtures import make_project
from studio import events
from studio.database.connection import Database
from studio.events import NewEvent

SMALL, LARGE = 2_000, 20_000
# Linear is ×10; numbering row by row was ×70 and more.
BOUND = 25.0


def run(db: Database) -> tuple[str, float, float, float]:
    """Return name, milliseconds for the small and the large batch, and the bound."""
    project_id, job_id = make_project(db), uuid4()
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'email.process_due', 'outreach', 'bench')",
        [job_id, project_id],
    )

    def append_ms(count: int) -> float:
        batch = [NewEvent("log", f"line {index}") for index in range(count)]
        started = time.perf_counter()
        with db.transaction() as conn:
            events.append(conn, job_id, batch)
        return (time.perf_counter() - started) * 1000

    append_ms(SMALL)
    return f"append {SMALL:,} → {LARGE:,} events in one batch", append_ms(SMALL), append_ms(LARGE), BOUND
