"""Appending events in batches, as the event writer of a run does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from uuid import uuid4

from benchmarks import goals
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from benchmarks.size import Size
from studio import events
from studio.database.connection import Database
from studio.events import NewEvent

EVENTS = Size(100_000, 10_000)
# What gathers while the writer waits for the database under load.
BATCH = 500


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield the rate, with ids given by the writer, as a run gives them."""
    project_id, job_id = make_project(db), uuid4()
    db.execute(
        "insert into public.agent_jobs (id, project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'email.process_due', 'outreach', 'bench')",
        [job_id, project_id],
    )
    count = EVENTS.count(quick)
    batches = [
        [NewEvent("delta", f"words number {index}", {"op": "research"}, uuid4()) for index in range(BATCH)]
        for _ in range(count // BATCH)
    ]
    began = time.perf_counter()
    for batch in batches:
        with db.transaction() as conn:
            events.append(conn, job_id, batch)
    rate = count / (time.perf_counter() - began)
    yield Figure("events", f"append in batches of {BATCH}", "/s", rate, goal=goals.EVENT_APPEND_PER_SECOND)
