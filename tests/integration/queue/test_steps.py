"""A step is done once: its result is saved with its work, and a later attempt finds it."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from studio.database.connection import Connection, Database
from tests.support.queue import AT_ONCE, claim_next, enqueue, make_project, running


def test_a_finished_step_is_not_done_again_by_a_later_attempt(database: Database) -> None:
    first = running(database)
    done: list[str] = []

    def research() -> dict[str, Any]:
        done.append("research")
        return {"found": [1, None, "茶"]}

    assert first.once("research", research) == {"found": [1, None, "茶"]}
    first.fail("It broke.", permanent=False, retry_base=AT_ONCE)
    second = claim_next(database)
    assert second.once("research", research) == {"found": [1, None, "茶"]}
    assert done == ["research"]
    assert first.saved_step("summary") == (False, None)


def test_a_step_may_have_nothing_to_say(database: Database) -> None:
    claim = running(database)
    assert claim.once("notify", lambda: None) is None
    assert claim.once("notify", lambda: "done twice") is None
    assert claim.saved_step("notify") == (True, None)


def test_a_step_and_its_work_are_saved_together_or_not_at_all(database: Database) -> None:
    claim = running(database)

    def rename(conn: Connection) -> None:
        conn.execute("update public.projects set name = 'Half' where id = %s", [claim.job.project_id])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        claim.once_in_transaction("rename", rename)
    assert claim.saved_step("rename") == (False, None)
    assert database.fetch_all("select 1 from public.projects where name = 'Half'") == []


def test_a_step_that_a_deadlock_broke_is_taken_again(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    broken = iter([psycopg.errors.DeadlockDetected("deadlock detected"), None])

    def work(conn: Connection) -> str:
        conn.execute("insert into public.task_log (project_id, step, status) values (%s, 's', 'running')", [project])
        if (exc := next(broken)) is not None:
            raise exc
        return "done"

    assert claim.once_in_transaction("s", work) == "done"
    assert len(database.fetch_all("select 1 from public.task_log")) == 1


def test_named_steps_are_forgotten_with_their_parts(database: Database) -> None:
    claim = running(database)
    for step in ("research", "research/competitors", "research_notes", "summary"):
        claim.once(step, lambda: 1)

    def kept() -> set[str]:
        return {row["step"] for row in database.fetch_all("select step from public.agent_job_steps")}

    with claim.transaction() as conn:
        claim.forget_steps(conn, ["research"])
    assert kept() == {"research_notes", "summary"}
    with claim.transaction() as conn:
        claim.forget_steps(conn, None)
    assert kept() == set()
