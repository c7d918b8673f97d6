"""The event hub: every follower gets each event once and in order, and all of them together cost as much as one."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from uuid import UUID

import psycopg
import pytest

from studio import events
from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.event_hub import EventHub
from studio.events import PAGE, Event, NewEvent
from studio.listener import Listener
from tests.support.postgres import TestServer
from tests.support.queue import InBackground, enqueue, make_project, separate_connection, wait_until_blocked
from tests.support.sessions import cut_off, sessions, unreachable
from tests.support.waiting import eventually

NAME = "following"
# Nothing but a notification may wake a follower.
NEVER = 600.0
LONG = 30.0
CROWD = 500


@pytest.fixture
def following(database_url: str) -> Iterator[Database]:
    """The database as the hub sees it, whose sessions are told by their name."""
    with Database(database_url, application_name=NAME) as db:
        yield db


@contextlib.contextmanager
def hub_on(db: Database, *, listen: bool = True, kept: int = 2_000, net: float = NEVER) -> Iterator[EventHub]:
    with Listener(db, listen=listen, poll_seconds=0.01) as listener:
        with EventHub(db, listener, kept=kept, safety_poll_seconds=net) as hub:
            yield hub


@pytest.fixture
def hub(following: Database) -> Iterator[EventHub]:
    with hub_on(following) as hub:
        yield hub


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database)


@pytest.fixture
def job(database: Database, project: UUID) -> UUID:
    """A job of the project, whose stream begins with the event that says it is queued."""
    return enqueue(database, project)


def append(db: Database, job_id: UUID, *messages: str) -> None:
    with db.transaction() as conn:
        events.append(conn, job_id, [NewEvent("log", message) for message in messages])


class Reader:
    """Reads a stream in a thread of its own, and keeps what came."""

    def __init__(self, hub: EventHub, project_id: UUID, after: int = 0, **options: Any) -> None:
        self.events: list[Event] = []
        self._stop = False
        self._stream = hub.follow(project_id, after, stop=lambda: self._stop, **options)
        self._work = InBackground(self._read)

    def _read(self) -> None:
        self.events.extend(iter(self._take, None))

    def _take(self) -> Event | None:
        return next(self._stream, None)

    @property
    def seqs(self) -> list[int]:
        return [event.seq for event in self.events]

    def stop(self) -> None:
        """Let the reader stop when it is woken the next time."""
        self._stop = True

    def result(self) -> list[int]:
        """Wait for the end; return the seqs that came."""
        self._work.result()
        return self.seqs

    def wait_for(self, last: int) -> None:
        eventually(lambda: self.events and self.events[-1].seq >= last, what=f"event {last}")


async def until(probe: Callable[[], bool]) -> None:
    """Wait in an event loop until `probe` is true."""
    while not probe():  # noqa: ASYNC110 - what is waited for knows nothing of the loop
        await asyncio.sleep(0.001)


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


# --- order


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "polling"])
def test_a_follower_gets_what_was_there_and_what_comes(
    database: Database, following: Database, project: UUID, job: UUID, listen: bool
) -> None:
    append(database, job, "a", "b")
    with hub_on(following, listen=listen) as hub:
        reader = Reader(hub, project, 1)
        reader.wait_for(3)
        for number in range(20):
            append(database, job, str(number))
        reader.wait_for(23)
    assert reader.result() == list(range(2, 24))
    assert [event.message for event in reader.events] == ["a", "b", *map(str, range(20))]


def test_what_commits_late_comes_late_and_nothing_is_skipped(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    other = enqueue(database, project)
    reader = Reader(hub, project)
    reader.wait_for(2)
    with separate_connection(database) as first, separate_connection(database) as second:
        with first.transaction():
            events.append(first, job, [NewEvent("log", "early, but slow")])

            def quick() -> None:
                with second.transaction():
                    events.append(second, other, [NewEvent("log", "late, but quick")])

            work = InBackground(quick)
            wait_until_blocked(database, second.info.backend_pid)
            # Another project's commit rouses the hub while the two are open.
            append(database, enqueue(database, make_project(database)), "elsewhere")
        work.result()
    reader.wait_for(4)
    assert reader.seqs == [1, 2, 3, 4]
    assert [event.message for event in reader.events][2:] == ["early, but slow", "late, but quick"]


def test_projects_do_not_mix(database: Database, hub: EventHub) -> None:
    projects = [make_project(database) for _ in range(5)]
    jobs = [enqueue(database, project) for project in projects]
    readers = [Reader(hub, project) for project in projects]
    for number in range(10):
        for job in jobs:
            append(database, job, f"{job} {number}")
    for reader, project, job in zip(readers, projects, jobs, strict=True):
        reader.wait_for(11)
        assert reader.seqs == list(range(1, 12))
        assert {(event.project_id, event.job_id) for event in reader.events} == {(project, job)}


@pytest.mark.parametrize("kept", [2_000, 5], ids=["from memory", "from the database"])
def test_a_follower_of_one_job_sees_no_other(
    database: Database, following: Database, project: UUID, job: UUID, kept: int
) -> None:
    other = enqueue(database, project)
    with hub_on(following, kept=kept) as hub:
        reader = Reader(hub, project, job_id=job)
        reader.wait_for(1)
        append(database, other, *map(str, range(PAGE + 10)))
        append(database, job, "mine")
        reader.wait_for(PAGE + 13)
        append(database, other, "yours")
        append(database, job, "mine again")
        reader.wait_for(PAGE + 15)
    assert reader.result() == [1, PAGE + 13, PAGE + 15]


def test_pages_of_other_jobs_do_not_let_a_follower_wait(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    stream, witness = hub.follow(project, job_id=job), Reader(hub, project)
    assert next(stream).seq == 1
    other = enqueue(database, project)
    append(database, other, *map(str, range(2 * PAGE)))
    append(database, job, "mine")
    witness.wait_for(2 * PAGE + 3)
    # All of it is in memory, and nothing wakes any more.
    assert next(stream).message == "mine"
    stream.close()


def test_a_flood_arrives_whole(database: Database, following: Database, project: UUID, job: UUID) -> None:
    # Several pages in one commit, and more than is kept in memory.
    with hub_on(following, kept=PAGE) as hub:
        readers = [Reader(hub, project) for _ in range(3)]
        for reader in readers:
            reader.wait_for(1)
        append(database, job, *map(str, range(5 * PAGE)))
        for reader in readers:
            reader.wait_for(5 * PAGE + 1)
    assert [reader.result() for reader in readers] == [list(range(1, 5 * PAGE + 2))] * 3


def test_what_was_pruned_is_passed_over(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    append(database, job, "a", "b", "c")
    database.execute("delete from public.agent_job_events where project_id = %s and seq in (1, 3)", [project])
    reader = Reader(hub, project)
    reader.wait_for(4)
    append(database, job, "d")
    reader.wait_for(5)
    assert reader.seqs == [2, 4, 5]


def test_a_position_that_nobody_has_reached_is_waited_for(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    early, late = Reader(hub, project), Reader(hub, project, 3)
    append(database, job, "a", "b", "c")
    early.wait_for(4)
    late.wait_for(4)
    assert late.seqs == [4]


# --- what it costs


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


# --- what breaks


@pytest.mark.parametrize("listen", [True, False], ids=["listening", "polling"])
def test_connections_that_are_cut_off_lose_nothing(
    database: Database, following: Database, project: UUID, job: UUID, listen: bool
) -> None:
    with hub_on(following, listen=listen) as hub:
        reader, late = Reader(hub, project), hub.follow(project)
        assert next(late).seq == 1
        for number in range(3):
            append(database, job, "before")
            reader.wait_for(2 + 2 * number)
            assert cut_off(database, NAME) >= 1
            append(database, job, "behind")
            reader.wait_for(3 + 2 * number)
        assert [next(late).seq for _ in range(6)] == list(range(2, 8))
        late.close()
    assert reader.result() == list(range(1, 8))


def test_a_database_that_is_away_for_a_while_loses_nothing(
    postgres: TestServer,
    database: Database,
    following: Database,
    project: UUID,
    job: UUID,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # A read that waits for the pool would make the test a long one.
    following._pool.timeout = 0.1
    with hub_on(following, net=0.01) as hub:
        reader = Reader(hub, project)
        reader.wait_for(1)
        with unreachable(postgres, database, NAME):
            append(database, job, "meanwhile")
            eventually(lambda: "event streams have lost the database" in caplog.text, what="the loss")
            with pytest.raises(DatabaseError, match="cannot be reached"):
                next(hub.follow(make_project(database)))
        append(database, job, "afterwards")
        reader.wait_for(3)
    assert reader.result() == [1, 2, 3]


def test_a_reason_to_stop_that_cannot_be_looked_up_is_looked_up_again(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    looks: list[None] = []

    def stop() -> bool:
        looks.append(None)
        if len(looks) == 2:
            raise DatabaseError("The database is away.")
        return False

    stream = hub.follow(project, stop=stop)
    assert next(stream).seq == 1
    append(database, job, "next")
    assert next(stream).seq == 2
    stream.close()


# --- ends


def running() -> set[str]:
    return {thread.name for thread in threading.enumerate()} & {"listener", "event-hub"}


def test_stop_is_looked_at_when_there_is_nothing_new(database: Database, hub: EventHub, project: UUID) -> None:
    reader, other = Reader(hub, project), Reader(hub, project)
    append(database, enqueue(database, project), "both have begun")
    for one in (reader, other):
        one.wait_for(2)
    reader.stop()
    database.execute("select pg_notify(%s, %s)", [events.CHANNEL, str(project)])
    assert reader.result() == [1, 2]
    append(database, enqueue(database, project), "the other goes on")
    other.wait_for(4)


def test_a_reason_to_stop_that_a_batch_gives_needs_no_wake_up(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    append(database, job, "last")
    seen: list[int] = []
    for event in hub.follow(project, stop=lambda: 2 in seen):
        seen.append(event.seq)
    assert seen == [1, 2]


def test_the_safety_net_lets_a_follower_look_at_its_reason_to_stop(
    database: Database, following: Database, project: UUID, job: UUID
) -> None:
    with hub_on(following, net=0.02) as hub:
        reader = Reader(hub, project)
        reader.wait_for(1)
        reader.stop()
        assert reader.result() == [1]


def test_a_closed_hub_ends_its_streams_and_leaves_nothing(
    database: Database, database_url: str, project: UUID, job: UUID
) -> None:
    with Database(database_url, application_name=NAME) as db:
        with hub_on(db) as hub:
            readers = [Reader(hub, project) for _ in range(5)]
            for reader in readers:
                reader.wait_for(1)
            assert running() == {"listener", "event-hub"}
            hub.close()
            assert [reader.result() for reader in readers] == [[1]] * 5
            assert list(hub.follow(project)) == []
        assert running() == set()
    eventually(lambda: sessions(database, NAME) == set(), what="the end of the sessions")


def test_the_last_follower_takes_the_reader_along(database: Database, following: Database, project: UUID) -> None:
    job = enqueue(database, project)
    with Listener(following, idle_seconds=0.01) as listener, EventHub(following, listener) as hub:
        for count in (1, 2):
            stream = hub.follow(project)
            assert next(stream).seq == 1
            append(database, job, "more")
            assert [next(stream).seq for _ in range(count)] == list(range(2, count + 2))
            stream.close()
            eventually(lambda: running() == set(), what="the end of the threads")
            # What is left belongs to the pool.
            pooled = following._pool.get_stats()["pool_size"]
            eventually(lambda pooled=pooled: len(sessions(database, NAME)) == pooled, what="the end of the sessions")  # type: ignore[misc]


def test_a_stream_that_nobody_reads_starts_nothing(hub: EventHub, project: UUID) -> None:
    stream = hub.follow(project)
    assert running() == set()
    stream.close()


# --- in an event loop


def test_async_followers_are_as_good_as_others(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    append(database, job, *map(str, range(PAGE)))

    async def main() -> list[int]:
        seen: list[int] = []
        async with contextlib.aclosing(hub.follow_async(project, stop=lambda: len(seen) == PAGE + 3)) as stream:
            async for event in stream:
                seen.append(event.seq)
                if event.seq > PAGE and len(seen) < PAGE + 3:
                    await asyncio.to_thread(append, database, job, "next")
        return seen

    seen = asyncio.run(asyncio.wait_for(main(), LONG))
    assert seen == list(range(1, PAGE + 4))


@pytest.mark.parametrize("moment", ["waiting", "reading"])
def test_a_task_may_be_canceled_at_any_time(
    database: Database, hub: EventHub, project: UUID, job: UUID, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, may_read = threading.Event(), threading.Event()
    original = events.read_after

    def read_after(*arguments: Any, **options: Any) -> list[Event]:
        begun.set()
        assert may_read.wait(LONG)
        return original(*arguments, **options)

    async def main() -> list[int]:
        seen: list[int] = []

        async def read() -> None:
            async for event in hub.follow_async(project):
                seen.append(event.seq)

        task = asyncio.create_task(read())
        if moment == "waiting":
            await until(lambda: bool(seen))
        else:
            assert await asyncio.to_thread(begun.wait, LONG)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # At once, though the thread still waits for its answer.
        eventually(lambda: "event-hub" not in running(), what="the end of the reader")
        may_read.set()
        return seen

    if moment == "reading":
        monkeypatch.setattr(events, "read_after", read_after)
    else:
        may_read.set()
    assert asyncio.run(asyncio.wait_for(main(), LONG)) == ([1] if moment == "waiting" else [])


def test_a_loop_that_is_gone_harms_nobody(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    async def first(stream: AsyncIterator[Event]) -> int:
        return (await anext(stream)).seq

    # Kept, so that nobody closes it, and its follower stays.
    loop, stream = asyncio.new_event_loop(), hub.follow_async(project)
    assert loop.run_until_complete(first(stream)) == 1
    loop.close()
    reader = Reader(hub, project)
    for number in range(5):
        append(database, job, str(number))
        reader.wait_for(number + 2)


def test_a_loop_that_is_held_up_gathers_no_calls(database: Database, hub: EventHub, project: UUID, job: UUID) -> None:
    async def main() -> list[int]:
        stream = hub.follow_async(project)
        seen = [(await anext(stream)).seq]
        loop = asyncio.get_running_loop()
        calls: list[object] = []
        original = loop.call_soon_threadsafe

        def call_soon_threadsafe(*arguments: Any, **options: Any) -> Any:
            calls.append(arguments)
            return original(*arguments, **options)

        loop.call_soon_threadsafe = call_soon_threadsafe  # type: ignore[method-assign]
        later = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        # The loop does nothing else meanwhile, while another follower sees each batch come.
        witness = Reader(hub, project)
        for number in range(20):
            append(database, job, str(number))
            witness.wait_for(number + 2)
        assert len(calls) <= 2
        seen += [(await later).seq, *[(await anext(stream)).seq for _ in range(19)]]
        await stream.aclose()
        return seen

    assert asyncio.run(asyncio.wait_for(main(), LONG)) == list(range(1, 22))


def test_the_first_look_of_an_async_follower_says_that_it_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def main(hub: EventHub) -> None:
        await anext(hub.follow_async(UUID(int=1)))

    with Database("postgresql://postgres@/nowhere?host=/nonexistent", pool_size=1) as nowhere:
        nowhere._pool.timeout = 0.1
        with hub_on(nowhere) as hub, pytest.raises(DatabaseError, match="cannot be reached"):
            asyncio.run(main(hub))
