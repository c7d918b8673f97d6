"""Claiming ten jobs while many wait: before 10,000 and 1,000,000 of them, and behind a project that owns nearly all.

The rows are spread over a hundred projects, as a studio's are. A claim is measured alone: what it claimed is
completed before the next one, so that every claim finds the same.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

from benchmarks import goals
from benchmarks.figures import Figure
from benchmarks.fixtures import make_project
from benchmarks.size import Size
from greenlight_dagster.bench.samples import Summary, summarise
from studio import queue
from studio.database.connection import Database

FEW = Size(10_000, 10_000)
MANY = Size(1_000_000, 100_000)
ROUNDS = Size(200, 50)
PROJECTS = 100
LIMIT = 10
PROJECT_LIMIT = 2
LEASE = timedelta(hours=1)


def run(db: Database, quick: bool) -> Iterator[Figure]:
    """Yield the percentiles of a claim for each backlog."""
    rounds = ROUNDS.count(quick)
    spread = [make_project(db) for _ in range(PROJECTS)]
    few, many = FEW.count(quick), MANY.count(quick)
    _fill(db, spread, few)
    yield from _figures(f"of {LIMIT} at {few:,} rows", _measure(db, rounds), judged=False)
    _fill(db, spread, many - few)
    yield from _figures(f"of {LIMIT} at {many:,} rows", _measure(db, rounds), judged=True)

    db.execute("truncate public.agent_jobs cascade")
    capped = make_project(db)
    _fill(db, [capped], many)
    _fill(db, spread, few)
    # The oldest, so that every claim comes by them first; and at its limit, so that none may be taken.
    db.execute("update public.agent_jobs set created_at = now() - interval '1 day' where project_id = %s", [capped])
    db.execute("vacuum analyze public.agent_jobs")
    held = queue.claim(
        db, "capped", limit=PROJECT_LIMIT, lane="standard", lease=LEASE, slots=10_000, project_limit=PROJECT_LIMIT
    )
    assert {job.project_id for job in held} == {capped}
    name = f"of {LIMIT} behind {many:,} rows of a project at its limit"
    yield from _figures(name, _measure(db, rounds), judged=True)


def _figures(what: str, found: Summary, *, judged: bool) -> Iterator[Figure]:
    goal = goals.CLAIM_P50_MS if judged else None
    yield Figure("claims", f"{what}, p50", "ms", found.p50, goal=goal, note=f"{found.n} claims")
    yield Figure("claims", f"{what}, p95", "ms", found.p95)


def _fill(db: Database, projects: list[UUID], count: int) -> None:
    with db.transaction() as conn:
        # Without triggers: what is measured is the claim, not the filling.
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into public.agent_jobs"
            " (project_id, job_type, agent_key, idempotency_key, lane, priority, created_at)"
            " select (%s::uuid[])[1 + n %% %s], 'email.process_due', 'outreach', gen_random_uuid()::text, 'standard',"
            " 10 * (n %% 10), now() - n * interval '1 millisecond' from generate_series(1, %s) n",
            [projects, len(projects), count],
        )
    db.execute("vacuum analyze public.agent_jobs")


def _measure(db: Database, rounds: int) -> Summary:
    times = []
    # The first ones plan their statements.
    for number in range(rounds + 5):
        began = time.perf_counter()
        jobs = queue.claim(
            db, "bench", limit=LIMIT, lane="standard", lease=LEASE, slots=10_000, project_limit=PROJECT_LIMIT
        )
        took = (time.perf_counter() - began) * 1000
        assert len(jobs) == LIMIT
        if number >= 5:
            times.append(took)
        with db.transaction() as conn:
            for job in jobs:
                conn.execute("select public.complete_agent_job(%s, 'completed', null, %s)", [job.id, job.claim_no])
    return summarise(times)
