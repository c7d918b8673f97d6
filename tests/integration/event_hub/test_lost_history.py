"""Who comes with a position beyond the stream's end has followed a history that a restore has lost, and goes on."""

from __future__ import annotations

from uuid import UUID

from studio.database.connection import Database
from studio.event_hub import EventHub
from tests.support.event_hub import Reader, append
from tests.support.waiting import eventually


def test_a_reader_from_a_lost_history_gets_what_comes_next(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    append(database, job, *"abc")
    # Nobody else is there, so the feed begins with it.
    first = Reader(hub, project, after=100)
    append(database, job, "d")
    eventually(lambda: first.seqs and first.seqs[-1] == 5, what="the news")
    # A feed that is there already.
    second = Reader(hub, project, after=90)
    append(database, job, "e")
    for reader in (first, second):
        eventually(lambda reader=reader: reader.seqs[-1:] == [6], what="more news")
    assert second.seqs == [6]
    append(database, job, "f")
    eventually(lambda: first.seqs[-2:] == second.seqs[-2:] == [6, 7], what="all news")
    assert first.seqs == sorted(set(first.seqs))
    for reader in (first, second):
        reader.stop()
    append(database, job, "g")
    for reader in (first, second):
        reader.result()


def test_a_reader_at_the_very_end_gets_nothing_twice(
    database: Database, hub: EventHub, project: UUID, job: UUID
) -> None:
    append(database, job, *"abc")
    reader = Reader(hub, project, after=4)
    append(database, job, "d")
    eventually(lambda: reader.seqs == [5], what="the news")
    reader.stop()
    append(database, job, "e")
    reader.result()
