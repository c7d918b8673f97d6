"""A batch of jobs is written whole or not at all, and is answered in its own order."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from studio import queue
from studio.database.connection import Database
from studio.errors import InvalidPayload, NotFound, UnknownJobType
from studio.queue import NewJob
from tests.support.queue import count, job, make_job, make_project, phase0, seqs


def test_a_batch_answers_in_its_own_order(database: Database) -> None:
    done_in, done = make_job(database, "completed", "a-done")
    failed_in, failed = make_job(database, "failed", "z-failed")
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
