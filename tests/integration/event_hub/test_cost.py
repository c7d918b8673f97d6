"""All followers of a hub together cost as much as one; only who begins or falls behind what is in memory costs more."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.events import PAGE, Event, NewEvent
from tests.support.event_hub import Reader, append, hub_on, until
from tests.support.queue import InBackground, enqueue, make_project, separate_connection
from tests.support.waiting import eventually

CROWD = 500


def keep_up(hub: EventHub, project_id: UUID, seq: int = 0) -> None:
    """Return when the hub has the project's events in memory, up to `seq`."""

    def is_there() -> bool:
        feed = hub._feeds.get(project_id)
        return feed is not None and feed.head is not None and feed.head >= seq

    eventually(is_there, what=f"event {seq} in memory")


class Statements:
    """Counts what the threads of this process other than `but` ask the database."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.but = threading.current_thread()
        original = psycopg.Cursor.execute

        def execute(cursor: Any, query: Any, *arguments: Any, **options: Any) -> Any:
            if threading.current_thread() is not self.but:
                self.asked.append(str(query))
            return original(cursor, query, *arguments, **options)

        monkeypatch.setattr(psycopg.Cursor, "execute", execute)

    def take(self) -> tuple[int, int]:
        """Return how often since the last call news was read for all, and how often a follower read for itself."""
        asked, self.asked = self.asked, []
        for_all = sum("unnest" in statement for statement in asked)
        return for_all, sum("from public.agent_job_events" in statement for statement in asked) - for_all


def test_an_append_costs_the_same_for_one_follower_and_for_a_crowd(
    database: Database, hub: EventHub, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    appends = 10
    statements = Statements(monkeypatch)

    async def read(stream: AsyncIterator[Event], seen: list[int]) -> None:
        async for event in stream:
            seen.append(event.seq)

    async def crowd(size: int, after: int) -> list[list[int]]:
        seen: list[list[int]] = [[] for _ in range(size)]
        tasks = [asyncio.create_task(read(hub.follow_async(project, after), one)) for one in seen]
        try:
            await asyncio.to_thread(keep_up, hub, project)
            for number in range(appends + 1):
                if number == 1:
                    # All have begun, which may cost a look each.
                    statements.take()
                # In this thread, which is not counted.
                append(database, job, str(number))
                await until(lambda last=after + 1 + number: all(one and one[-1] == last for one in seen))  # type: ignore[misc]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return seen

    costs: list[tuple[int, int]] = []
    for size in (1, CROWD):
        after = events.last_seq(database, project)
        seen = asyncio.run(asyncio.wait_for(crowd(size, after), 120))
        assert seen == [list(range(after + 1, after + appends + 2))] * size
        costs.append(statements.take())
    # One each; another where an append was notified while the last one was being read.
    assert all(appends - 1 <= for_all <= 2 * appends + 1 for for_all, _ in costs), costs
    assert [for_one for _, for_one in costs] == [0, 0]


def test_many_projects_are_read_by_one_statement(
    database: Database, hub: EventHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    projects = [make_project(database) for _ in range(20)]
    jobs = [enqueue(database, project) for project in projects]
    readers = [Reader(hub, project) for project in projects]
    for reader in readers:
        reader.wait_for(1)
    for project in projects:
        keep_up(hub, project, 1)
    statements = Statements(monkeypatch)
    with separate_connection(database) as conn:
        with conn.transaction():
            for job in sorted(jobs):
                events.append(conn, job, [NewEvent("log", "together")])
    for reader in readers:
        eventually(lambda reader=reader: reader.events[-1].message == "together", what="the event")  # type: ignore[misc]
    # Together they are notified, though the first of them may be read before the others are marked.
    for_all, for_one = statements.take()
    assert 1 <= for_all < len(projects)
    assert for_one == 0


def test_what_happens_elsewhere_costs_nothing(
    database: Database, hub: EventHub, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = [Reader(hub, project) for _ in range(10)]
    for reader in readers:
        reader.wait_for(1)
    keep_up(hub, project, 1)
    statements = Statements(monkeypatch)
    elsewhere = enqueue(database, make_project(database))
    for number in range(50):
        append(database, elsewhere, str(number))
    append(database, job, "at last")
    for reader in readers:
        reader.wait_for(2)
    for_all, for_one = statements.take()
    # One, and what the beginning may still have had to look at.
    assert for_all <= 5
    assert for_one == 0


def test_who_resumes_where_memory_reaches_back_to_asks_nothing(
    database: Database, hub: EventHub, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(database, job, *map(str, range(50)))
    first = Reader(hub, project, 50)
    first.wait_for(51)
    keep_up(hub, project, 51)
    statements = Statements(monkeypatch)
    # Also what is older than the first follower: a feed begins a little before its time.
    second = Reader(hub, project, 10)
    second.wait_for(51)
    assert second.seqs == list(range(11, 52))
    _, for_one = statements.take()
    assert for_one == 0
    append(database, job, "and on")
    for reader in (first, second):
        reader.wait_for(52)


def test_who_resumes_from_before_memory_asks_for_pages(
    database: Database, following: Database, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_on(following, kept=10) as hub:
        first = Reader(hub, project)
        first.wait_for(1)
        append(database, job, *map(str, range(2 * PAGE)))
        first.wait_for(2 * PAGE + 1)
        keep_up(hub, project, 2 * PAGE + 1)
        statements = Statements(monkeypatch)
        second = Reader(hub, project)
        second.wait_for(2 * PAGE + 1)
        # Two full pages; the last event is in memory.
        _, for_one = statements.take()
        assert for_one == 2
        append(database, job, "and on")
        second.wait_for(2 * PAGE + 2)
    assert second.result() == list(range(1, 2 * PAGE + 3))


def test_who_waits_for_one_job_asks_nothing_for_the_others(
    database: Database, following: Database, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = enqueue(database, project)
    with hub_on(following, kept=10) as hub:
        witness = Reader(hub, project)
        append(database, other, *map(str, range(100)))
        witness.wait_for(102)
        keep_up(hub, project, 102)
        # Its last event lies long before what is in memory.
        waiting = Reader(hub, project, job_id=job)
        waiting.wait_for(1)
        statements = Statements(monkeypatch)
        for number in range(5):
            append(database, other, str(number))
            witness.wait_for(103 + number)
        append(database, job, "at last")
        waiting.wait_for(108)
        _, for_one = statements.take()
        assert for_one == 0


def test_a_slow_follower_holds_up_nobody_and_misses_nothing(
    database: Database, following: Database, project: UUID, job: UUID
) -> None:
    with hub_on(following, kept=10) as hub:
        slow = hub.follow(project)
        assert next(slow).seq == 1
        quick = Reader(hub, project)
        for number in range(100):
            append(database, job, str(number))
            quick.wait_for(number + 2)
        assert [next(slow).seq for _ in range(100)] == list(range(2, 102))
        # It has caught up, and goes on live.
        later = InBackground(lambda: next(slow).seq)
        append(database, job, "live")
        assert later.result() == 102
        slow.close()
