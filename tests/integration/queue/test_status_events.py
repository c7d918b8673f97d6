"""Each transition is told once, by one status event, whoever made it and whatever else its worker says."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import claims, events, queue
from studio.database.connection import Database
from studio.errors import NotFound
from studio.events import NewEvent
from studio.tracing import ids
from tests.support.queue import (
    AT_ONCE,
    LEASE,
    claim_foreign,
    claim_next,
    enqueue,
    enqueue_in,
    last_status_event,
    make_due,
    make_project,
    running,
    seqs,
    statuses,
)


def test_each_transition_is_told_once_with_what_a_page_needs(database: Database) -> None:
    job_id = enqueue(database, make_project(database), max_attempts=2)
    first = last_status_event(database, job_id)
    assert (first["message"], first["attempt"], first["claim_no"]) == ("queued", 0, 0)
    assert first["data"]["job_type"] == "test.work"
    assert "error" not in first["data"]

    claim = claim_next(database)
    told = last_status_event(database, job_id)
    assert (told["message"], told["attempt"], told["claim_no"]) == ("running", 1, 1)
    assert (told["data"]["attempt"], told["data"]["max_attempts"]) == (1, 2)

    claim.fail("It broke.", permanent=False, retry_base=timedelta(seconds=30))
    told = last_status_event(database, job_id)
    assert (told["message"], told["data"]["error"]) == ("queued", "It broke.")
    assert told["data"]["run_after"]

    make_due(database, job_id)
    claim = claim_next(database)
    assert "error" not in last_status_event(database, job_id)["data"]
    claim.renew(LEASE)
    claims.start(database, job_id, claim.claim_no, "run-2", LEASE)
    claim.fail("It broke again.", permanent=False, retry_base=AT_ONCE)
    told = last_status_event(database, job_id)
    assert (told["message"], told["data"]["error"], told["data"]["dagster_run_id"]) == (
        "failed", "It broke again.", "run-2",
    )  # fmt: skip
    assert statuses(database, job_id) == ["queued", "running", "queued", "running", "failed"]


def test_a_batch_of_transitions_is_told_in_one_unbroken_range(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        jobs = [enqueue_in(conn, project).job_id for _ in range(20)]
    queue.claim(database, "worker", limit=20, lane=None, lease=LEASE, slots=20, project_limit=20)
    assert seqs(database, project) == list(range(1, 41))
    assert all(statuses(database, job_id) == ["queued", "running"] for job_id in jobs)


@pytest.mark.parametrize("refused", [False, True])
def test_after_an_enqueue_others_transitions_are_told_as_ever(database: Database, refused: bool) -> None:
    project = make_project(database)
    other = enqueue(database, project, "other", job_type="other.work")
    with database.transaction() as conn:
        if refused:
            with pytest.raises(psycopg.Error, match="belongs to a job of type"), conn.transaction():
                enqueue_in(conn, project, "other")
        else:
            enqueue_in(conn, project, "new")
        conn.execute("update public.agent_jobs set status = 'canceled' where id = %s", [other])
    assert statuses(database, other) == ["queued", "canceled"]


def emit(db: Database, job_id: UUID, type_: str, message: str | None, data: dict[str, Any] | None = None) -> None:
    """Write an event as the seed's TypeScript worker does: one plain insert."""
    db.execute(
        "insert into public.agent_job_events (project_id, job_id, type, message, data)"
        " select project_id, id, %s, %s, %s::jsonb from public.agent_jobs where id = %s",
        [type_, message, json.dumps(data or {}), job_id],
    )


def test_what_a_foreign_worker_says_about_its_success_is_not_doubled(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    emit(database, job_id, "status", "running")
    emit(database, job_id, "log", "working")
    emit(database, job_id, "status", "completed")
    database.execute("select public.complete_agent_job(%s, 'completed', null)", [job_id])
    assert statuses(database, job_id) == ["queued", "running", "completed"]


def test_what_a_foreign_worker_says_about_its_failure_is_not_doubled(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    for attempt in (1, 2):
        claim_foreign(database)
        emit(database, job_id, "status", "running")
        emit(database, job_id, "status", "failed", {"error": f"Attempt {attempt} broke."})
        assert last_status_event(database, job_id)["data"] == {"error": f"Attempt {attempt} broke."}
        database.execute("select public.complete_agent_job(%s, 'failed', 'It broke.')", [job_id])
        database.execute(
            "update public.agent_jobs set status = 'queued', run_after = now(), completed_at = null where id = %s",
            [job_id],
        )
    assert statuses(database, job_id) == ["queued", *["running", "failed", "queued"] * 2]
    assert seqs(database, project) == list(range(1, 8))


def test_what_only_a_foreign_worker_says_is_kept(database: Database) -> None:
    job_id = enqueue(database, make_project(database))
    claim_foreign(database)
    emit(database, job_id, "status", "failed: unknown job_type")
    database.execute("select public.complete_agent_job(%s, 'failed', 'Unknown job_type')", [job_id])
    assert statuses(database, job_id) == ["queued", "running", "failed: unknown job_type", "failed"]


def test_nobody_appends_a_status_by_hand(database: Database) -> None:
    claim = running(database)
    for claim_no in (claim.claim_no, None):
        with pytest.raises(psycopg.errors.InvalidParameterValue, match="transition"), database.transaction() as conn:
            events.append(conn, claim.job_id, [NewEvent("log", "a"), NewEvent("status", "completed")], claim_no)
    assert statuses(database, claim.job_id) == ["queued", "running"]


def test_every_event_says_to_which_trace_it_belongs_whoever_writes_it(database: Database) -> None:
    claim = running(database)
    database.execute(
        "insert into public.agent_job_events (project_id, job_id, type, trace_id) values (%s, %s, 'log', %s)",
        [claim.job.project_id, claim.job_id, uuid4()],
    )
    claim.release("Its process was lost.")
    make_due(database, claim.job_id)
    again = claim_next(database)
    with database.transaction() as conn:
        events.append(conn, again.job_id, [NewEvent("log", "a")], again.claim_no)
    rows = database.fetch_all("select claim_no, trace_id from public.agent_job_events")
    assert {row["claim_no"] for row in rows} == {0, 1, 2}
    assert all(row["trace_id"] == ids.of_claim(claim.job_id, row["claim_no"]) for row in rows)


def test_the_column_for_it_was_added_without_writing_the_table_anew(database: Database) -> None:
    generated = (
        "select attname from pg_attribute where attrelid = 'public.agent_job_events'::regclass and attgenerated <> ''"
    )
    assert database.fetch_all(generated) == []


def test_an_event_belongs_to_a_job_and_its_project(database: Database) -> None:
    claim = running(database)
    other = make_project(database)
    insert = "insert into public.agent_job_events (project_id, job_id, type) values (%s, %s, 'log')"
    with pytest.raises(psycopg.errors.CheckViolation, match="belongs to project"):
        database.execute(insert, [other, claim.job_id])
    with pytest.raises(psycopg.Error) as refused:
        database.execute(insert, [other, uuid4()])
    assert refused.value.sqlstate == "GL003"
    with pytest.raises(NotFound), database.transaction() as conn:
        events.append(conn, uuid4(), [NewEvent("log", "nobody's")])
