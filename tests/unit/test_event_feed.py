"""The end of a stream in memory: what is after a position is either all there, or known not to be."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from studio.event_feed import Recent
from studio.events import PAGE, Event

NOBODY = UUID(int=0)


def event(seq: int) -> Event:
    return Event(seq, NOBODY, NOBODY, NOBODY, "log", None, {}, 0, 0, datetime(2026, 3, 1, tzinfo=UTC))


@given(
    start=st.integers(0, 50),
    # How many seqs each batch has, and whether each of them is there or was pruned.
    batches=st.lists(st.lists(st.booleans(), max_size=8), max_size=12),
    limit=st.integers(1, 10),
    position=st.integers(0, 150),
)
def test_what_is_after_a_position_is_all_there_or_known_not_to_be(
    start: int, batches: list[list[bool]], limit: int, position: int
) -> None:
    recent, stream, last = Recent(start, start), [], start
    for batch in batches:
        numbered = [(last + index, there) for index, there in enumerate(batch, 1)]
        last += len(batch)
        news = [event(seq) for seq, there in numbered if there]
        stream += [one.seq for one in news]
        recent = recent.extended(news, limit)
    assert len(recent.events) <= limit
    assert recent.head == (stream[-1] if stream else start)
    if position >= recent.floor:
        assert [one.seq for one in recent.after(position)] == [seq for seq in stream if seq > position]
    else:
        # Nothing is given up before it must be.
        assert position < start or len([seq for seq in stream if seq > position]) > limit


def test_what_is_after_a_position_comes_in_pages() -> None:
    recent = Recent(0, 0).extended([event(seq) for seq in range(1, 3 * PAGE)], 10 * PAGE)
    assert [one.seq for one in recent.after(5)] == list(range(6, PAGE + 6))
