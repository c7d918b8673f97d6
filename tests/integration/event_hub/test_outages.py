"""Connections that are cut off and a database that is away cost no follower an event, nor its stream."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio.database.connection import Database
from studio.errors import DatabaseError
from studio.event_hub import EventHub
from tests.support.event_hub import NAME, Reader, append, hub_on
from tests.support.postgres import TestServer
from tests.support.queue import make_project
from tests.support.sessions import cut_off, unreachable
from tests.support.waiting import eventually


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
