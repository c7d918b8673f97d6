"""A lane is woken by a new job and by a slot that becomes free, once that is committed, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from tests.support.queue import (
    AT_ONCE,
    LEASE,
    append,
    claim_next,
    enqueue,
    enqueue_in,
    lose,
    make_project,
    separate_connection,
)


@pytest.fixture
def woken(database: Database) -> Iterator[Callable[[], list[str]]]:
    """Return a function that says which lanes were called since it was last asked."""
    with separate_connection(database) as conn:
        conn.execute("listen agent_jobs")

        def lanes() -> list[str]:
            # What was sent before the end mark arrives before it, so nothing has to be waited out.
            mark = f"mark-{uuid4()}"
            database.execute("select pg_notify('agent_jobs', %s)", [mark])
            found: list[str] = []
            for notify in conn.notifies(timeout=30):
                if notify.payload == mark:
                    return sorted(found)
                found.append(notify.payload)
            raise AssertionError("the end mark never came")

        yield lanes


def test_an_enqueue_wakes_its_lane_when_it_commits(database: Database, woken: Callable[[], list[str]]) -> None:
    project = make_project(database)
    with database.transaction() as conn:
        for _ in range(3):
            enqueue_in(conn, project, lane="heavy")
        enqueue_in(conn, project, "chat", lane="realtime")
        assert woken() == []
    assert woken() == ["heavy", "realtime"]
    enqueue(database, project, "chat", lane="realtime")
    assert woken() == []
    with database.connection() as conn, conn.transaction(force_rollback=True):
        enqueue_in(conn, project)
    assert woken() == []


def test_a_direct_insert_wakes_its_lane(database: Database, woken: Callable[[], list[str]]) -> None:
    database.execute(
        "insert into public.agent_jobs (project_id, job_type, agent_key, idempotency_key)"
        " values (%s, 'foreign.work', 'ceo', 'key')",
        [make_project(database)],
    )
    assert woken() == ["standard"]


FREEING: dict[str, Callable[[Claim], Any]] = {
    "completed": lambda claim: claim.complete(),
    "failed": lambda claim: claim.fail("It broke.", permanent=True, retry_base=AT_ONCE),
    "retried": lambda claim: claim.fail("It broke.", permanent=False, retry_base=AT_ONCE),
    "released": lambda claim: claim.release("Shutting down."),
    "canceled": lambda claim: claim.cancel(),
    "reclaimed": lose,
}


@pytest.mark.parametrize("end", list(FREEING))
def test_a_slot_that_becomes_free_wakes_its_lane(database: Database, woken: Callable[[], list[str]], end: str) -> None:
    enqueue(database, make_project(database), lane="heavy")
    assert woken() == ["heavy"]
    claim = claim_next(database)
    claim.renew(LEASE)
    append(claim)
    # Nothing to do came of that.
    assert woken() == []
    FREEING[end](claim)
    assert woken() == ["heavy"]


def test_a_revived_job_wakes_its_lane(database: Database, woken: Callable[[], list[str]]) -> None:
    project = make_project(database)
    job_id = enqueue(database, project, "key")
    queue.cancel(database, job_id)
    woken()
    enqueue(database, project, "key")
    assert woken() == ["standard"]
