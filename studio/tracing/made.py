"""From a span to its row: in the collector's thread, where there is time to redact and to cut."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from studio.text import storable, storable_json
from studio.tracing.payload import Payload, stored
from studio.tracing.redaction import Redactor
from studio.tracing.rows import SpanRow, TraceRow
from studio.tracing.spans import Span
from studio.tracing.trace import Trace, moment

# What an attribute says in more characters belongs into an input or an output.
ATTRIBUTE_CHARS = 2_000


def open_row(span: Span, redactor: Redactor) -> SpanRow:
    """Return the row of a span that has not ended: what a killed run leaves behind."""
    row = _row(span, redactor)
    row.attributes = attributes(span.attributes.copy(), redactor)
    return row


def row_of(span: Span, redactor: Redactor) -> SpanRow:
    """Return the row of a span that has ended."""
    row = _row(span, redactor)
    row.end_time = moment(span.trace.epoch_ns(span.ended_ns))
    row.duration_ms = round(span.duration_ms, 3)
    row.self_ms = round(span.self_ms(), 3)
    row.status = span.status
    row.success = span.status == "ok"
    row.attributes = attributes(span.attributes, redactor)
    row.events = [attributes(event, redactor) for event in span.events]
    for name, value in span.figures.items():
        setattr(row, name, value)
    if span.output is not None:
        kept = stored(span.output, redactor)
        row.output_data, row.output_size, row.output_sha256 = kept.text, kept.size, kept.sha256
    if (fault := span.fault) is not None:
        row.error, row.error_type, row.error_class = fault.message, fault.type, fault.error_class
        if span.origin:
            row.fingerprint, row.stack = fault.fingerprint, fault.stack
    return row


def _row(span: Span, redactor: Redactor) -> SpanRow:
    trace = span.trace.row
    row = SpanRow(
        span_id=span.span_id,
        trace_id=trace.trace_id,
        parent_span_id=span.parent.span_id if span.parent is not None else None,
        project_id=trace.project_id,
        pipeline_name=trace.pipeline_name,
        span_name=storable(redactor.text(span.name))[:ATTRIBUTE_CHARS],
        start_time=moment(span.started_at_ns),
    )
    if span.input is not None:
        kept = _stored_input(span, span.input, redactor)
        row.input_data, row.input_size, row.input_sha256 = kept.text, kept.size, kept.sha256
    return row


def _stored_input(span: Span, text: str, redactor: Redactor) -> Payload:
    if span.kept_input is None or span.kept_input[0] is not text:
        span.kept_input = (text, stored(text, redactor))
    return span.kept_input[1]


def trace_row(trace: Trace) -> TraceRow:
    """Return the row of a trace as it stands now: ended where its root has been handed over."""
    row = dataclasses.replace(trace.row, attributes=trace.row.attributes.copy(), dropped_spans=trace.dropped)
    root = trace.root
    if root is None or not trace.closed:
        return row
    row.end_time = moment(trace.epoch_ns(root.ended_ns))
    row.duration_ms = round(root.duration_ms, 3)
    row.status = root.status
    row.success = root.status == "ok"
    if (fault := root.fault) is not None:
        row.error, row.error_type, row.error_class = fault.message, fault.type, fault.error_class
        row.fingerprint = fault.fingerprint
    return row


def attributes(given: dict[str, Any], redactor: Redactor) -> dict[str, Any]:
    """Return attributes as they may be stored: plain values, without secrets, of bounded length."""
    return {storable(str(name)): _plain(value, redactor) for name, value in given.items()}


def _plain(value: Any, redactor: Redactor) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return storable(redactor.beginning(value, ATTRIBUTE_CHARS))[:ATTRIBUTE_CHARS]
    if isinstance(value, list | tuple):
        return [_plain(item, redactor) for item in value[:100]]
    if isinstance(value, dict):
        return storable_json(attributes(value, redactor))
    return storable(redactor.beginning(str(value), ATTRIBUTE_CHARS))[:ATTRIBUTE_CHARS]
