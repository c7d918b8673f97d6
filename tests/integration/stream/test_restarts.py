"""A server that stops ends its streams whole; one that starts, and a database that comes back, cost nobody an event."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest

from studio.database.connection import Database
from tests.integration.stream.conftest import SERVER, ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support.event_hub import append
from tests.support.postgres import TestServer
from tests.support.queue import enqueue, make_project
from tests.support.sessions import cut_off, unreachable
from tests.support.streams import Stream
from tests.support.web import StudioThread

CLIENTS = 5


def test_a_new_server_goes_on_where_the_old_one_stopped(database: Database, tmp_path: Path) -> None:
    project = make_project(database, owner_clerk_id="ada")
    job = enqueue(database, project)
    web = StudioThread(database, tmp_path)
    with web:
        client = web.sign_in("ada")
        streams = [Stream(client, path(project)) for _ in range(CLIENTS)]
        append(database, job, "one", "two")
        seen = [stream.seqs(2 + number % 2) for number, stream in enumerate(streams)]
        web._server.stop()
        for one, stream in zip(seen, streams, strict=True):
            rest = stream.rest()
            assert stream.ended
            assert rest[-1].event == "reconnect"
            one += [frame.data["seq"] for frame in rest if frame.event == "message"]
            stream.close()
        client.close()
    append(database, job, "meanwhile")
    web = StudioThread(database, tmp_path)
    with web:
        client = web.sign_in("ada")
        for one, stream in zip(seen, streams, strict=True):
            with Stream(client, path(project), last_id=stream.parser.last_id) as again:
                one += again.seqs(4 - one[-1])
        client.close()
    assert seen == [[1, 2, 3, 4]] * CLIENTS


def test_a_database_that_cuts_connections_off_costs_no_event(desk: Desk, project: UUID, job: UUID) -> None:
    with ada(desk, project) as stream:
        assert stream.seqs(1) == [1]
        for number in range(3):
            append(desk.db, job, "before")
            assert stream.seqs(1) == [2 + 2 * number]
            assert cut_off(desk.db, SERVER) >= 1
            append(desk.db, job, "behind")
            assert stream.seqs(1) == [3 + 2 * number]


def test_a_database_that_is_away_is_waited_for(
    postgres: TestServer, desk: Desk, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk.web.settings, "stream_ping_seconds", 0.02)
    with ada(desk, project) as stream:
        assert stream.seqs(1) == [1]
        with unreachable(postgres, desk.db, SERVER):
            append(desk.db, job, "meanwhile")
            # It lives, and says so.
            pings = len(stream.parser.comments)
            while len(stream.parser.comments) < pings + 3:
                list(stream.parser.feed(stream.body()))
        append(desk.db, job, "afterwards")
        assert stream.seqs(2) == [2, 3]
