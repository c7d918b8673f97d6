"""Who reads slowly holds back little, harms nobody, is cut off where nothing moves, and resumes."""

from __future__ import annotations

from uuid import UUID

import pytest

from studio import events
from studio.events import NewEvent
from tests.integration.stream.conftest import ada
from tests.integration.studio_web.conftest import Desk
from tests.support.streams import Stream
from tests.support.waiting import eventually
from web import connections
from web.connections import STREAM_BUFFER_BYTES, StudioConnection

SETTINGS = {"stream_seconds": 600.0}
COUNT, BYTES = 60, 60_000


def streaming(desk: Desk) -> list[StudioConnection]:
    """Return the server's connections that carry a stream."""
    found = desk.web._server.server_state.connections
    return [one for one in found if isinstance(one, StudioConnection) and one._streams]


def _until_cut_off(stream: Stream) -> list[int]:
    seen: list[int] = []
    try:
        while True:
            seen += stream.seqs(1)
    except ConnectionError:
        return seen


def test_a_slow_reader_is_bounded_and_cut_off_and_resumes(
    desk: Desk, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "STREAM_STALL_SECONDS", 0.3)
    held: list[int] = []
    with ada(desk, project, receive_bytes=4_096) as slow, ada(desk, project) as quick:
        assert quick.seqs(1) == [1]
        eventually(lambda: len(streaming(desk)) == 2, what="two streams")
        for number in range(COUNT):
            with desk.db.transaction() as conn:
                events.append(conn, job, [NewEvent("artifact", str(number), {"text": "x" * BYTES})])
            # In its turn, whatever the other one does.
            assert quick.seqs(1) == [number + 2]
            held += [one.transport.get_write_buffer_size() for one in streaming(desk)]
        eventually(lambda: len(streaming(desk)) == 1, what="the end of the slow one")
        # What is on its way and what waits, and no queue.
        assert 0 < max(held) <= STREAM_BUFFER_BYTES + 2 * BYTES
        seen = _until_cut_off(slow)
    assert seen == list(range(1, len(seen) + 1))
    assert len(seen) < COUNT
    with ada(desk, project, last_id=slow.parser.last_id or "0") as again:
        assert again.seqs(COUNT + 1 - len(seen)) == list(range(len(seen) + 1, COUNT + 2))


def test_who_reads_a_little_now_and_then_stays(desk: Desk, project: UUID, job: UUID) -> None:
    with desk.db.transaction() as conn:
        events.append(conn, job, [NewEvent("artifact", "", {"text": "x" * BYTES}) for _ in range(COUNT)])
    with ada(desk, project, receive_bytes=4_096, last_id="0") as stream:
        assert stream.seqs(COUNT + 1) == list(range(1, COUNT + 2))
