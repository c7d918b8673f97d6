"""Tasks: one row per piece of a job's work, true while the job runs and closed in the transaction that ends it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.migrations import migrate
from studio.errors import LeaseLost
from studio.paths import MIGRATIONS
from studio.tasks import log_task
from tests.support.postgres import TestServer
from tests.support.queue import claim_next, enqueue, expire_lease, make_due, make_project

AT_ONCE = timedelta(0)


@pytest.fixture
def job_id(database: Database) -> UUID:
    return enqueue(database, make_project(database))


def tell(claim: Claim, status: Any, detail: str | None = None, description: str = "phase0_research") -> None:
    with claim.transaction() as conn:
        log_task(conn, claim.job.project_id, claim.job_id, "research_agent", description, status, detail)


def tasks(db: Database) -> list[tuple[str, str, str | None, bool]]:
    """Return (description, status, error, whether it has an end) of every task."""
    return [
        (row["description"], row["status"], row["error"], row["completed_at"] is not None)
        for row in db.fetch_all("select * from public.tasks order by created_at, description")
    ]


def echo(db: Database) -> list[tuple[str, str | None]]:
    return [
        (row["status"], row["detail"])
        for row in db.fetch_all("select status, detail from public.task_log order by created_at, id")
    ]


def test_a_task_is_listed_once_however_often_it_is_told(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    for _ in range(2):
        tell(claim, "running")
    for _ in range(2):
        tell(claim, "completed", "2 searches")
    assert tasks(database) == [("phase0_research", "completed", None, True)]
    assert sorted(echo(database)) == [("completed", "2 searches"), ("running", None)]
    ledger = database.fetch_all("select event_type, message, data from public.project_events order by created_at")
    assert [(row["event_type"], row["message"]) for row in ledger] == [
        ("task.running", "phase0_research"),
        ("task.completed", "phase0_research"),
    ]
    assert ledger[1]["data"] == {"agent": "research_agent", "detail": "2 searches"}


def test_an_attempt_that_does_it_again_runs_it_again(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    tell(claim, "completed", "2 searches")
    tell(claim, "running")
    assert tasks(database) == [("phase0_research", "running", None, False)]


def test_jobs_do_not_share_their_tasks(database: Database) -> None:
    project = make_project(database)
    for status in ("completed", "running"):
        enqueue(database, project)
        tell(claim_next(database), status)
    assert sorted(task[1] for task in tasks(database)) == ["completed", "running"]


def _foreign(claim: Claim) -> None:
    """Let another client end the job as it does: by an update of the row."""
    with claim.db.transaction() as conn:
        conn.execute("set local greenlight.transition = 'on'")
        conn.execute(
            "update public.agent_jobs set status = 'failed', last_error = 'TypeError' where id = %s", [claim.job_id]
        )


def _lost_for_good(claim: Claim) -> None:
    claim.db.execute("update public.agent_jobs set interruptions = 99, max_attempts = 1 where id = %s", [claim.job_id])
    expire_lease(claim.db, claim.job_id)
    queue.reclaim_stale(claim.db)


def _canceled_without_its_run(claim: Claim) -> None:
    expire_lease(claim.db, claim.job_id)
    queue.cancel(claim.db, claim.job_id, "Not this one.")


def _canceled_while_queued_without_a_word(claim: Claim) -> None:
    claim.fail("An earlier error.", permanent=False, retry_base=AT_ONCE)
    queue.cancel(claim.db, claim.job_id)


def _canceled_while_queued(claim: Claim) -> None:
    claim.release("The worker stopped.")
    queue.cancel(claim.db, claim.job_id, "Not this one.")


ENDS: dict[str, tuple[Callable[[Claim], Any], str, str | None]] = {
    "completes": (Claim.complete, "completed", None),
    "fails": (lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE), "failed", "It broke."),
    "is canceled by its run": (lambda claim: claim.cancel("Enough."), "failed", "Enough."),
    "is canceled without a word": (lambda claim: claim.cancel(), "failed", "canceled"),
    "is canceled without its run": (_canceled_without_its_run, "failed", "Not this one."),
    "is canceled while queued without a word": (_canceled_while_queued_without_a_word, "failed", "canceled"),
    "is canceled while queued": (_canceled_while_queued, "failed", "Not this one."),
    "is lost for good": (_lost_for_good, "failed", "The lease ran out: the worker is lost."),
    "is ended by another client": (_foreign, "failed", "TypeError"),
}


@pytest.mark.parametrize("how", ENDS)
def test_no_task_outlives_its_job(database: Database, job_id: UUID, how: str) -> None:
    end, status, error = ENDS[how]
    claim = claim_next(database)
    tell(claim, "running")
    tell(claim, "queued", description="phase0_synthesis")
    tell(claim, "completed", description="phase0_init")
    end(claim)
    assert queue.get(database, job_id).ended
    assert sorted(tasks(database)) == sorted(
        [
            ("phase0_research", status, error, True),
            ("phase0_synthesis", status, error, True),
            ("phase0_init", "completed", None, True),
        ]
    )
    assert (status, error) in echo(database)
    said = database.fetch_all("select message from public.project_events where event_type = %s", [f"task.{status}"])
    assert "phase0_research" in [row["message"] for row in said]


@pytest.mark.parametrize("how", ["fails", "is lost"])
def test_between_two_attempts_a_task_waits(database: Database, job_id: UUID, how: str) -> None:
    claim = claim_next(database)
    tell(claim, "running")
    if how == "fails":
        claim.fail("It broke.", permanent=False, retry_base=timedelta(hours=1))
    else:
        expire_lease(database, job_id)
        queue.reclaim_stale(database)
    assert tasks(database) == [("phase0_research", "queued", None, False)]
    make_due(database, job_id)
    tell(claim_next(database), "running")
    assert tasks(database) == [("phase0_research", "running", None, False)]


def test_a_new_try_does_not_keep_what_the_last_one_said(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    tell(claim, "completed", "greenlight, confidence 80")
    tell(claim, "running")
    claim.fail("It broke.", permanent=True, retry_base=AT_ONCE)
    row = database.fetch_one("select status, detail, error from public.tasks")
    assert row == {"status": "failed", "detail": None, "error": "It broke."}


def test_a_job_that_is_deleted_takes_its_open_work_with_it(database: Database, job_id: UUID) -> None:
    tell(claim_next(database), "running")
    database.execute("delete from public.agent_jobs where id = %s", [job_id])
    assert tasks(database) == [("phase0_research", "failed", "The job was deleted.", True)]


def test_a_project_with_work_under_way_can_be_deleted(database: Database, job_id: UUID) -> None:
    tell(claim_next(database), "running")
    database.execute("delete from public.projects where id = %s", [queue.get(database, job_id).project_id])
    assert tasks(database) == []


def test_what_was_open_before_tasks_knew_their_job_is_closed(postgres: TestServer, tmp_path: Path) -> None:
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < "20260301000000":
            shutil.copy(file, tmp_path)
    with postgres.temporary() as name, Database(postgres.url(name), pool_size=2) as old:
        migrate(old, tmp_path)
        project = make_project(old)
        for description, status in [("phase0_research", "running"), ("phase0_init", "completed"), ("scan", "running")]:
            old.execute(
                "insert into public.tasks (project_id, agent, description, status) values (%s, 'ceo_agent', %s, %s)",
                [project, description, status],
            )
        migrate(old)
        assert sorted(tasks(old)) == [
            ("phase0_init", "completed", None, False),
            ("phase0_research", "failed", "It was left open.", True),
            ("scan", "running", None, False),
        ]


def test_what_goes_with_a_failure_happens_with_it_or_not_at_all(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    tell(claim, "running")

    def broken(conn: Any, status: str) -> None:
        assert status == "failed"
        log_task(conn, claim.job.project_id, job_id, "ceo_agent", "phase0_failed", "failed", "It broke.")
        raise LeaseLost("In between.", "")

    with pytest.raises(LeaseLost):
        claim.fail("It broke.", permanent=True, retry_base=AT_ONCE, also=broken)
    assert queue.get(database, job_id).status == "running"
    assert tasks(database) == [("phase0_research", "running", None, False)]


def test_a_task_of_another_client_is_left_alone(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    database.execute(
        "insert into public.tasks (project_id, agent, description, status) values (%s, 'scanner', 'scan', 'running')",
        [claim.job.project_id],
    )
    claim.complete()
    assert tasks(database) == [("scan", "running", None, False)]
