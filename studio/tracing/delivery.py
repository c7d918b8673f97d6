"""Delivery: gets rows into one sink, whatever happens to it, without ever keeping its caller waiting.

Rows wait in memory, within bounds; a thread writes them, piece by piece. What the sink does not take now is tried
again, after longer and longer pauses; what it will never take is found by halving, and dropped. Where the sink stays
away, too much waits, or the process ends, rows are spilled to the disk. Only where that fails, too, are rows dropped,
and every drop is counted: by its reason, and for ended spans by their trace, whose row tells it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from uuid import UUID

from studio.backoff import Backoff
from studio.tracing.backlog import Backlog, Capacity, Piece, cut, joined, rows_of
from studio.tracing.counters import Counters, Tally
from studio.tracing.errors import SinkUnavailable
from studio.tracing.fitting import ended_rows, within
from studio.tracing.rows import Batch
from studio.tracing.sinks import Sink
from studio.tracing.spill import Spill, SpillFailed
from studio.tracing.writer import Writer, Written

log = logging.getLogger(__name__)

# Why rows were dropped.
REFUSED = "refused"
FULL = "queue full"
CLOSED = "closed"

LONGEST_PAUSE_SECONDS = 15.0
# A sink that stays away for longer is not waited for in memory, which a killed process would take along.
SPILL_AFTER_SECONDS = 30.0
# From here on the disk takes what waits, so that what comes next still finds room.
SPILL_ABOVE = 0.75
# A disk that is full is not asked again at once.
SPILL_AGAIN_SECONDS = 30.0


class Delivery:
    """Delivers to `sink`, from a thread of its own, until it is closed. Nobody changes rows that were put."""

    def __init__(
        self,
        sink: Sink,
        spill: Spill | None,
        *,
        capacity: Capacity | None = None,
        backoff: Backoff | None = None,
        spill_after: float = SPILL_AFTER_SECONDS,
    ) -> None:
        """Begin. `spill_after` is how long a sink may be unavailable, in seconds, before what waits is spilled."""
        self._sink = sink
        self._spill = spill
        self._writer = Writer(sink)
        self._capacity = capacity or Capacity()
        self._backoff = backoff or Backoff(last=LONGEST_PAUSE_SECONDS)
        self._spill_after = spill_after
        self._changed = threading.Condition()
        self._backlog = Backlog()
        # What the thread has in its hands: what it writes, or spills.
        self._held: list[Piece] = []
        self._tally = Tally(sink.name)
        self._closing = self._abandoned = False
        self._away_since: float | None = None
        self._spill_again = 0.0
        self._thread = threading.Thread(target=self._run, name=f"traces to {sink.name}", daemon=True)
        self._thread.start()

    # --- for the collector's thread

    def put(self, batch: Batch) -> None:
        """Take rows for delivery. Never waits for the sink or the disk, and never raises; may drop, and counts that."""
        if not self._sink.takes_open_rows:
            batch = ended_rows(batch)
        with self._changed:
            room = self._capacity.payload_bytes - self._payload_bytes()
        batch, stripped = within(batch, room, FULL)
        pieces = list(cut(rows_of(batch)))
        with self._changed:
            self._tally.counters.stripped += stripped
            self._tally.came(batch)
            if self._closing:
                self._drop(pieces, CLOSED)
            elif self._rows() + len(batch) > self._capacity.rows:
                self._drop(pieces, FULL)
            else:
                self._backlog.append(pieces)
                self._changed.notify_all()

    def flush(self, timeout: float) -> bool:
        """Wait until nothing is pending, for at most `timeout` seconds; return whether that is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._rows(), timeout)

    def close(self, timeout: float) -> None:
        """Write what waits, within `timeout` seconds; spill the rest, and drop what cannot be spilled.

        A sink that does not take its rows now is not tried a second time. A thread that hangs in one is left behind.
        """
        with self._changed:
            if self._abandoned:
                return
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout)
        with self._changed:
            self._abandoned = True
            held = [*self._held, *self._backlog.take_all(), *cut(self._tally.take_untold())]
            self._held = []
        left = self._put_by(held)
        with self._changed:
            self._tally.counters.spilled += _count(held) - _count(left)
            self._drop(left, CLOSED)
            self._changed.notify_all()
            losses = list(cut(self._tally.take_untold()))
        # Few rows may find room where all of them did not.
        untold = self._put_by(losses)
        with self._changed:
            self._tally.counters.spilled += _count(losses) - _count(untold)
            self._tally.not_told([row for batch, _ in untold for row in rows_of(batch)])
            self._tally.tell_untold()
        if self._thread.is_alive():
            log.warning("%s did not let go of its traces within %.1f s", self._sink.name, timeout)
            return
        try:
            self._sink.close()
        except Exception:
            # The boundary to the work, which is over and has its result.
            log.exception("%s could not be closed", self._sink.name)

    @property
    def counters(self) -> Counters:
        """What became of the rows up to now; a copy."""
        with self._changed:
            return self._tally.snapshot(self._rows())

    @property
    def dropped(self) -> dict[UUID, int]:
        """How many ended spans each of the last traces to lose any has lost; a copy."""
        with self._changed:
            return self._tally.dropped_spans()

    # --- its own thread

    def _run(self) -> None:
        while self._take():
            try:
                self._deliver()
            except Exception:
                # The thread's boundary: without it nothing would be written any more, and nobody told.
                log.exception("Traces for %s are not delivered for a moment", self._sink.name)
                self._give_back()
                self._pause()

    def _take(self) -> bool:
        with self._changed:
            self._changed.wait_for(lambda: self._closing or self._backlog)
            if self._closing and not (self._abandoned or self._backlog):
                self._backlog.append(cut(self._tally.take_untold()))
            if self._abandoned or not self._backlog:
                return False
            self._held = self._backlog.take()
            return True

    def _deliver(self) -> None:
        written = Written()
        try:
            for batch in joined(self._held):
                written.add(self._writer.write(self._telling(batch)))
        except SinkUnavailable as exc:
            self._fail(exc)
        else:
            self._settle(written)

    def _settle(self, written: Written) -> None:
        if self._away_since is not None:
            log.info("%s takes traces again", self._sink.name)
        self._away_since = None
        self._backoff.reset()
        with self._changed:
            if self._abandoned:
                return
            self._held = []
            self._tally.wrote(written)
            self._tally.drop(written.refused, REFUSED)
            self._tally.not_told(written.refused, ever=True)
            self._changed.notify_all()
        if self._crowded():
            self._spill_all()

    def _fail(self, exc: SinkUnavailable) -> None:
        """Spill what waits where waiting makes no sense, else wait for the next attempt."""
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            log.warning("%s takes no traces: %s", self._sink.name, exc)
        self._give_back()
        with self._changed:
            self._tally.counters.retried += 1
        patience_is_over = self._closing or self._crowded() or now - self._away_since >= self._spill_after
        if patience_is_over and self._spill_all():
            # Patience begins anew, so that not each second has a file of its own.
            self._away_since = now
        else:
            self._pause()

    def _give_back(self) -> None:
        with self._changed:
            if not self._abandoned:
                self._backlog.put_back(self._held)
                self._held = []

    def _pause(self) -> None:
        closing = self._closing
        with self._changed:
            self._changed.wait_for(
                lambda: self._abandoned or self._closing != closing or (self._crowded() and self._may_spill()),
                self._backoff.pause(),
            )

    def _crowded(self) -> bool:
        return self._backlog.rows > self._capacity.rows * SPILL_ABOVE

    def _may_spill(self) -> bool:
        return self._spill is not None and time.monotonic() >= self._spill_again

    def _spill_all(self) -> bool:
        """Spill all that waits; return whether that was possible. What was not stays where it is."""
        if not self._may_spill():
            return False
        with self._changed:
            if self._abandoned:
                return True
            self._held = held = self._backlog.take_all()
        left = self._put_by(held)
        if left:
            self._spill_again = time.monotonic() + SPILL_AGAIN_SECONDS
        with self._changed:
            if not self._abandoned:
                self._tally.counters.spilled += _count(held) - _count(left)
                self._backlog.put_back(left)
                self._held = []
                self._changed.notify_all()
        return not left

    # --- either thread

    def _put_by(self, pieces: list[Piece]) -> list[Piece]:
        """Spill pieces; return those that could not be."""
        if self._spill is None or not pieces:
            return pieces
        try:
            self._spill.save(self._sink.name, [self._telling(piece.batch) for piece in pieces])
        except SpillFailed as exc:
            log.error("%s", exc)
            # The last of them, as they came.
            return list(cut([row for batch, _ in pieces for row in rows_of(batch)][-len(exc.left) :]))
        except Exception:
            # The same boundary: whatever ails the rows, they are counted as dropped then.
            log.exception("Traces for %s cannot be put by", self._sink.name)
            return pieces
        log.warning("%d rows of traces for %s are put by on the disk", _count(pieces), self._sink.name)
        return []

    def _telling(self, batch: Batch) -> Batch:
        with self._changed:
            return self._tally.telling(batch)

    def _rows(self) -> int:
        return self._backlog.rows + _count(self._held)

    def _payload_bytes(self) -> int:
        return self._backlog.payload_bytes + sum(piece.payload_bytes for piece in self._held)

    def _drop(self, pieces: Iterable[Piece], reason: str) -> None:
        for batch, _ in pieces:
            rows = [*rows_of(batch)]
            self._tally.drop(rows, reason)
            self._tally.not_told(rows)


def _count(pieces: Iterable[Piece]) -> int:
    return sum(len(piece.batch) for piece in pieces)
