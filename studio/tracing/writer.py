"""Writing a batch although some row of it is refused: it is halved until that row stands alone."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from studio.secrets import redact_secrets
from studio.text import one_line, storable
from studio.tracing.encoding import Row
from studio.tracing.errors import SinkError, SinkRefused, SinkUnavailable
from studio.tracing.rows import Batch, SpanRow, TraceRow
from studio.tracing.sinks import Sink

log = logging.getLogger(__name__)

# Why a span stands there without its input and output.
REFUSED = "greenlight.refused"
REASON_CHARS = 300
# An error that is neither of the two a sink may raise is taken for a moment's trouble so many times in a row.
PATIENCE = 3


@dataclass
class Written:
    """What came of a batch. Rows are counted, but for `split`: how many times a part of it was halved."""

    rows: int = 0
    split: int = 0
    stripped: int = 0
    refused: list[Row] = field(default_factory=list)

    def add(self, more: Written) -> None:
        """Count what came of another batch, too."""
        self.rows += more.rows
        self.split += more.split
        self.stripped += more.stripped
        self.refused += more.refused


class Writer:
    """Writes through one sink, from one thread."""

    def __init__(self, sink: Sink, *, patience: int = PATIENCE) -> None:
        """`patience` is how many unexpected errors in a row are taken for unavailability, before one is a refusal."""
        self._sink = sink
        self._patience = patience
        self._surprises = 0

    def write(self, batch: Batch) -> Written:
        """Write what the sink takes of `batch`, and return what came of it.

        A span that is refused by itself is sent once more without its input and output. Raises `SinkUnavailable`,
        and then all of the batch may be written again.
        """
        written = Written()
        reasons: list[str] = []
        self._write([*batch.traces, *batch.spans], written, reasons)
        self._surprises = 0
        if reasons:
            log.warning(
                "%s refused %d of %d rows of traces, %d for good: %s",
                self._sink.name, len(reasons), len(batch), len(written.refused), reasons[0],
            )  # fmt: skip
        return written

    def _write(self, rows: Sequence[Row], written: Written, reasons: list[str]) -> None:
        try:
            self._send(rows)
        except SinkRefused as exc:
            if len(rows) > 1:
                written.split += 1
                middle = len(rows) // 2
                self._write(rows[:middle], written, reasons)
                self._write(rows[middle:], written, reasons)
                return
            reasons.append(_reason(exc))
            self._write_alone(rows[0], written, reasons[-1])
        else:
            written.rows += len(rows)

    def _write_alone(self, row: Row, written: Written, reason: str) -> None:
        if isinstance(row, SpanRow) and row.payload_bytes:
            try:
                self._send([without_payload(row, reason)])
            except SinkRefused:
                pass
            else:
                written.rows += 1
                written.stripped += 1
                return
        written.refused.append(row)

    def _send(self, rows: Sequence[Row]) -> None:
        traces = [row for row in rows if isinstance(row, TraceRow)]
        spans = [row for row in rows if isinstance(row, SpanRow)]
        try:
            self._sink.write(Batch(traces, spans))
        except SinkError:
            raise
        except Exception as exc:
            self._surprises += 1
            if self._surprises <= self._patience + 1:
                log.exception("%s failed in a way that nobody expected", self._sink.name)
            what = f"{type(exc).__name__} in {self._sink.name}."
            if self._surprises > self._patience:
                raise SinkRefused(what) from exc
            raise SinkUnavailable(what, "It is tried again.") from exc


def without_payload(span: SpanRow, reason: str) -> SpanRow:
    """Return a copy of a span without its input and output, which says why. Sizes and hashes stay."""
    return dataclasses.replace(span, input_data=None, output_data=None, attributes={**span.attributes, REFUSED: reason})


def _reason(exc: SinkRefused) -> str:
    return storable(one_line(redact_secrets(exc.message), REASON_CHARS))
