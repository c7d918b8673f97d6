"""Rows get to where they are kept, once and in time, or are counted; whoever hands them over waits for nothing."""

from __future__ import annotations

import copy
import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from studio.backoff import Backoff
from studio.tracing.backlog import CHUNK_BYTES, CHUNK_ROWS, Capacity
from studio.tracing.delivery import CLOSED, FULL, REFUSED, Delivery
from studio.tracing.errors import SinkUnavailable
from studio.tracing.rows import Batch
from studio.tracing.spill import Drained, Spill
from studio.tracing.writer import PATIENCE
from tests.support.sinks import (
    TRACE,
    Hanging,
    KeptSink,
    open_span,
    refusing,
    span,
    spans,
    trace,
    unavailable,
)
from tests.support.waiting import eventually

# Far more than any of this takes; where it is waited out, something hangs.
WAIT = 20.0
OTHER = UUID("99999999-2222-3333-4444-555555555555")
Deliver = Callable[..., Delivery]


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)


@pytest.fixture
def sink() -> KeptSink:
    return KeptSink()


@pytest.fixture
def hanging(sink: KeptSink) -> Iterator[Hanging]:
    """A sink that hangs in its first write, until it is released."""
    sink.obstacle = hanging = Hanging()
    yield hanging
    hanging.released.set()


@pytest.fixture
def deliver(sink: KeptSink) -> Iterator[Deliver]:
    """Begin deliveries to the sink whose pauses are short; they end with the test."""
    begun: list[Delivery] = []

    def begin(spill: Spill | None = None, **options: Any) -> Delivery:
        begun.append(Delivery(sink, spill, **{"backoff": Backoff(0.001, 0.002), **options}))
        return begun[-1]

    yield begin
    for delivery in begun:
        delivery.close(0)


@pytest.fixture
def spill(tmp_path: Path) -> Spill:
    return Spill(tmp_path / "traces")


class Counted(Spill):
    """Counts how often it is asked."""

    asked = 0

    def save(self, sink: str, batches: Iterable[Batch]) -> None:
        self.asked += 1
        super().save(sink, batches)


@pytest.fixture
def refused_spill(tmp_path: Path) -> Counted:
    """A spill whose folder cannot be made."""
    (tmp_path / "file").write_text("")
    return Counted(tmp_path / "file" / "traces")


def gone(spill: Spill) -> Drained:
    """Bring what was spilled to a sink that takes everything."""
    return spill.drain(KeptSink())


def breaking(batch: Batch) -> None:
    raise ZeroDivisionError


# --- while all is well


def test_rows_arrive_in_the_order_in_which_they_were_put(sink: KeptSink, deliver: Deliver) -> None:
    delivery = deliver()
    batches = [Batch([trace()], [span(number)]) for number in range(20)]
    for batch in batches:
        delivery.put(batch)

    assert delivery.flush(WAIT)
    assert sink.spans == [row for batch in batches for row in batch.spans]
    counters = delivery.counters
    assert (counters.written, counters.pending, counters.dropped, counters.retried) == (40, 0, 0, 0)


def test_a_trace_of_100_000_spans_goes_in_writes_of_bounded_size(sink: KeptSink, deliver: Deliver) -> None:
    delivery = deliver()
    batch = spans(100_000)
    delivery.put(batch)
    assert delivery.flush(WAIT)
    assert max(map(len, sink.batches)) == CHUNK_ROWS
    assert sink.spans == list(batch.spans)


def test_large_payloads_make_smaller_writes(sink: KeptSink, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(10, input_data="x" * (CHUNK_BYTES // 3)))
    delivery.put(spans(1, input_data="x" * CHUNK_BYTES))
    assert delivery.flush(WAIT)
    assert [len(batch) for batch in sink.batches] == [2, 2, 2, 2, 2, 1]


def test_small_batches_that_wait_are_written_together(sink: KeptSink, hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(1))
    hanging.reached.wait(WAIT)
    for _ in range(50):
        delivery.put(spans(20))
    hanging.released.set()
    assert delivery.flush(WAIT)
    assert [len(batch) for batch in sink.batches] == [1, 500, 500]


def test_a_span_and_its_end_never_stand_in_one_write(sink: KeptSink, hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(1))
    hanging.reached.wait(WAIT)
    delivery.put(Batch([trace(end_time=None)], [open_span(1), open_span(2)]))
    delivery.put(Batch([trace()], [span(2), span(1)]))
    hanging.released.set()
    assert delivery.flush(WAIT)
    assert [len(batch) for batch in sink.batches] == [1, 3, 3]


def test_a_sink_that_keeps_ended_rows_alone_is_given_no_others(deliver: Deliver, sink: KeptSink) -> None:
    sink.takes_open_rows = False
    delivery = deliver()
    delivery.put(Batch([trace(end_time=None), trace(OTHER)], [open_span(1), span(2)]))
    delivery.put(Batch([], [open_span(3)]))
    assert delivery.flush(WAIT)
    assert [len(batch) for batch in sink.batches] == [2]
    assert delivery.counters.written == 2


# --- a sink that is away for a while


def test_what_is_not_taken_now_is_tried_again(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = unavailable(times=5)
    delivery = deliver()
    batch = spans(700)
    delivery.put(batch)
    assert delivery.flush(WAIT)
    assert sink.spans == list(batch.spans)
    assert (delivery.counters.retried, delivery.counters.written) == (5, 700)


def test_flush_says_that_it_was_not_done_in_time(sink: KeptSink, hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(3))
    assert not delivery.flush(0.01)
    assert delivery.counters.pending == 3


def test_whoever_puts_does_not_wait_for_a_sink_that_hangs(hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(1))
    hanging.reached.wait(WAIT)
    for _ in range(100):
        delivery.put(spans(100))
    assert delivery.counters.pending == 10_001


def test_closing_does_not_sit_out_a_pause(sink: KeptSink, deliver: Deliver, spill: Spill) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(spill, backoff=Backoff(300, 300))
    delivery.put(spans(3))
    eventually(lambda: delivery.counters.retried)
    begun = time.monotonic()
    delivery.close(WAIT)
    assert time.monotonic() - begun < WAIT / 2
    assert (delivery.counters.spilled, gone(spill).rows) == (3, 3)
    # One more attempt, because the sink might have been back.
    assert sink.attempts == 2


def test_a_sink_that_stays_away_is_not_waited_for_in_memory(sink: KeptSink, deliver: Deliver, spill: Spill) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(spill, spill_after=0.0)
    delivery.put(spans(3))
    assert delivery.flush(WAIT)
    assert (delivery.counters.spilled, delivery.counters.dropped) == (3, 0)

    sink.obstacle = lambda _: None
    delivery.put(spans(2))
    assert delivery.flush(WAIT)
    assert spill.drain(sink).rows == 3
    assert len(sink.spans) == 5


# --- a sink that refuses


@pytest.mark.parametrize("bad", [{0}, {49}, {7, 8, 31}, set(range(50))], ids=["first", "last", "some", "all"])
def test_rows_that_are_refused_take_no_other_along(sink: KeptSink, deliver: Deliver, bad: set[int]) -> None:
    sink.obstacle = refusing(lambda row: int(row.span_id, 16) in bad)
    delivery = deliver()
    delivery.put(Batch([trace()], [span(number, trace_id=OTHER) for number in range(50)]))

    assert delivery.flush(WAIT)
    assert {int(row, 16) for row in sink.ids} == set(range(50)) - bad
    assert len(sink.traces) == 1
    counters = delivery.counters
    assert (counters.written, counters.dropped_by_reason) == (51 - len(bad), {REFUSED: len(bad)})
    assert delivery.dropped == {OTHER: len(bad)}
    assert 0 < counters.split <= 6 * len(bad)


def test_a_span_loses_its_payload_before_it_is_lost_itself(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = refusing(lambda row: row.input_data == "bad")
    delivery = deliver()
    good, bad = (
        span(1, input_data="good"),
        span(2, input_data="bad", output_data="x", input_size=3, attributes={"a": 1}),
    )
    before = copy.deepcopy(bad)
    delivery.put(Batch(spans=[good, bad]))

    assert delivery.flush(WAIT)
    kept = {int(row.span_id, 16): row for row in sink.spans}
    assert kept[1] == good
    assert (kept[2].input_data, kept[2].output_data, kept[2].input_size) == (None, None, 3)
    assert kept[2].attributes == {"a": 1, "greenlight.refused": "A value is not taken."}
    assert (delivery.counters.stripped, delivery.counters.dropped) == (1, 0)
    # Other sinks are given the same rows.
    assert bad == before


def test_a_beginning_that_is_lost_is_not_a_span_that_is_lost(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = refusing(lambda row: row.end_time is None)
    delivery = deliver()
    delivery.put(Batch(spans=[open_span(1)]))
    delivery.put(Batch(spans=[span(1)]))
    assert delivery.flush(WAIT)
    assert (delivery.counters.dropped_by_reason, delivery.dropped) == ({REFUSED: 1}, {})


# --- a sink that breaks


def test_an_error_that_nobody_expected_is_tried_again(sink: KeptSink, deliver: Deliver) -> None:
    left: list[Callable[[Batch], None]] = []
    sink.obstacle = lambda batch: left.pop()(batch) if left else None
    delivery = deliver()
    # What has passed is no reason to be less patient the next time.
    for _ in range(3):
        left += [breaking] * PATIENCE
        delivery.put(spans(10))
        assert delivery.flush(WAIT)
    assert (delivery.counters.written, delivery.counters.split, delivery.counters.dropped) == (30, 0, 0)


def test_a_row_at_which_the_sink_breaks_is_found_and_dropped(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = lambda batch: breaking(batch) if any(r.span_id == f"{7:016x}" for r in batch.spans) else None
    delivery = deliver()
    delivery.put(Batch(spans=[span(number) for number in range(20)]))
    assert delivery.flush(WAIT)
    assert (delivery.counters.written, delivery.counters.dropped_by_reason) == (19, {REFUSED: 1})
    delivery.put(spans(1))
    assert delivery.flush(WAIT)
    assert delivery.counters.written == 20


# --- more than may wait


def test_beyond_its_rows_what_comes_is_dropped_and_counted(hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver(capacity=Capacity(rows=100))
    delivery.put(spans(60))
    hanging.reached.wait(WAIT)
    delivery.put(Batch([trace(OTHER)], [open_span(trace_id=OTHER), *spans(50, trace_id=OTHER).spans]))
    delivery.put(spans(40))

    counters = delivery.counters
    assert (counters.pending, counters.dropped_by_reason) == (100, {FULL: 52})
    assert delivery.dropped == {OTHER: 50}
    hanging.released.set()
    assert delivery.flush(WAIT)
    assert delivery.counters.written == 100


def test_before_that_the_disk_takes_what_waits(sink: KeptSink, deliver: Deliver, spill: Spill) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(spill, capacity=Capacity(rows=100), backoff=Backoff(300, 300))
    for _ in range(50):
        delivery.put(spans(20))
        eventually(lambda: delivery.counters.pending <= 75)
    counters = delivery.counters
    assert (counters.spilled + counters.pending, counters.dropped) == (1000, 0)
    assert gone(spill).rows == counters.spilled


def test_a_disk_that_takes_nothing_leaves_rows_in_memory(
    sink: KeptSink, deliver: Deliver, refused_spill: Counted
) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(refused_spill, capacity=Capacity(rows=100), spill_after=0.0)
    delivery.put(spans(90))
    eventually(lambda: delivery.counters.retried > 3)
    delivery.put(spans(20))
    assert (delivery.counters.pending, delivery.counters.dropped_by_reason) == (90, {FULL: 20})
    # It is left alone for a while.
    assert refused_spill.asked == 1

    sink.obstacle = lambda _: None
    assert delivery.flush(WAIT)
    assert (delivery.counters.written, delivery.counters.spilled) == (90, 0)


def test_beyond_its_bytes_spans_come_without_their_payload(sink: KeptSink, hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver(capacity=Capacity(payload_bytes=100))
    delivery.put(Batch(spans=[span(1, input_data="x" * 60)]))
    hanging.reached.wait(WAIT)
    thirty = {"input_data": "x" * 30}
    delivery.put(Batch(spans=[span(2, output_data="x" * 60), span(3, **thirty), span(4), span(6, **thirty)]))
    hanging.released.set()
    assert delivery.flush(WAIT)
    delivery.put(Batch(spans=[span(5, input_data="x" * 60)]))
    assert delivery.flush(WAIT)

    assert [int(row.span_id, 16) for row in sink.spans] == [1, 2, 3, 4, 6, 5]
    assert [row.payload_bytes for row in sink.spans] == [60, 0, 30, 0, 0, 60]
    assert sink.spans[1].attributes == {"greenlight.refused": FULL}
    assert (delivery.counters.stripped, delivery.counters.dropped) == (2, 0)


# --- the end


def test_closing_writes_what_waits_and_closes_the_sink(sink: KeptSink, deliver: Deliver) -> None:
    delivery = deliver()
    delivery.put(spans(2000))
    delivery.close(WAIT)
    assert (delivery.counters.written, delivery.counters.pending, sink.closed) == (2000, 0, True)
    delivery.close(WAIT)
    delivery.put(spans(3))
    assert delivery.counters.dropped_by_reason == {CLOSED: 3}


def test_a_sink_that_hangs_does_not_hold_up_the_end(
    sink: KeptSink, hanging: Hanging, deliver: Deliver, spill: Spill
) -> None:
    delivery = deliver(spill)
    delivery.put(spans(10))
    hanging.reached.wait(WAIT)
    delivery.put(spans(700))
    delivery.close(0.05)

    counters = delivery.counters
    assert (counters.spilled, counters.pending, counters.dropped, sink.closed) == (710, 0, 0, False)
    # It comes back, late: nothing is counted twice, and nothing more is written.
    hanging.released.set()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "traces to kept"]
    thread.join(WAIT)
    assert delivery.counters == counters
    assert len(sink.spans) == 10
    assert gone(spill).rows == 710


@pytest.mark.parametrize("disk", ["none", "refusing"])
def test_what_nobody_takes_at_the_end_is_counted(
    sink: KeptSink, deliver: Deliver, refused_spill: Spill, disk: str
) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(None if disk == "none" else refused_spill)
    delivery.put(Batch([trace()], [span(1), span(2, trace_id=OTHER), open_span(3)]))
    delivery.close(0.05)
    assert (delivery.counters.dropped_by_reason, delivery.counters.pending) == ({CLOSED: 4}, 0)
    assert delivery.dropped == {TRACE: 1, OTHER: 1}


def test_losses_are_told_by_what_is_written_next(sink: KeptSink, hanging: Hanging, deliver: Deliver) -> None:
    delivery = deliver(capacity=Capacity(rows=10))
    opened = trace(end_time=None)
    delivery.put(Batch([opened], [open_span(1)]))
    hanging.reached.wait(WAIT)
    delivery.put(Batch([opened], spans(20).spans))
    row = trace(dropped_spans=2)
    delivery.put(Batch([row], [span(1)]))
    hanging.released.set()
    assert delivery.flush(WAIT)
    assert [row.dropped_spans for row in sink.traces] == [0, 22]
    assert row.dropped_spans == 2, "other sinks are given the same row"


def test_losses_after_the_last_row_are_told_at_the_end(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = refusing(lambda row: row.span_id == f"{7:016x}")
    delivery = deliver()
    delivery.put(Batch([trace(), trace(OTHER)], [span(1), span(7)]))
    delivery.close(WAIT)
    told = [(row.trace_id, row.dropped_spans) for row in sink.traces]
    assert sorted(told) == [(TRACE, 0), (TRACE, 1), (OTHER, 0)]
    assert delivery.counters.dropped_by_reason == {REFUSED: 1}


def test_losses_are_spilled_where_the_sink_is_away(sink: KeptSink, deliver: Deliver, spill: Spill) -> None:
    sink.obstacle = refusing(lambda row: row.span_id == f"{7:016x}")
    delivery = deliver(spill)
    delivery.put(Batch([trace()], [span(1), span(7)]))
    assert delivery.flush(WAIT)
    sink.obstacle = unavailable()
    delivery.close(WAIT)
    later = KeptSink()
    spill.drain(later)
    assert [(row.trace_id, row.dropped_spans) for row in later.traces] == [(TRACE, 1)]


def test_losses_that_not_even_the_disk_takes_are_named(
    sink: KeptSink, deliver: Deliver, refused_spill: Spill, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    sink.obstacle = unavailable()
    delivery = deliver(refused_spill)
    delivery.put(Batch([trace()], [span(1), span(2), span(3, trace_id=OTHER), open_span(4)]))
    delivery.close(0.05)
    (said,) = [record.getMessage() for record in caplog.records if "do not say" in record.getMessage()]
    assert f"{TRACE.hex}: 2" in said
    assert f"{OTHER.hex}: 1" in said


def test_a_disk_that_fails_in_the_middle_does_not_count_losses_twice(
    sink: KeptSink, hanging: Hanging, deliver: Deliver, refused_spill: Spill
) -> None:
    delivery = deliver(refused_spill, capacity=Capacity(rows=10), spill_after=0.0)
    delivery.put(spans(1))
    hanging.reached.wait(WAIT)
    delivery.put(Batch([trace()], spans(20).spans))
    delivery.put(Batch([trace()]))
    sink.obstacle = unavailable(times=3)
    hanging.released.set()
    assert delivery.flush(WAIT)
    assert [row.dropped_spans for row in sink.traces] == [20]


def test_without_a_disk_the_time_until_the_deadline_is_used(sink: KeptSink, deliver: Deliver) -> None:
    sink.obstacle = unavailable(times=20)
    delivery = deliver()
    delivery.put(spans(4))
    delivery.close(WAIT)
    assert (delivery.counters.written, delivery.counters.dropped) == (4, 0)


def test_rows_that_no_disk_can_hold_do_not_break_the_end(sink: KeptSink, deliver: Deliver, spill: Spill) -> None:
    sink.obstacle = unavailable()
    delivery = deliver(spill)
    delivery.put(Batch(spans=[span(1, attributes={"odd": object()})]))
    delivery.close(0.05)
    assert delivery.counters.dropped_by_reason == {CLOSED: 1}


def test_a_sink_that_cannot_be_closed_does_not_break_the_end(sink: KeptSink, deliver: Deliver) -> None:
    def close() -> None:
        raise SinkUnavailable("It is away.")

    sink.close = close  # type: ignore[method-assign]
    delivery = deliver()
    delivery.put(spans(1))
    delivery.close(WAIT)
    assert delivery.counters.written == 1


def test_one_sink_does_not_hold_up_another(hanging: Hanging, deliver: Deliver) -> None:
    other = KeptSink(name="other")
    slow, quick = deliver(), Delivery(other, None)
    batch = spans(5)
    slow.put(batch)
    quick.put(batch)
    assert quick.flush(WAIT)
    assert other.spans == list(batch.spans)
    quick.close(WAIT)
