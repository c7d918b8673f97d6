"""The event writer of a claim: what it was given is in the stream soon, whether or not more follows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from studio import event_writer, events
from studio.claims import Claim
from studio.database.connection import Connection, Database
from studio.event_writer import EventWriter
from studio.events import NewEvent
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


def test_the_first_words_go_out_at_once_and_what_follows_is_joined(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    # An interval that no test waits for: whatever is written before its end did not wait for it.
    writer = EventWriter(claim, "run", flush_seconds=3600)

    def written() -> list[str | None]:
        return [event.message for event in events.read_after(database, project, 0) if event.type == "delta"]

    try:
        writer.delta("one ", {"step": "s"})
        eventually(lambda: written() == ["one "], timeout=10, what="the first words")
        for word in ("two ", "three "):
            writer.delta(word, {"step": "s"})
        writer.flush()
        assert written() == ["one ", "two three "]
        writer.delta("four", {"step": "s"})
        writer.delta("x" * event_writer.DELTA_CHARS, {"step": "s"})
        eventually(lambda: len(written()) == 3, timeout=10, what="the long text")
    finally:
        writer.close()
    assert written()[2:] == ["four" + "x" * event_writer.DELTA_CHARS]


class LosesAcknowledgements(Database):
    """A database whose connection breaks right after a commit, as often as it is told."""

    lost = 0

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as conn:
            yield conn
        if self.lost:
            self.lost -= 1
            raise psycopg.OperationalError("server closed the connection unexpectedly")


@pytest.fixture
def unsure(database_url: str) -> Iterator[LosesAcknowledgements]:
    with LosesAcknowledgements(database_url) as db:
        yield db


def test_what_was_written_without_an_answer_is_not_written_again(
    database: Database, unsure: LosesAcknowledgements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_writer, "RETRY_SECONDS", 0.01)
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    before = events.last_seq(database, project)
    unsure.lost = 3
    writer = EventWriter(Claim(unsure, claim.job), "run", flush_seconds=0.01)
    said: list[tuple[str, Any]] = []
    for number in range(20):
        writer.emit(NewEvent("log", f"line {number}"))
        said.append(("log", f"line {number}"))
        # The text that follows a lost answer is not joined to text that may be written already.
        writer.delta(f"word {number} ", {"step": "s"})
        said.append(("delta", f"word {number} "))
    writer.close()
    found = events.read_after(database, project, before)
    assert unsure.lost == 0
    assert writer.dropped == 0
    assert [(event.type, event.message) for event in found] == said
    assert [event.seq for event in found] == list(range(before + 1, before + 1 + len(found)))


def test_text_after_a_lost_answer_is_an_event_of_its_own(
    database: Database, unsure: LosesAcknowledgements, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = make_project(database)
    enqueue(database, project)
    claim = claim_next(database)
    before = events.last_seq(database, project)
    unsure.lost = 1
    # Long enough for the second piece to come while the first waits to be sent again.
    monkeypatch.setattr(event_writer, "RETRY_SECONDS", 1.0)
    writer = EventWriter(Claim(unsure, claim.job), "run", flush_seconds=0.01)
    writer.delta("one ", {"step": "s"})
    eventually(lambda: events.read_after(database, project, before), timeout=10, what="the first piece")
    eventually(lambda: unsure.lost == 0, timeout=10, what="the lost answer")
    writer.delta("two", {"step": "s"})
    writer.close()
    assert [event.message for event in events.read_after(database, project, before)] == ["one ", "two"]


def test_an_attempt_that_writes_without_end_is_cut_off_and_its_results_are_kept(database: Database) -> None:
    project = make_project(database)
    enqueue(database, project)
    writer = EventWriter(claim_next(database), "run", flush_seconds=0.05, limit=5)
    try:
        for number in range(50):
            writer.emit(NewEvent("log", f"line {number}"))
        writer.flush()
        writer.emit(NewEvent("artifact", "the result"))
        writer.emit(NewEvent("log", "and on it goes"))
    finally:
        writer.close()
    said = [event.message for event in events.read_after(database, project, 0) if event.type != "status"]
    assert said == [*(f"line {number}" for number in range(5)), event_writer.OVER_LIMIT, "the result"]
    assert (writer.over, writer.dropped) == (46, 0)
