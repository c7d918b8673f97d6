"""Transitions that meet in the middle wait for each other and never deadlock.

The contract is the lock order at the head of the queue's migration: job rows, then the projects' event
counters in the order of project ids. Most tests hold one row, let two transitions queue up behind it
in the one order in which a wrong lock order deadlocks, and let go; the others ask what does not wait at all.
What PostgreSQL breaks all the same is tried again.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
import pytest

from studio import queue
from studio.database.connection import Connection, Database
from tests.support.queue import (
    InBackground,
    claim_next,
    enqueue,
    enqueue_both,
    enqueue_in,
    expire_lease,
    job,
    make_project,
    separate_connection,
    statuses,
    wait_until_blocked,
)


@contextlib.contextmanager
def held_counter(db: Database, project_id: UUID) -> Iterator[None]:
    """Hold a project's event counter, as a transaction does that has just written an event."""
    with separate_connection(db) as conn:
        # Only a row that is there, and that its holder leaves as it is, serves its waiters in their order.
        conn.execute("select public.reserve_event_seqs(%s, 0)", [project_id])
        with conn.transaction():
            conn.execute("select 1 from public.project_event_counters where project_id = %s for update", [project_id])
            yield


class Queueing:
    """Starts statements one after the other, each once its predecessor waits for a lock."""

    def __init__(self, db: Database, stack: contextlib.ExitStack) -> None:
        self._db = db
        self._stack = stack
        self._running: list[InBackground] = []

    def start(self, work: Callable[[Connection], Any]) -> None:
        conn = self._stack.enter_context(separate_connection(self._db))
        self._running.append(InBackground(lambda: work(conn)))
        wait_until_blocked(self._db, conn.info.backend_pid)

    def results(self) -> list[Any]:
        return [running.result() for running in self._running]


@pytest.fixture
def queueing(database: Database) -> Iterator[Queueing]:
    with contextlib.ExitStack() as stack:
        yield Queueing(database, stack)


def two_projects(db: Database) -> tuple[UUID, UUID]:
    first, second = sorted([make_project(db), make_project(db)])
    return first, second


def failed_job(db: Database, project_id: UUID, key: str) -> UUID:
    job_id = enqueue(db, project_id, key)
    claim_next(db).fail("It broke.", permanent=True, retry_base=timedelta(0))
    return job_id


def test_an_event_of_a_foreign_worker_meets_a_cancel(database: Database, queueing: Queueing) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    with held_counter(database, project):
        queueing.start(
            lambda conn: conn.execute(
                "insert into public.agent_job_events (project_id, job_id, type, message) values (%s, %s, 'log', 'hm')",
                [project, job_id],
            )
        )
        queueing.start(lambda conn: conn.execute("select public.cancel_agent_job(%s)", [job_id]))
    queueing.results()
    assert statuses(database, job_id) == ["queued", "canceled"]


def test_a_batch_of_new_and_failed_jobs_meets_a_claim_of_the_failed_one(database: Database, queueing: Queueing) -> None:
    project = make_project(database)
    failed = failed_job(database, project, "old")
    with held_counter(database, project):
        queueing.start(lambda conn: enqueue_both(conn, (project, "new"), (project, "old")))
        queueing.start(
            lambda conn: conn.execute("select public.claim_agent_job(%s, 'operator', interval '1 hour')", [failed])
        )
    outcomes, _ = queueing.results()
    assert outcomes[0] == "created"
    assert job(database, failed).status in ("queued", "running")


def test_batches_over_two_projects_that_create_in_one_and_revive_in_the_other(
    database: Database, queueing: Queueing
) -> None:
    first, second = two_projects(database)
    failed_job(database, first, "old")
    with held_counter(database, second):
        queueing.start(lambda conn: enqueue_both(conn, (second, "new"), (first, "old")))
        queueing.start(lambda conn: enqueue_both(conn, (second, "newer"), (first, "newer")))
    assert queueing.results() == [["created", "revived"], ["created", "created"]]


def test_a_reclaim_over_two_projects_meets_a_batch_over_both(database: Database, queueing: Queueing) -> None:
    first, second = two_projects(database)
    lost = sorted(enqueue(database, project) for project in (first, second))
    # The lower job id in the higher project: whoever goes by job id takes the counters the wrong way round.
    database.execute("update public.agent_jobs set project_id = %s where id = %s", [second, lost[0]])
    database.execute("update public.agent_jobs set project_id = %s where id = %s", [first, lost[1]])
    for _ in lost:
        expire_lease(database, claim_next(database).job_id)
    with held_counter(database, second):
        queueing.start(lambda conn: conn.execute("select public.reclaim_stale_jobs()"))
        queueing.start(lambda conn: enqueue_both(conn, (first, "new"), (second, "new")))
    queueing.results()
    assert {job(database, job_id).status for job_id in lost} == {"queued"}


def test_two_batches_of_the_same_new_keys_in_opposite_order(database: Database, queueing: Queueing) -> None:
    project = make_project(database)
    with separate_connection(database) as holder:
        with holder.transaction(force_rollback=True):
            enqueue_in(holder, project, "middle")
            queueing.start(lambda conn: enqueue_both(conn, (project, "a"), (project, "middle"), (project, "z")))
            queueing.start(lambda conn: enqueue_both(conn, (project, "z"), (project, "middle"), (project, "a")))
    assert sorted(queueing.results()) == [["created"] * 3, ["existing"] * 3]


def test_an_enqueue_of_a_running_job_does_not_wait_for_its_run(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project, "long")
    claim = claim_next(database)
    with claim.transaction():
        assert enqueue_impatiently(database, project, "long") == "existing"


def test_an_enqueue_does_not_wait_for_a_transition_under_way(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project, "long")
    claim = claim_next(database)
    with separate_connection(database) as conn, conn.transaction():
        conn.execute("select public.complete_agent_job(%s, 'completed', null, 1)", [claim.job_id])
        assert enqueue_impatiently(database, project, "long") == "existing"


@pytest.mark.parametrize(
    "transition",
    [
        "select public.cancel_agent_job(%(job)s)",
        "select public.release_agent_job(%(job)s, 1)",
        "select public.complete_agent_job(%(job)s, 'completed', null, 1)",
        "select public.claim_agent_job(%(done)s, 'operator', interval '1 hour')",
        "select public.enqueue_agent_job(%(project)s, 'test.work', 'ceo', '{}', 'done')",
    ],
)
def test_a_reference_to_a_job_holds_up_no_transition(database: Database, transition: LiteralString) -> None:
    project = make_project(database)
    done = failed_job(database, project, "done")
    job_id = enqueue(database, project)
    claim_next(database)
    with separate_connection(database) as conn, conn.transaction():
        for referred in (done, job_id):
            conn.execute(
                "insert into public.research_sources (project_id, job_id, url, quote, quote_sha256, retrieved_by)"
                " values (%s, %s, 'https://example.com', 'tea', repeat('0', 64), 'test')",
                [project, referred],
            )
        with database.transaction() as impatient:
            impatient.execute("set local lock_timeout = '5s'")
            impatient.execute(transition, {"project": project, "done": done, "job": job_id})


def enqueue_impatiently(db: Database, project_id: UUID, key: str) -> str:
    with db.transaction() as conn:
        conn.execute("set local lock_timeout = '5s'")
        return enqueue_in(conn, project_id, key).outcome


def test_the_sweep_of_abandoned_calls_meets_a_late_settlement(database: Database, queueing: Queueing) -> None:
    project = make_project(database)
    database.execute(
        "insert into public.project_budgets (project_id, cap_micros, cap_tokens, cap_calls)"
        " values (%s, 1000, 1000, 1000)",
        [project],
    )
    enqueue(database, project)
    claim = claim_next(database)
    calls = sorted(
        row["id"]
        for _ in range(2)
        for row in database.fetch_all(
            "select public.reserve_model_call(%s, %s, %s, 'step', 'ceo', 'm', 10, 10) as id",
            [project, claim.job_id, claim.claim_no],
        )
    )
    claim.complete()
    with separate_connection(database) as holder, holder.transaction():
        holder.execute("select 1 from public.project_budgets where project_id = %s for update", [project])
        queueing.start(lambda conn: conn.execute("select public.settle_abandoned_model_calls()"))
        late = "select public.settle_model_call(%s, 1, 1, 1, 0, 5)"
        queueing.start(lambda conn: conn.execute(late, [calls[1]]))
    queueing.results()
    states = database.fetch_all("select status, count(*)::int as n from public.model_calls group by 1 order by 1")
    assert sum(row["n"] for row in states) == 2
    assert {row["status"] for row in states} <= {"abandoned", "settled"}


def test_a_broken_conflict_is_tried_again_and_then_raised_as_it_is(database: Database) -> None:
    rounds: list[int] = []

    def work(failures: int) -> str:
        rounds.append(failures)
        if len(rounds) <= failures:
            database.execute("do $$ begin raise exception 'too late' using errcode = '40P01'; end $$")
        return "done"

    assert queue.transiently(lambda: work(2)) == "done"
    assert len(rounds) == 3
    rounds.clear()
    with pytest.raises(psycopg.errors.DeadlockDetected) as raised:
        queue.transiently(lambda: work(99))
    assert len(rounds) == queue.TRANSIENT_ROUNDS
    # A loop in the chain of causes would hang whoever walks it.
    assert raised.value.__cause__ is None
