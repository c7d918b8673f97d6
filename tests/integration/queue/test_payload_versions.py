"""Releases beside each other: each worker runs what its code understands, and nothing fails for its version."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg.types.json import Jsonb

from studio import lanes, queue, queue_releases
from studio.claims import Claim
from studio.database.connection import Database
from studio.errors import InvalidPayload, PayloadTooNew
from studio.job_types import JOB_TYPES, ChatPayload, JobType, parse_payload, understood
from studio.queue import NewJob
from tests.support.queue import LEASE, make_project

NAME = "chat.reply"


class NewChatPayload(ChatPayload):
    """What the next release makes of it: it wants a tone, of which nothing was said before."""

    tone: str


def toned(payload: dict[str, Any]) -> dict[str, Any]:
    return {**payload, "tone": "plain"}


NEXT = dataclasses.replace(JOB_TYPES[NAME], payload=NewChatPayload, upgrades=(toned,))


@pytest.fixture
def next_release(monkeypatch: pytest.MonkeyPatch, database: Database) -> Iterator[JobType]:
    """The code of the next release, which has migrated the database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(JOB_TYPES, NAME, NEXT)
        patch.setitem(JOB_TYPES, "tea.make", dataclasses.replace(NEXT, name="tea.make"))
        migrated(database)
        yield NEXT


def migrated(database: Database) -> None:
    with database.transaction() as conn:
        lanes.synchronize_registry(conn, JOB_TYPES.values(), {})


def enqueue(database: Database, project: UUID, kind: str = NAME, **payload: Any) -> UUID:
    given = {"ownerClerkId": "o", "userMessageId": str(uuid4()), "message": "Hello", **payload}
    with database.transaction() as conn:
        return queue.enqueue(conn, NewJob(kind, project, given)).job_id


def insert(database: Database, project: UUID, kind: str = NAME, **columns: Any) -> UUID:
    """Insert a row as a client does that knows nothing of versions."""
    given = {"ownerClerkId": "o", "userMessageId": str(uuid4()), "message": "Hello", "projectId": str(project)}
    values = {"project_id": project, "job_type": kind, "agent_key": "ceo", "payload": Jsonb(given)}
    values |= {"idempotency_key": str(uuid4()), **columns}
    names = ", ".join(values)
    row = database.fetch_one(
        f"insert into agent_jobs ({names}) values ({', '.join(['%s'] * len(values))}) returning id",  # type: ignore[arg-type]
        list(values.values()),
    )
    assert row is not None
    return row["id"]


def claimed(database: Database) -> list[UUID]:
    jobs = queue.claim(database, "w", limit=50, lane="realtime", lease=LEASE, slots=100, project_limit=100)
    return [job.id for job in jobs]


# --- what a payload is


def test_a_payload_of_an_older_version_is_brought_up_to_date(next_release: JobType) -> None:
    project = uuid4()
    old = {"ownerClerkId": "o", "userMessageId": str(uuid4()), "message": "Hello"}
    parsed = parse_payload(next_release, project, old, 1)
    assert isinstance(parsed, NewChatPayload)
    assert parsed.tone == "plain"
    with pytest.raises(InvalidPayload, match="tone"):
        parse_payload(next_release, project, old, 2)


def test_an_older_payload_has_the_key_that_it_always_had(next_release: JobType) -> None:
    project = uuid4()
    old = {"ownerClerkId": "o", "userMessageId": str(uuid4()), "message": "Hello"}
    before = dataclasses.replace(next_release, payload=ChatPayload, upgrades=())
    assert next_release.key(project, parse_payload(next_release, project, old, 1)) == before.key(
        project, parse_payload(before, project, old, 1)
    )


def test_a_payload_of_a_later_version_is_not_guessed_at() -> None:
    with pytest.raises(PayloadTooNew, match="of version 2, and this code knows 1"):
        parse_payload(JOB_TYPES[NAME], uuid4(), {"anything": 1}, 2)


def test_what_the_code_enqueues_is_of_its_version_and_what_others_insert_of_the_first(
    database: Database, next_release: JobType
) -> None:
    project = make_project(database)
    ours, theirs = enqueue(database, project, tone="dry"), insert(database, project)
    assert [queue.get(database, job).payload_version for job in (ours, theirs)] == [2, 1]
    assert queue.get(database, insert(database, project, payload_version=-3)).payload_version == 1
    through_function = database.fetch_one(
        "select job_id from enqueue_agent_job(%s, 'chat.reply', 'ceo', '{}', 'k', p_payload_version => 2)", [project]
    )
    assert through_function is not None
    assert queue.get(database, through_function["job_id"]).payload_version == 2


def test_a_revived_job_is_of_the_version_of_its_new_payload(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, message = make_project(database), str(uuid4())
    job = enqueue(database, project, userMessageId=message)
    queue.cancel(database, job)
    monkeypatch.setitem(JOB_TYPES, NAME, NEXT)
    assert enqueue(database, project, userMessageId=message, tone="dry") == job
    assert queue.get(database, job).payload_version == 2


# --- who claims what


def test_a_worker_leaves_what_only_the_next_release_understands_and_takes_the_rest(database: Database) -> None:
    project = make_project(database)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(JOB_TYPES, NAME, NEXT)
        patch.setitem(JOB_TYPES, "tea.make", dataclasses.replace(NEXT, name="tea.make"))
        migrated(database)
        newer = [enqueue(database, project, tone="dry"), enqueue(database, project, "tea.make", tone="dry")]
        older = enqueue(database, project, tone="dry")
    database.execute("update agent_jobs set payload_version = 1 where id = %s", [older])
    migrated(database)  # an older host that starts changes nothing of it

    assert claimed(database) == [older]
    assert [(left.job_type, left.payload_version, left.count) for left in queue_releases.left_for_later(database)] == [
        (NAME, 2, 1),
        ("tea.make", 2, 1),
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(JOB_TYPES, NAME, NEXT)
        patch.setitem(JOB_TYPES, "tea.make", dataclasses.replace(NEXT, name="tea.make"))
        assert claimed(database) == newer
    assert queue_releases.left_for_later(database) == []


def test_a_client_that_says_nothing_understands_the_first_version_of_everything(
    database: Database, next_release: JobType
) -> None:
    project = make_project(database)
    newer, older = enqueue(database, project, tone="dry"), insert(database, project)
    unknown = insert(database, project, "no.such", lane="realtime")
    rows = database.fetch_all("select id from claim_agent_jobs('w', 10, 'realtime', null, 10, 10)")
    assert {row["id"] for row in rows} == {older, unknown}
    assert queue.get(database, newer).status == "queued"


def test_many_jobs_that_wait_for_the_next_release_keep_nobody_else_waiting(database: Database) -> None:
    crowded, other = make_project(database), make_project(database)
    with database.transaction() as conn:
        conn.execute("update agent_job_types set payload_version = 2 where job_type = %s", [NAME])
        conn.execute(
            "insert into agent_jobs (project_id, job_type, agent_key, idempotency_key, priority, payload_version)"
            " select %s, %s, 'ceo', 'k' || n, 200, 2 from generate_series(1, 500) n",
            [crowded, NAME],
        )
    behind = [insert(database, crowded), insert(database, other)]
    assert set(claimed(database)) == set(behind)


def test_what_waits_for_the_next_release_does_not_make_a_claim_dear(database: Database) -> None:
    projects = [make_project(database) for _ in range(40)]
    with database.transaction() as conn:
        conn.execute("update agent_job_types set payload_version = 2 where job_type = %s", [NAME])
        conn.execute("set local session_replication_role = replica")
        conn.execute(
            "insert into agent_jobs (project_id, job_type, agent_key, idempotency_key, priority, payload_version, lane)"
            " select (%s::uuid[])[1 + n %% 40], %s, 'ceo', 'k' || n, 200, 2, 'realtime'"
            " from generate_series(1, 20000) n",
            [projects, NAME],
        )
    database.execute("vacuum analyze agent_jobs")
    ours = [insert(database, project) for project in projects[:10]]
    query = "select id from claim_agent_jobs('w', 10, 'realtime', '1 minute', 50, 2, %s::jsonb)"
    with database.connection() as conn:
        for explain in ("", "explain (analyze, buffers, format json) "):  # the first one plans, and reads the catalog
            with conn.transaction(force_rollback=True):
                rows = conn.execute(explain + query, [json.dumps(understood())]).fetchall()  # type: ignore[arg-type]
            if not explain:
                assert {row["id"] for row in rows} == set(ours)
    plan = next(iter(rows[0].values()))[0]["Plan"]
    # To walk past all of them takes more than twenty thousand.
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 3000


# --- who meets it all the same


def test_a_job_that_a_worker_does_not_understand_goes_back_unburnt_and_not_at_once(
    database: Database, next_release: JobType
) -> None:
    project = make_project(database)
    job = enqueue(database, project, tone="dry")
    for number in range(1, 9):  # more often than a job may be interrupted
        database.execute("update agent_jobs set run_after = now() where id = %s", [job])
        (held,) = queue.claim(database, "w", limit=1, lane="realtime", lease=LEASE, slots=9, project_limit=9)
        assert Claim(database, held).hand_back("This worker is too old.", timedelta(hours=1)) == "queued"
        after = queue.get(database, job)
        assert (after.attempts, after.interruptions, after.claim_no) == (0, 0, number)
        assert after.last_error == "This worker is too old."
        assert claimed(database) == []
    queue.cancel(database, job)
    assert queue.get(database, job).status == "canceled"


@pytest.mark.parametrize("columns", [{"kind": "no.such"}, {"payload_version": 9}])
def test_what_no_release_has_registered_fails_at_once(database: Database, columns: dict[str, Any]) -> None:
    job = insert(database, make_project(database), lane="realtime", **columns)
    assert claimed(database) == [job]
    claim = Claim(database, queue.get(database, job))
    assert claim.hand_back("Nobody knows this.") == "failed"
    assert queue.get(database, job).last_error == "Nobody knows this."
