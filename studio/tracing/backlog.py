"""What waits for a sink: pieces that may be written at once, in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from studio.tracing.encoding import Row
from studio.tracing.rows import Batch, SpanRow, TraceRow

# InsForge takes no more records at once; PostgreSQL is no faster with more.
CHUNK_ROWS = 500
CHUNK_BYTES = 4 * 1024 * 1024
# What a row takes beside its input and output; an estimate, because a span's attributes are of bounded length.
ROW_BYTES = 1024


@dataclass(frozen=True)
class Capacity:
    """What may wait: rows, and bytes of inputs and outputs. Beyond the bytes spans come without theirs."""

    rows: int = 200_000
    payload_bytes: int = 64 * 1024 * 1024


class Piece(NamedTuple):
    """A batch that may be written at once, and how much the inputs and outputs in it take."""

    batch: Batch
    payload_bytes: int

    @property
    def size(self) -> int:
        """About how many bytes it is when written."""
        return ROW_BYTES * len(self.batch) + self.payload_bytes


class Backlog:
    """A queue of pieces. Its owner sees to the locking; nothing here takes longer the more there is in a piece."""

    def __init__(self) -> None:
        self._pieces: deque[Piece] = deque()
        self.rows = 0
        self.payload_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._pieces)

    def append(self, pieces: Iterable[Piece]) -> None:
        """Add pieces at the end."""
        for piece in pieces:
            self._pieces.append(piece)
            self._count(piece, 1)

    def put_back(self, pieces: Iterable[Piece]) -> None:
        """Add pieces that were taken before, in front of the others."""
        for piece in reversed([*pieces]):
            self._pieces.appendleft(piece)
            self._count(piece, 1)

    def take(self) -> list[Piece]:
        """Take the first pieces, as many as fit into one write."""
        taken: list[Piece] = []
        rows = size = 0
        while self._pieces:
            following = self._pieces[0]
            rows, size = rows + len(following.batch), size + following.size
            if taken and (rows > CHUNK_ROWS or size > CHUNK_BYTES):
                break
            taken.append(self._pieces.popleft())
            self._count(following, -1)
        return taken

    def take_all(self) -> list[Piece]:
        """Take everything."""
        pieces = list(self._pieces)
        self._pieces.clear()
        self.rows = self.payload_bytes = 0
        return pieces

    def _count(self, piece: Piece, sign: int) -> None:
        self.rows += sign * len(piece.batch)
        self.payload_bytes += sign * piece.payload_bytes


def rows_of(batch: Batch) -> Iterator[Row]:
    """Return the rows of a batch."""
    yield from batch.traces
    yield from batch.spans


def cut(rows: Iterable[Row]) -> Iterator[Piece]:
    """Cut rows into pieces. No row stands in one twice: a span's end is written after its beginning."""
    traces: list[TraceRow] = []
    spans: list[SpanRow] = []
    payloads = 0
    seen: set[object] = set()
    for row in rows:
        key, payload = (row.span_id, row.payload_bytes) if isinstance(row, SpanRow) else (row.trace_id, 0)
        size = ROW_BYTES * (len(seen) + 1) + payloads + payload
        if key in seen or len(seen) == CHUNK_ROWS or (seen and size > CHUNK_BYTES):
            yield Piece(Batch(traces, spans), payloads)
            traces, spans, payloads, seen = [], [], 0, set()
        seen.add(key)
        if isinstance(row, SpanRow):
            spans.append(row)
        else:
            traces.append(row)
        payloads += payload
    if seen:
        yield Piece(Batch(traces, spans), payloads)


def joined(pieces: Iterable[Piece]) -> Iterator[Batch]:
    """Return the batches to write pieces in: one, or more where a row would stand in it twice."""
    traces: list[TraceRow] = []
    spans: list[SpanRow] = []
    seen: set[object] = set()
    for batch, _ in pieces:
        ids = {*(trace.trace_id for trace in batch.traces), *(span.span_id for span in batch.spans)}
        if not seen.isdisjoint(ids):
            yield Batch(traces, spans)
            traces, spans, seen = [], [], set()
        seen |= ids
        traces += batch.traces
        spans += batch.spans
    if traces or spans:
        yield Batch(traces, spans)
