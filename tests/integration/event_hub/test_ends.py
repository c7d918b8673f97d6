"""A stream ends when it has a reason to stop or its hub is closed, and where nobody follows nothing is left running."""

from __future__ import annotations

from uuid import UUID

from studio import events
from studio.database.connection import Database
from studio.event_hub import EventHub
from studio.listener import Listener
from tests.support.event_hub import NAME, Reader, append, hub_on, running
from tests.support.queue import enqueue
from tests.support.sessions import sessions
from tests.support.waiting import eventually


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
