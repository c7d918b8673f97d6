"""Enqueuing: the same key is the same job, input is checked first, and the caller's transaction decides."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from studio import queue
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput, InvalidPayload, NoHandler, NotFound, StudioError, UnknownJobType
from studio.job_types import JOB_TYPES, USER_BLOCKING
from studio.queue import KEY_LIMIT, PRIORITY_LIMIT, NewJob
from tests.support.queue import (
    claim_foreign,
    claim_next,
    enqueue,
    enqueue_in,
    everything,
    insert_foreign,
    job,
    make_project,
    separate_connection,
    seqs,
    statuses,
)

NO_WAIT = timedelta(0)


def phase0(project_id: UUID, **fields: Any) -> NewJob:
    payload = {"ownerClerkId": "owner", **fields.pop("payload", {})}
    return NewJob("phase0.generate_packet", project_id, payload, **fields)


def bring_to(db: Database, status: str, key: str = "key", payload: Any = None) -> tuple[UUID, UUID]:
    """Make a job, with a finished step where it ever ran, and bring it to `status`; return project and job."""
    project = make_project(db)
    job_id = enqueue(db, project, key, payload)
    if status != "queued":
        claim = claim_next(db)
        claim.once("research", lambda: {"found": 3})
        if status == "completed":
            claim.complete()
        elif status == "failed":
            claim.fail("It broke.", permanent=True, retry_base=NO_WAIT)
        elif status == "canceled":
            claim.cancel("Not wanted.")
    return project, job_id


def steps(db: Database, job_id: UUID) -> list[str]:
    rows = db.fetch_all("select step from public.agent_job_steps where job_id = %s order by step", [job_id])
    return [row["step"] for row in rows]


def count(db: Database, table: str) -> int:
    with db.connection() as conn:
        row = conn.execute(f"select count(*)::int as n from public.{table}".encode()).fetchone()
    assert row is not None
    return int(row["n"])


# --- created, existing, revived


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_the_key_of_a_job_that_waits_runs_or_is_done_changes_nothing(database: Database, status: str) -> None:
    project, job_id = bring_to(database, status, payload={"a": 1})
    before = everything(database, job_id)
    with database.transaction() as conn:
        answer = enqueue_in(conn, project, "key", {"a": 2}, priority=9)
    assert answer == (job_id, "existing", status)
    assert everything(database, job_id) == before


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_the_key_of_a_failed_or_canceled_job_revives_it(database: Database, status: str) -> None:
    project, job_id = bring_to(database, status, payload={"a": 1})
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
    project, job_id = bring_to(database, "failed", payload={"a": 1, "b": {"c": [1, 2]}})
    assert steps(database, job_id) == ["research"]
    enqueue(database, project, "key", payload)
    assert steps(database, job_id) == (["research"] if kept else [])


def test_a_job_can_be_revived_again_and_again(database: Database) -> None:
    project, job_id = bring_to(database, "failed")
    for life in range(2, 5):
        with database.transaction() as conn:
            assert enqueue_in(conn, project, "key").outcome == "revived"
        claim = claim_next(database)
        assert (claim.job_id, claim.claim_no, claim.job.attempts) == (job_id, life, 1)
        claim.fail("Again.", permanent=True, retry_base=NO_WAIT)


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
        queue.synchronize_registry(conn, JOB_TYPES.values(), {"realtime": (4, 2)})
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
    project, job_id = bring_to(database, "failed", payload={"a": 1})
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


# --- many at once


def test_a_batch_answers_in_its_own_order(database: Database) -> None:
    done_in, done = bring_to(database, "completed", "a-done")
    failed_in, failed = bring_to(database, "failed", "z-failed")
    wanted = [
        (failed_in, "z-failed"),
        (done_in, "m-new"),
        (done_in, "a-done"),
        (failed_in, "a-new"),
        (done_in, "m-new"),
        (failed_in, "z-failed"),
    ]
    rows = [
        {"project_id": str(project), "job_type": "test.work", "agent_key": "ceo", "idempotency_key": key, "payload": {}}
        for project, key in wanted
    ]
    answers = database.fetch_all("select * from public.enqueue_agent_jobs(%s) order by ordinality", [json.dumps(rows)])
    assert [row["outcome"] for row in answers] == ["revived", "created", "existing", "created", "existing", "existing"]
    assert [row["status"] for row in answers] == ["queued", "queued", "completed", "queued", "queued", "queued"]
    ids = [row["job_id"] for row in answers]
    assert (ids[0], ids[2]) == (failed, done)
    assert (ids[4], ids[5]) == (ids[1], ids[0])
    for job_id, (project, key) in zip(ids, wanted, strict=True):
        found = job(database, job_id)
        assert (found.project_id, found.idempotency_key) == (project, key)


def test_the_first_of_two_equal_keys_in_a_batch_is_the_one_that_counts(database: Database) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        answers = queue.enqueue_many(
            conn,
            [
                phase0(project, key="same", payload={"revisionGuidance": "first"}, priority=1),
                phase0(project, key="same", payload={"revisionGuidance": "second"}, priority=2),
            ],
        )
    assert [answer.outcome for answer in answers] == ["created", "existing"]
    found = job(database, answers[0].job_id)
    assert (found.payload["revisionGuidance"], found.priority) == ("first", 1)


def test_a_batch_is_written_whole_or_not_at_all(database: Database) -> None:
    project = make_project(database)
    good = phase0(project)
    for bad, error in [
        (phase0(project, payload={"surprise": 1}), InvalidPayload),
        (NewJob("no.such.type", project), UnknownJobType),
        (phase0(uuid4()), NotFound),
    ]:
        with pytest.raises(error), database.transaction() as conn:
            queue.enqueue_many(conn, [good, bad])
    assert count(database, "agent_jobs") == count(database, "agent_job_events") == 0


def test_an_empty_batch_is_nothing(database: Database) -> None:
    with database.transaction() as conn:
        assert queue.enqueue_many(conn, []) == []


def test_a_large_batch_over_many_projects(database: Database) -> None:
    projects = [make_project(database) for _ in range(20)]
    new = [phase0(projects[n % 20], key=f"n{n}") for n in range(1000)]
    with database.transaction() as conn:
        answers = queue.enqueue_many(conn, new)
    assert {answer.outcome for answer in answers} == {"created"}
    assert len({answer.job_id for answer in answers}) == 1000
    for project in projects:
        assert seqs(database, project) == list(range(1, 51))


# --- bad input


@pytest.mark.parametrize(
    ("new", "error", "says"),
    [
        (lambda p: NewJob("no.such.type", p), UnknownJobType, r"phase0\.generate_packet"),
        (lambda p: NewJob("chat.reply", p), NoHandler, "no handler yet"),
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
    database: Database, new: Any, error: type[StudioError], says: str
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


# --- retry by hand, and looking


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_retry_puts_the_job_back_as_it_was(database: Database, status: str) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        answer = queue.enqueue(
            conn, phase0(project, payload={"revisionGuidance": "warmer"}, priority=7, max_attempts=2)
        )
    claim = claim_next(database, lane="heavy")
    claim.once("research", lambda: 1)
    if status == "failed":
        claim.fail("It broke.", permanent=True, retry_base=NO_WAIT)
    else:
        claim.cancel()
    before = job(database, answer.job_id)

    assert queue.retry(database, answer.job_id).outcome == "revived"

    after = job(database, answer.job_id)
    assert (after.status, after.attempts, after.payload, after.priority, after.max_attempts) == (
        "queued", 0, before.payload, 7, 2,
    )  # fmt: skip
    assert steps(database, answer.job_id) == ["research"]


def test_a_retry_leaves_the_payload_of_another_client_alone(database: Database) -> None:
    project = make_project(database)
    # Not letter for letter what the registry would make of it: keys of its own, defaults left out.
    wrote = {"projectId": str(project), "ownerClerkId": "owner", "source": "landing"}
    job_id = insert_foreign(database, project, "phase0.generate_packet", payload=wrote)
    claim = claim_next(database)
    claim.once("research", lambda: 1)
    claim.fail("It broke.", permanent=True, retry_base=NO_WAIT)
    assert queue.retry(database, job_id).outcome == "revived"
    assert job(database, job_id).payload == wrote
    assert steps(database, job_id) == ["research"]


@pytest.mark.parametrize("status", ["queued", "running", "completed"])
def test_only_a_failed_or_canceled_job_can_be_retried(database: Database, status: str) -> None:
    _, job_id = bring_to(database, status)
    with pytest.raises(Conflict, match=status):
        queue.retry(database, job_id)


def test_a_job_that_nothing_can_run_cannot_be_retried(database: Database) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, job_type="drip.process_nudges")
    queue.cancel(database, job_id)
    with pytest.raises(NoHandler):
        queue.retry(database, job_id)
    assert job(database, job_id).status == "canceled"


def test_an_unknown_job_is_not_found(database: Database) -> None:
    for look in (queue.get, queue.cancel, queue.retry):
        with pytest.raises(NotFound, match="no job"):
            look(database, uuid4())


def test_jobs_are_listed_newest_first_and_counted_per_lane(database: Database) -> None:
    project, other = make_project(database), make_project(database)
    oldest = enqueue(database, project, lane="heavy")
    newer = enqueue(database, project, lane="realtime")
    elsewhere = enqueue(database, other, lane="heavy")
    claim_next(database, lane="realtime")
    assert [found.id for found in queue.find(database)] == [elsewhere, newer, oldest]
    assert [found.id for found in queue.find(database, project_id=project)] == [newer, oldest]
    assert [found.id for found in queue.find(database, status="queued", limit=1)] == [elsewhere]
    assert queue.depth(database) == {
        "realtime": {"queued": 0, "running": 1},
        "standard": {"queued": 0, "running": 0},
        "heavy": {"queued": 2, "running": 0},
    }


# --- conflicts that PostgreSQL broke


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
