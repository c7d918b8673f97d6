"""What pages show and no event tells is hinted at to its owner, once for many changes soon after each other."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from uuid import UUID

import pytest

from studio.database.connection import Connection, Database
from studio.model import spend
from studio.project_events import record
from tests.integration.stream.conftest import ada
from tests.integration.studio_web.conftest import Desk
from tests.support.event_hub import append
from tests.support.queue import claim_next, enqueue, separate_connection
from tests.support.rows import Owner, make_row
from tests.support.streams import Stream
from web.stream.changes import CHANNEL, WHAT

SETTINGS = {"stream_seconds": 600.0, "stream_ping_seconds": 600.0}


@pytest.fixture
def ear(desk: Desk) -> Iterator[Connection]:
    """A connection that hears every hint."""
    with separate_connection(desk.db) as conn:
        conn.execute(f"listen {CHANNEL}")
        yield conn


@pytest.fixture
def owner(desk: Desk) -> Owner:
    with desk.db.transaction() as conn:
        project_id = desk.project()
        user = conn.execute("select id from users where clerk_id = 'ada'").fetchone()
        assert user is not None
        return Owner("ada", project_id, user["id"])


def told(ear: Connection, *about: UUID) -> list[str]:
    """Return what has been told about projects since the last look."""
    ear.execute("select 1")
    told_now = [notice.payload.split(":") for notice in ear.notifies(timeout=0)]
    return sorted(what for project_id, what in told_now if UUID(project_id) in about)


@pytest.mark.parametrize(
    ("table", "what", "change"),
    [
        ("approval_queue", "approvals", "execution_status = 'queued'"),
        ("outbox", "outbox", "attempts = attempts + 1"),
        ("phase_packets", "packets", "deliverables = '{}'"),
        ("project_assets", "assets", "status = 'failed'"),
        ("project_chat_messages", "chat", "suggestion_note = 'no'"),
        ("email_jobs", "mail", "status = 'failed'"),
        ("project_events", "ledger", None),
    ],
)
def test_rows_that_pages_show_are_told(
    desk: Desk, ear: Connection, owner: Owner, table: str, what: str, change: str | None
) -> None:
    with desk.db.transaction() as conn:
        make_row(conn, table, owner)
    assert what in told(ear, owner.project_id)
    if change is not None:
        with desk.db.connection() as conn:
            conn.execute(f"update public.{table} set {change} where project_id = %s".encode(), [owner.project_id])
        assert told(ear, owner.project_id) == [what]


def test_a_deleted_asset_is_told(desk: Desk, ear: Connection, owner: Owner) -> None:
    with desk.db.transaction() as conn:
        make_row(conn, "project_assets", owner)
    told(ear, owner.project_id)
    desk.db.execute("delete from public.project_assets where project_id = %s", [owner.project_id])
    assert told(ear, owner.project_id) == ["assets"]


def test_a_project_is_told_when_it_says_something_else(desk: Desk, ear: Connection, project: UUID) -> None:
    desk.db.execute("update public.projects set name = name where id = %s", [project])
    assert told(ear, project) == []
    desk.db.execute(
        "update public.projects set permissions = permissions || '{\"deploy\": true}' where id = %s", [project]
    )
    assert told(ear, project) == ["project"]


def test_spend_is_told_when_it_is_spent(desk: Desk, ear: Connection, project: UUID) -> None:
    with desk.db.transaction() as conn:
        spend.set_budget(conn, project, Decimal(10), 1_000_000, 100)
    desk.db.execute("update public.project_budgets set reserved_micros = 5 where project_id = %s", [project])
    assert told(ear, project) == []
    desk.db.execute(
        "update public.project_budgets set spent_micros = 5, reserved_micros = 0 where project_id = %s", [project]
    )
    assert told(ear, project) == ["spend"]


def test_a_senders_claim_is_nobodys_business(desk: Desk, ear: Connection, owner: Owner) -> None:
    with desk.db.transaction() as conn:
        make_row(conn, "email_jobs", owner)
    told(ear, owner.project_id)
    desk.db.execute(
        "update public.email_jobs set locked_by = 'me', leased_until = now() where project_id = %s", [owner.project_id]
    )
    assert told(ear, owner.project_id) == []


def test_jobs_are_in_the_stream_and_told_by_no_hint(desk: Desk, ear: Connection, project: UUID) -> None:
    job = enqueue(desk.db, project, lane="heavy")
    append(desk.db, job, "x")
    claim_next(desk.db, lane="heavy").complete()
    assert told(ear, project) == []
    triggers = desk.db.fetch_all(
        "select tgrelid::regclass::text as name from pg_trigger where tgfoid::regproc::text like 'tell_project%%'"
    )
    assert not {row["name"] for row in triggers} & {"agent_jobs", "agent_job_events", "project_event_counters"}


def test_many_rows_of_a_statement_are_one_hint_for_each_project(desk: Desk, ear: Connection) -> None:
    projects = [desk.project(), desk.project()]
    desk.db.execute(
        "insert into public.project_events (project_id, event_type, message)"
        " select p, 'test', 'x' from unnest(%s::uuid[]) p, generate_series(1, 100)",
        [projects],
    )
    assert told(ear, *projects) == ["ledger", "ledger"]


def test_everything_that_is_told_is_listened_for(desk: Desk) -> None:
    rows = desk.db.fetch_all(
        "select distinct encode(tgargs, 'escape') as what from pg_trigger"
        " where tgfoid::regproc::text like 'tell_project%%'"
    )
    assert {row["what"].removesuffix("\\000") for row in rows} == set(WHAT)


# --- in the stream


def change(db: Database, project: UUID) -> None:
    with db.transaction() as conn:
        record(conn, project, "test", "something")


def hint(stream: Stream) -> tuple[str, set[str]]:
    """Return the next hint: of which project, and at what."""
    while (frame := stream.frame()).event != "changed":
        pass
    assert set(frame.data) == {"projectId", "what"}
    return frame.data["projectId"], set(frame.data["what"].split())


def listening(desk: Desk, project: UUID, where: str | None = None) -> Stream:
    """Return a stream once the server listens for its hints; nothing of the beginning is left in it."""
    stream = ada(desk, project) if where is None else Stream(desk.ada, where)
    change(desk.db, project)
    while True:
        about, what = hint(stream)
        # The LISTEN that has just begun is a reason to read everything.
        if about == str(project) and what == {"ledger"}:
            return stream
        if about == str(project):
            change(desk.db, project)


def test_a_hint_comes_in_both_streams_and_moves_no_position(desk: Desk, project: UUID) -> None:
    with listening(desk, project) as one, listening(desk, project, "/api/events") as all_of_them:
        before = one.parser.last_id
        desk.db.execute("update public.projects set name = 'Rolls' where id = %s", [project])
        for stream in (one, all_of_them):
            while (found := hint(stream)) and "project" not in found[1]:
                pass
            assert found[0] == str(project)
        assert one.parser.last_id == before


def test_many_changes_soon_after_each_other_are_two_hints(desk: Desk, project: UUID, job: UUID) -> None:
    with listening(desk, project) as stream:
        desk.db.execute("select pg_sleep(0.3)")
        for _ in range(20):
            change(desk.db, project)
        desk.db.execute("update public.projects set name = 'Rolls' where id = %s", [project])
        found = [hint(stream)]
        while "project" not in found[-1][1]:
            found.append(hint(stream))
        # At once, and what has come since at the end of each pause. On a busy machine the changes take several.
        assert len(found) < 10


def test_others_projects_are_not_hinted_at(desk: Desk, project: UUID, job: UUID) -> None:
    theirs, other = desk.project("bob"), desk.project()
    with listening(desk, project) as stream:
        for elsewhere in (theirs, other):
            change(desk.db, elsewhere)
        change(desk.db, project)
        append(desk.db, job, "the end")
        abouts: set[str] = set()
        desk.db.execute("update public.projects set name = 'Rolls' where id = %s", [project])
        what: set[str] = set()
        while "project" not in what:
            about, what = hint(stream)
            abouts.add(about)
    assert abouts == {str(project)}
