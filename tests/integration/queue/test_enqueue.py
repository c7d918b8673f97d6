"""Enqueuing: the same key is the same job, input is checked first, and the caller's transaction decides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from studio import lanes, queue
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, InvalidPayload, NoHandler, NotFound, StudioError, UnknownJobType
from studio.job_types import JOB_TYPES, USER_BLOCKING
from studio.queue import KEY_LIMIT, PRIORITY_LIMIT, NewJob
from tests.support.job_types import NOT_YET
from tests.support.queue import (
    AT_ONCE,
    claim_foreign,
    claim_next,
    count,
    enqueue,
    enqueue_in,
    everything,
    job,
    make_job,
    make_project,
    phase0,
    separate_connection,
    seqs,
    statuses,
    steps,
)

# --- created, existing, revived

pytest_plugins = ["tests.support.job_types"]


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_the_key_of_a_job_that_waits_runs_or_is_done_changes_nothing(database: Database, status: str) -> None:
    project, job_id = make_job(database, status, payload={"a": 1})
    before = everything(database, job_id)
    with database.transaction() as conn:
        answer = enqueue_in(conn, project, "key", {"a": 2}, priority=9)
    assert answer == (job_id, "existing", status)
    assert everything(database, job_id) == before


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_the_key_of_a_failed_or_canceled_job_revives_it(database: Database, status: str) -> None:
    project, job_id = make_job(database, status, payload={"a": 1})
    ended = job(database, job_id)
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    with database.transaction() as conn:
        answer = enqueue_in(conn, project, "key", {"a": 2}, priority=9, run_after=later, max_attempts=5)
    assert answer == (job_id, "revived", "queued")

    revived = job(database, job_id)
    assert (revived.status, revived.attempts, revived.interruptions) == ("queued", 0, 0)
    assert (revived.payload, revived.priority, revived.run_after, revived.max_attempts) == ({"a": 2}, 9, later, 5)
    assert (revived.last_error, revived.started_at, revived.completed_at, revived.dagster_run_id) == (None,) * 4
    # The fencing token outlives everything: a zombie of the first life must stay locked out.
    assert revived.claim_no == ended.claim_no == 1
    assert statuses(database, job_id) == ["queued", "running", status, "queued"]


@pytest.mark.parametrize(
    ("payload", "kept"),
    [({"a": 1, "b": {"c": [1, 2]}}, True), ({"b": {"c": [1, 2]}, "a": 1}, True), ({"a": 1, "b": {"c": [2, 1]}}, False)],
    ids=["same", "same in another order", "other"],
)
def test_a_revived_job_keeps_its_steps_only_for_the_same_payload(
    database: Database, payload: dict[str, Any], kept: bool
) -> None:
    project, job_id = make_job(database, "failed", payload={"a": 1, "b": {"c": [1, 2]}})
    assert steps(database, job_id) == ["research"]
    enqueue(database, project, "key", payload)
    assert steps(database, job_id) == (["research"] if kept else [])


def test_a_job_can_be_revived_again_and_again(database: Database) -> None:
    project, job_id = make_job(database, "failed")
    for life in range(2, 5):
        with database.transaction() as conn:
            assert enqueue_in(conn, project, "key").outcome == "revived"
        claim = claim_next(database)
        assert (claim.job_id, claim.claim_no, claim.job.attempts) == (job_id, life, 1)
        claim.fail("Again.", permanent=True, retry_base=AT_ONCE)


def test_a_key_belongs_to_one_job_type(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, "taken", job_type="other.work")
    before = everything(database, job_id)
    with pytest.raises(Conflict, match=r"other\.work"), database.transaction() as conn:
        queue.enqueue(conn, phase0(project, key="taken"))
    assert everything(database, job_id) == before


@pytest.mark.parametrize(("asked", "got"), [(-3, 1), (0, 1), (1, 1), (8, 8), (99, 8)])
def test_attempts_are_clamped_in_a_first_and_in_a_second_life(database: Database, asked: int, got: int) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, "key", max_attempts=asked)
    assert job(database, job_id).max_attempts == got
    queue.cancel(database, job_id)
    enqueue(database, project, "key", max_attempts=asked)
    assert job(database, job_id).max_attempts == got


# --- the registry speaks


def test_what_the_caller_leaves_out_comes_from_the_registry(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        answer = queue.enqueue(conn, phase0(project))
    found = job(database, answer.job_id)
    assert (found.priority, found.lane, found.agent_key) == (USER_BLOCKING, "heavy", "ceo")
    assert found.idempotency_key.startswith(f"phase0:{project}:")
    assert found.payload == {"projectId": str(project), "ownerClerkId": "owner", "forceNewApproval": False}


def test_a_direct_insert_gets_its_lane_from_the_registry(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        lanes.synchronize_registry(conn, JOB_TYPES.values(), {"realtime": lanes.LaneLimit(4, 2, None)})
    insert = (
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
        " values (%s, %s, 'ceo', %s) returning lane"
    )
    for job_type, lane in [("chat.reply", "realtime"), ("browser.check_page", "heavy"), ("no.such.type", "standard")]:
        assert database.fetch_one(insert, [project, job_type, job_type]) == {"lane": lane}
    assert database.fetch_one("select slots, project_limit from public.agent_job_lanes where lane = 'realtime'") == {
        "slots": 4,
        "project_limit": 2,
    }


def test_a_payload_of_null_is_an_empty_payload(database: Database) -> None:
    project = make_project(database)
    row = database.fetch_one(
        "select job_id from public.enqueue_agent_job(%s, 'test.work', 'ceo', null, 'key')", [project]
    )
    assert row is not None
    assert job(database, row["job_id"]).payload == {}


# --- in the caller's transaction


def test_an_enqueue_is_undone_with_the_transaction_it_is_part_of(database: Database) -> None:
    project, job_id = make_job(database, "failed", payload={"a": 1})
    before, seqs_before, jobs_before = (
        everything(database, job_id),
        seqs(database, project),
        count(database, "agent_jobs"),
    )
    with database.connection() as conn, conn.transaction(force_rollback=True):
        assert enqueue_in(conn, project, "key", {"a": 2}).outcome == "revived"
        assert enqueue_in(conn, project, "other").outcome == "created"
    assert everything(database, job_id) == before
    assert count(database, "agent_jobs") == jobs_before
    # The positions it had allocated are free again: the stream has no gap.
    with database.transaction() as conn:
        enqueue_in(conn, project, "other")
    assert seqs(database, project) == [*seqs_before, seqs_before[-1] + 1]


def test_nobody_sees_or_claims_a_job_before_its_transaction_commits(database: Database) -> None:
    project = make_project(database)
    with separate_connection(database) as conn:
        with conn.transaction():
            answer = enqueue_in(conn, project)
            assert count(database, "agent_jobs") == count(database, "agent_job_events") == 0
            assert claim_foreign(database) == []
        assert claim_foreign(database) == [answer.job_id]


# --- bad input


@pytest.mark.parametrize(
    ("new", "error", "says"),
    [
        (lambda p: NewJob("no.such.type", p), UnknownJobType, r"phase0\.generate_packet"),
        (lambda p: NewJob(NOT_YET, p), NoHandler, "no handler yet"),
        (lambda p: NewJob("phase0.generate_packet", p), InvalidPayload, "ownerClerkId"),
        (lambda p: phase0(p, payload={"ownerClerkId": 7}), InvalidPayload, "ownerClerkId"),
        (lambda p: phase0(p, payload={"colour": "green"}), InvalidPayload, "colour"),
        (lambda p: phase0(p, payload={"revisionGuidance": "x" * 2001}), InvalidPayload, "revisionGuidance"),
        (lambda p: phase0(p, payload={"projectId": str(uuid4())}), InvalidPayload, "belongs to"),
        (lambda p: phase0(p, payload={"revisionGuidance": "tea\x00shop"}), InvalidInput, "NUL character at position 3"),
        (lambda p: phase0(p, payload={"revisionGuidance": "tea \ud83d"}), InvalidInput, "surrogate at position 4"),
        (lambda p: phase0(p, payload={"\x00": 1}), InvalidInput, "NUL"),
        (lambda p: phase0(p, key="k\x00"), InvalidInput, "NUL"),
        (lambda p: phase0(p, key="\udfff"), InvalidInput, "surrogate"),
        (lambda p: phase0(p, key=""), InvalidInput, "idempotency key"),
        (lambda p: phase0(p, key="k" * (KEY_LIMIT + 1)), InvalidInput, str(KEY_LIMIT)),
        (lambda p: phase0(p, run_after=datetime(2030, 1, 1)), InvalidInput, "time zone"),  # noqa: DTZ001
        (lambda p: phase0(p, priority=PRIORITY_LIMIT + 1), InvalidInput, "priority"),
        (lambda p: phase0(p, priority=-(2**40)), InvalidInput, "priority"),
        (lambda p: phase0(uuid4()), NotFound, "no such project"),
    ],
)
def test_what_cannot_be_enqueued_is_refused_in_one_sentence(
    type_without_handler: str, database: Database, new: Any, error: type[StudioError], says: str
) -> None:
    project = make_project(database)
    with pytest.raises(error, match=says) as refused, database.transaction() as conn:
        queue.enqueue(conn, new(project))
    assert refused.value.remedy
    assert refused.value.permanent
    assert count(database, "agent_jobs") == 0


def test_what_is_odd_but_fits_is_kept_as_it_is(database: Database) -> None:
    project = make_project(database)
    # Four bytes a character: the longest key there can be.
    key, guidance = (
        "🍵" * KEY_LIMIT,
        "{\"not\": 'json'} \\u0000 \N{RIGHT-TO-LEFT OVERRIDE}茶 '; drop table agent_jobs; --",
    )
    with database.transaction() as conn:
        answer = queue.enqueue(conn, phase0(project, key=key, payload={"revisionGuidance": guidance}))
    found = job(database, answer.job_id)
    assert (found.idempotency_key, found.payload["revisionGuidance"]) == (key, guidance)


def test_a_project_named_again_by_either_name_is_no_contradiction(database: Database) -> None:
    project = make_project(database)
    for name in ("projectId", "project_id"):
        with database.transaction() as conn:
            answer = queue.enqueue(conn, phase0(project, key=name, payload={name: str(project)}))
        assert job(database, answer.job_id).payload["projectId"] == str(project)


def test_a_lane_that_is_not_there_is_not_reported_as_a_missing_project(database: Database) -> None:
    project = make_project(database)
    with pytest.raises(psycopg.errors.ForeignKeyViolation, match="lane"):
        enqueue(database, project, lane="express")
