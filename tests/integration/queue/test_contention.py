"""Everybody at once over several projects: nobody deadlocks, and every stream is whole and tells how its jobs stand."""

from __future__ import annotations

import contextlib
import functools
import random
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from studio import events, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import LeaseLost
from studio.events import NewEvent
from studio.tasks import log_task
from tests.support.queue import LEASE, InBackground, enqueue_both, make_project, seqs, set_lane
from tests.support.size import FULL, SECONDS

WORKERS = 6
ROUNDS = 2000 if FULL else 120


@pytest.mark.chaos
@pytest.mark.timeout(SECONDS)
def test_everything_at_once_over_several_projects(database: Database, database_url: str) -> None:
    projects = [make_project(database) for _ in range(3)]
    for lane in ("standard", "heavy"):
        set_lane(database, lane, slots=20, project_limit=10)
    start = threading.Barrier(WORKERS)

    def work(number: int) -> None:
        chance = random.Random(number)
        held: list[Claim] = []

        def enqueue_some() -> None:
            wanted = [(chance.choice(projects), f"key-{chance.randrange(12)}") for _ in range(chance.randint(1, 6))]
            with db.transaction() as conn:
                enqueue_both(conn, *wanted)

        def claim_some() -> None:
            # Some leases are over as soon as they begin, so that there is something to reclaim.
            lease = chance.choice([timedelta(0), LEASE])
            held.extend(Claim(db, job) for job in queue.claim(db, "worker", limit=4, lane=None, lease=lease))

        def write_some() -> None:
            claim = chance.choice(held)
            with db.transaction() as conn:
                # Some are sent twice, as after a lost answer.
                batch = [NewEvent("log", "x", id=chance.choice([None, uuid4()])) for _ in range(3)]
                for _ in range(chance.randint(1, 2)):
                    events.append(conn, claim.job_id, batch, claim.claim_no)

        def list_some() -> None:
            claim = chance.choice(held)
            with claim.transaction() as conn:
                log_task(conn, claim.job.project_id, claim.job_id, "ceo", chance.choice("ab"), "running")

        def revive_some() -> None:
            db.execute("select public.revive_agent_job(%s)", [chance.choice(held).job_id])

        def end_some() -> None:
            claim = held.pop(chance.randrange(len(held)))
            ends: list[Callable[[], Any]] = [
                claim.complete,
                lambda: claim.fail("It broke.", permanent=chance.random() < 0.5, retry_base=timedelta(0)),
                lambda: claim.release("Interrupted."),
            ]
            chance.choice(ends)()

        def cancel_some() -> None:
            queue.cancel(db, chance.choice(held).job_id)

        def speak_as_a_foreign_worker() -> None:
            claim = chance.choice(held)
            db.execute(
                "insert into public.agent_job_events (project_id, job_id, type, message) values (%s, %s, %s, %s)",
                [claim.job.project_id, claim.job_id, chance.choice(["log", "status"]), "running"],
            )

        with Database(database_url, pool_size=1) as db:
            start.wait()
            for _ in range(ROUNDS):
                choices: list[Callable[[], Any]] = [enqueue_some, claim_some, lambda: queue.reclaim_stale(db)]
                if held:
                    choices += [write_some, end_some, end_some, cancel_some, speak_as_a_foreign_worker]
                    choices += [list_some, revive_some]
                with contextlib.suppress(LeaseLost):
                    chance.choice(choices)()

    # A deadlock would end one of them with an error of the database.
    for worker in [InBackground(functools.partial(work, number)) for number in range(WORKERS)]:
        worker.result()
    for project in projects:
        stream = seqs(database, project)
        assert stream == list(range(1, len(stream) + 1))
    left_open = database.fetch_all(
        "select t.status from public.tasks t join public.agent_jobs j on j.id = t.job_id"
        " where t.status in ('queued', 'running') and j.status in ('completed', 'failed', 'canceled')"
    )
    assert left_open == []
    told = database.fetch_all(
        "select j.status, (select e.message from public.agent_job_events e where e.job_id = j.id and e.type = 'status'"
        " order by e.seq desc limit 1) as told from public.agent_jobs j"
    )
    assert told
    assert all(row["status"] == row["told"] or row["told"] == "running" for row in told)
