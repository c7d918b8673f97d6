"""What a sink is given of a batch: ended rows where it keeps no others, inputs and outputs as far as there is room."""

from __future__ import annotations

from studio.tracing.rows import Batch, SpanRow
from studio.tracing.writer import without_payload


def ended_rows(batch: Batch) -> Batch:
    """Return the rows of the batch that have ended."""
    return Batch(
        [trace for trace in batch.traces if trace.end_time is not None],
        [span for span in batch.spans if span.end_time is not None],
    )


def within(batch: Batch, room: int, reason: str) -> tuple[Batch, int]:
    """Return the batch with no more than `room` bytes of inputs and outputs, and how many spans lost theirs.

    Those say the `reason`.
    """
    spans: list[SpanRow] = []
    stripped = 0
    for span in batch.spans:
        payload = span.payload_bytes
        if payload > room:
            span = without_payload(span, reason)
            stripped += 1
        else:
            room -= payload
        spans.append(span)
    return (Batch(batch.traces, spans), stripped) if stripped else (batch, 0)
