"""Whatever another client writes into the queue's table, the rest of the queue goes on and says what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from greenlight_dagster.cli.output import print_json
from greenlight_dagster.cli.run_view import line
from greenlight_dagster.cli.tailing import follow_job
from studio import events, queue
from studio.database.connection import Database
from studio.errors import InvalidInput, InvalidPayload
from studio.job_types import JOB_TYPES, SYSTEM_PROJECT_ID, parse_payload
from studio.queue import NewJob
from studio.settings import Settings
from tests.support.queue import LEASE, claim_next, enqueue, insert_foreign, job, make_project

TOO_DEEP = {"unreadable": "It is nested more than 100 levels deep."}
ODD_MOMENTS = [
    "-infinity",
    "infinity",
    "294276-01-01 00:00:00+00",
    "4713-01-01 00:00:00+00 BC",
    "0001-01-01 00:00:00+14",
]
COLUMNS = ["run_after", "created_at", "started_at", "locked_at", "completed_at"]


def insert(db: Database, project: UUID, **columns: Any) -> UUID:
    job_id = insert_foreign(db, project, "test.work", {})
    for name, value in columns.items():
        db.execute(f"update public.agent_jobs set {name} = %s where id = %s".encode(), [value, job_id])
    return job_id


@pytest.mark.parametrize("moment", ODD_MOMENTS)
@pytest.mark.parametrize("column", COLUMNS)
def test_an_odd_moment_costs_nobody_else_anything(database: Database, column: str, moment: str) -> None:
    project = make_project(database)
    odd = insert(database, project, **{column: moment})
    good = enqueue(database, project)
    assert {found.id for found in queue.find(database)} == {odd, good}
    assert queue.get(database, odd).id == odd
    claimed = [found.id for found in queue.claim(database, "worker", limit=9, lane=None, lease=LEASE)]
    assert good in claimed
    assert queue.cancel(database, odd) in ("canceled", "cancel_requested")
    assert queue.reclaim_stale(database) == 0
    assert len(queue.find(database)) == 2


@pytest.mark.parametrize(
    ("moment", "kept"), [("infinity", 9999), ("9999-12-31 23:59:59+00", 9999), ("-infinity", 2000)]
)
def test_a_job_waits_as_long_as_a_calendar_has_days(database: Database, moment: str, kept: int) -> None:
    project = make_project(database)
    row = database.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, run_after)"
        " values (%s, 'test.work', 'ceo', 'k', %s) returning id",
        [project, moment],
    )
    assert row is not None
    assert queue.get(database, row["id"]).run_after.year == kept
    due = queue.claim(database, "worker", limit=9, lane=None, lease=LEASE)
    assert [found.id for found in due] == ([row["id"]] if kept == 2000 else [])


def test_a_moment_that_is_missing_is_still_refused(database: Database) -> None:
    with pytest.raises(psycopg.errors.NotNullViolation):
        database.execute(
            "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, run_after)"
            " values (%s, 'test.work', 'ceo', 'k', null)",
            [make_project(database)],
        )


@pytest.mark.parametrize("value", ["[1, 2]", '"text"', "null", "7"])
def test_a_payload_that_is_no_object_is_named_as_such(database: Database, value: str) -> None:
    project = make_project(database)
    row = database.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, payload)"
        " values (%s, 'phase0.generate_packet', 'ceo', 'k', %s::jsonb) returning id",
        [project, value],
    )
    assert row is not None
    found = queue.get(database, row["id"])
    with pytest.raises(InvalidPayload, match="is not a JSON object") as caught:
        parse_payload(JOB_TYPES["phase0.generate_packet"], project, found.payload)
    assert caught.value.permanent


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ('{"n": ' + "1" * 5_000 + "}", {"n": "1" * 5_000}),
        ('{"a":' * 3_000 + "1" + "}" * 3_000, TOO_DEEP),
        ('{"a":' * 700 + "1" + "}" * 700, TOO_DEEP),
        ('{"a": [' + "[" * 99 + "]" * 99 + "]}", TOO_DEEP),
        ('{"a": [' + ",".join(["[1]"] * 500) + "]}", {"a": [[1]] * 500}),
    ],
    ids=["digits", "depth", "some depth", "a bit of depth", "breadth"],
)
def test_json_beyond_what_python_works_with_can_be_looked_at(database: Database, value: str, read: Any) -> None:
    project = make_project(database)
    job_id = insert_foreign(database, project, "test.work", {})
    database.execute("update public.agent_jobs set payload = %s::jsonb where id = %s", [value, job_id])
    assert queue.get(database, job_id).payload == read
    database.execute(
        "insert into public.agent_job_events (project_id, job_id, type, data) values (%s, %s, 'log', %s::jsonb)",
        [project, job_id, value],
    )
    [event] = [found for found in events.read_after(database, project, 0) if found.type == "log"]
    assert event.data == read
    print_json([event, queue.get(database, job_id)])
    assert line(event)


@pytest.mark.parametrize(
    "data",
    [
        "[1]",
        '"text"',
        "null",
        '{"cost_micros": "much", "input_tokens": [7]}',
        '{"step_event": "STEP_SUCCESS", "duration_ms": "much"}',
        '{"step_event": "STEP_SUCCESS", "duration_ms": null}',
        '{"step_event": ["STEP_START"], "op": {}}',
        '{"step_event": "STEP_FAILURE", "error": {"a": 1}}',
    ],
)
def test_an_event_of_any_data_can_be_followed(database: Database, data: str) -> None:
    project = make_project(database)
    job_id = enqueue(database, project)
    for kind in ("log", "status", "tool_call", "artifact"):
        database.execute(
            "insert into public.agent_job_events (project_id, job_id, type, data) values (%s, %s, %s, %s::jsonb)",
            [project, job_id, kind, data],
        )
    queue.cancel(database, job_id)
    for live in (True, False):
        view = follow_job(database, job_id, settings=Settings(), live=live)
        assert (view.status, view.cost_micros) == ("canceled", 0)


def test_a_row_that_begins_as_running_does_not_hold_its_slot_for_ever(database: Database) -> None:
    project = make_project(database)
    row = database.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, status)"
        " values (%s, 'test.work', 'ceo', 'k', 'running') returning id",
        [project],
    )
    assert row is not None
    assert queue.reclaim_stale(database) == 0
    database.execute(
        "update public.agent_jobs set locked_at = now() - interval '11 minutes' where id = %s", [row["id"]]
    )
    assert queue.reclaim_stale(database) == 1
    found = job(database, row["id"])
    assert (found.status, found.claim_no) == ("queued", 1)


@pytest.mark.parametrize("status", ["completed", "failed", "canceled"])
def test_a_row_that_begins_as_ended_has_an_end(database: Database, status: str) -> None:
    row = database.fetch_one(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key, status)"
        " values (%s, 'test.work', 'ceo', 'k', %s) returning completed_at",
        [make_project(database), status],
    )
    assert row is not None
    assert abs(row["completed_at"] - datetime.now(UTC)) < timedelta(hours=1)


def _fail(claim: Any) -> Any:
    return claim.fail("It broke on the way.", permanent=False, retry_base=timedelta(0))


@pytest.mark.parametrize("end", [_fail, lambda claim: claim.release("The worker was lost.")], ids=["fails", "is lost"])
@pytest.mark.parametrize("reason", ["No longer wanted.", None])
def test_who_cancels_has_the_last_word(database: Database, end: Callable[[Any], Any], reason: str | None) -> None:
    job_id = enqueue(database, make_project(database))
    first = claim_next(database)
    first.fail("An earlier error.", permanent=False, retry_base=timedelta(0))
    claim = claim_next(database)
    assert queue.cancel(database, job_id, reason) == "cancel_requested"
    assert end(claim) == "canceled"
    assert job(database, job_id).last_error in (
        {reason} if reason else {"It broke on the way.", "The worker was lost."}
    )


def test_a_job_of_a_project_needs_one(database: Database) -> None:
    new = NewJob("phase0.generate_packet", SYSTEM_PROJECT_ID, {"ownerClerkId": "system"})
    with database.transaction() as conn, pytest.raises(InvalidInput, match="belongs to a project"):
        queue.enqueue(conn, new)
