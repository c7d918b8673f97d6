"""Whatever order commits come in, and wherever connections break: each client sees each seq once and in order."""

from __future__ import annotations

import random
from uuid import UUID

import pytest

from studio import events
from studio.database.connection import Connection
from studio.events import NewEvent
from tests.integration.stream.conftest import ada, path
from tests.integration.studio_web.conftest import Desk
from tests.support.queue import InBackground, enqueue, separate_connection
from tests.support.size import FULL
from tests.support.streams import Stream

# A stream ends often, too, so that all three ways to end meet: in time, by the client, in the middle of a frame.
SETTINGS = {"stream_seconds": 0.4, "stream_ping_seconds": 0.05}
EVENTS, CLIENTS, WRITERS = (10_000, 12, 6) if FULL else (800, 5, 4)
# At most so many bytes are read before a connection is broken.
SHORTEST, LONGEST = 1, 40_000

pytestmark = [pytest.mark.chaos]


def write(desk: Desk, jobs: list[UUID], count: int, seed: int) -> None:
    """Append `count` events in transactions of random sizes, that stay open for a while or are taken back."""
    chosen = random.Random(seed)
    written = 0
    with separate_connection(desk.db) as conn:
        while written < count:
            size = min(count - written, chosen.choice([1, 1, 1, 2, 5, 40]))
            if chosen.random() < 0.1:
                _append(conn, chosen.choice(jobs), size, "taken back", chosen, keep=False)
            _append(conn, chosen.choice(jobs), size, f"{seed}", chosen, keep=True)
            written += size


def _append(conn: Connection, job: UUID, size: int, text: str, chosen: random.Random, *, keep: bool) -> None:
    with conn.transaction(force_rollback=not keep):
        events.append(conn, job, [NewEvent("log", text * chosen.randint(1, 40)) for _ in range(size)])
        # Meanwhile others wait for the counter, and commit in the order in which they get it.
        conn.execute("select pg_sleep(%s)", [chosen.choice([0, 0, 0.001, 0.003])])


def read(desk: Desk, project: UUID, last: int, seed: int) -> tuple[list[int], int]:
    """Return the seqs that a client has seen, and how often it had to come back."""
    chosen = random.Random(seed)
    seen: list[int] = []
    last_id, connections = "0", 0
    while not seen or seen[-1] < last:
        connections += 1
        left = chosen.randint(SHORTEST, LONGEST)
        stream = Stream(desk.ada, path(project), last_id=last_id)
        try:
            while left > 0 and (data := stream.body()):
                # Cut anywhere: what comes behind the cut has never arrived.
                part, left = data[:left], left - len(data)
                for frame in stream.parser.feed(part):
                    if frame.event == "message":
                        seen.append(frame.data["seq"])
                        last_id = frame.id
        finally:
            stream.reset() if chosen.random() < 0.5 else stream.close()
    return seen, connections


def test_each_client_sees_each_event_once_and_in_order(desk: Desk, project: UUID) -> None:
    jobs = [enqueue(desk.db, project) for _ in range(3)]
    last = len(jobs) + EVENTS
    clients = [InBackground(lambda seed=seed: read(desk, project, last, seed)) for seed in range(CLIENTS)]  # type: ignore[misc]
    writers = [InBackground(lambda seed=seed: write(desk, jobs, EVENTS // WRITERS, seed)) for seed in range(WRITERS)]  # type: ignore[misc]
    for writer in writers:
        writer.result(timeout=600)
    write(desk, jobs, EVENTS - EVENTS // WRITERS * WRITERS, WRITERS)
    assert events.last_seq(desk.db, project) == last
    for client in clients:
        seen, connections = client.result(timeout=600)
        assert seen == list(range(1, last + 1))
        assert connections > 3


def test_what_is_not_committed_yet_is_waited_for(desk: Desk, project: UUID, job: UUID) -> None:
    other = enqueue(desk.db, project)
    with ada(desk, project, last_id="2") as stream, separate_connection(desk.db) as first:
        with first.transaction():
            events.append(first, job, [NewEvent("log", "early, but slow")])
            second = InBackground(lambda: write(desk, [other], 1, 0))
            # Another project's commits rouse the server while the two are open.
            write(desk, [enqueue(desk.db, desk.project())], 3, 1)
        second.result()
        found = [(event["seq"], event["jobId"]) for event in stream.events(2)]
    assert found == [(3, str(job)), (4, str(other))]
