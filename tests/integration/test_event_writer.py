"""The event writer of a claim: what it was given is in the stream soon, whether or not more follows."""

from __future__ import annotations

from studio import events
from studio.database.connection import Database
from studio.event_writer import EventWriter
from tests.support.queue import claim_next, enqueue, make_project
from tests.support.waiting import eventually


def test_a_short_delta_is_written_without_anything_following(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    writer = EventWriter(claim, "run", flush_seconds=0.05)
    try:
        writer.delta("a word", {"step": "s"})
        found = eventually(
            lambda: [event for event in events.read_after(database, project, 0) if event.type == "delta"],
            timeout=10,
            what="the delta",
        )
    finally:
        writer.close()
    assert [event.message for event in found] == ["a word"]
