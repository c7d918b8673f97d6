"""Traces that were closed by somebody else than their run, on their way to InsForge: the spill brings them there."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from typing import Any, cast
from uuid import UUID

from studio.database.connection import Database
from studio.settings import Settings
from studio.tracing.collector import spill_of
from studio.tracing.encoding import PAYLOADS, from_line
from studio.tracing.rows import Batch, SpanRow, TraceRow
from studio.tracing.sinks.insforge import InsForgeSink
from studio.tracing.spill import SpillFailed

log = logging.getLogger(__name__)


def copy_closed(db: Database, settings: Settings, trace_ids: Iterable[UUID]) -> None:
    """Put the ended rows of these traces by for InsForge, where it is configured. What it has, it keeps as it is."""
    if not (settings.insforge_url and settings.insforge_api_key):
        return
    for trace_id in trace_ids:
        try:
            spill_of(settings).save(InsForgeSink.name, [_batch(db, trace_id)])
        except SpillFailed as exc:
            log.warning("Trace %s is missing in InsForge: %s", trace_id.hex, exc)


def _batch(db: Database, trace_id: UUID) -> Batch:
    traces = db.fetch_all(
        "select to_jsonb(t) as row from public.pipeline_traces t where trace_id = %s and end_time is not null",
        [trace_id],
    )
    spans = db.fetch_all(
        "select to_jsonb(s) as row from public.pipeline_spans s where trace_id = %s and end_time is not null",
        [trace_id],
    )
    return Batch(
        [cast("TraceRow", _row("trace", row["row"])) for row in traces],
        [cast("SpanRow", _row("span", row["row"])) for row in spans],
    )


def _row(kind: str, columns: dict[str, Any]) -> TraceRow | SpanRow:
    held = {
        name: json.dumps(value, ensure_ascii=False) if name in PAYLOADS else value
        for name, value in columns.items()
        if value is not None
    }
    return from_line(json.dumps({kind: held}).encode())
