"""Frames are made once and kept within bounds; a cursor of many projects fits where browsers put it."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

from studio.events import Event
from web.stream import cursor, frames
from web.stream.cursor import Several, Standing
from web.stream.frames import Frames

# h11 takes a request's head up to this size.
HEAD_BYTES = 16 * 1024


def event(seq: int, text: str = "") -> Event:
    return Event(seq, uuid4(), UUID(int=1), UUID(int=2), "log", text, {}, 0, 0, datetime(2026, 3, 1, tzinfo=UTC), "ceo")


def test_a_frame_is_made_once() -> None:
    shared, one = Frames(), event(1)
    assert shared.of(one) is shared.of(one)
    assert shared.of(one) == frames.message(one)


def test_the_oldest_frames_make_room() -> None:
    shared = Frames(kept=3)
    told = [event(seq) for seq in range(5)]
    for one in told:
        shared.of(one)
    assert list(shared._frames) == [one.id for one in told[2:]]


def test_large_frames_make_room_for_each_other() -> None:
    shared = Frames(kept_bytes=3_000)
    told = [event(seq, "x" * 2_000) for seq in range(3)]
    for one in told:
        assert len(shared.of(one)) > 2_000
        assert list(shared._frames) == [one.id]
    assert shared._bytes == len(shared.of(told[-1]))


def test_a_moment_is_written_as_javascript_does() -> None:
    assert frames.moment(datetime(2026, 3, 1, 9, 5, 7, 123_999, tzinfo=UTC)) == "2026-03-01T09:05:07.123Z"
    assert frames.moment(datetime(2026, 3, 1, tzinfo=UTC)) == "2026-03-01T00:00:00.000Z"


def test_positions_in_many_projects_fit_into_a_header_and_come_back() -> None:
    positions = {uuid4(): seq for seq in range(200)}
    standing = Standing(positions)
    moved = list(positions)[7]
    standing.move(moved, 2**63 - 1)
    text = standing.text()
    assert len(text) < HEAD_BYTES / 2
    found = cursor.parse(text)
    assert isinstance(found, Several)
    assert found.of([*positions, uuid4()]) == {**positions, moved: 2**63 - 1}
