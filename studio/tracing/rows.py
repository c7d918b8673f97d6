"""Traces and spans as they are stored: one dataclass per table, whose fields are the columns.

Rows are made in the process that traced, and go to one or more sinks. Everything in them is storable: secrets are cut
out, text holds what PostgreSQL can hold, numbers are finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

Status = Literal["running", "ok", "error", "cancelled", "lost"]
Kind = Literal["job", "synthetic", "manual"]
ErrorClass = Literal["model", "database", "provider", "timeout", "validation", "cancelled", "lost worker", "unknown"]


@dataclass
class TraceRow:
    """A row of `pipeline_traces`. Times are UTC; durations milliseconds. `end_time` None: it is still open."""

    trace_id: UUID
    pipeline_name: str
    start_time: datetime
    kind: Kind = "job"
    project_id: UUID | None = None
    owner_clerk_id: str | None = None
    subject: str | None = None
    job_id: UUID | None = None
    claim_no: int | None = None
    attempt: int | None = None
    lane: str | None = None
    dagster_run_id: str | None = None
    end_time: datetime | None = None
    duration_ms: float | None = None
    status: Status = "running"
    success: bool | None = None
    outcome: str | None = None
    error: str | None = None
    error_type: str | None = None
    error_class: ErrorClass | None = None
    fingerprint: str | None = None
    queue_ms: float | None = None
    launch_ms: float | None = None
    span_count: int = 0
    dropped_spans: int = 0
    model_calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_micros: int = 0
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class SpanRow:
    """A row of `pipeline_spans`. Times are UTC; durations milliseconds. `end_time` None: it is still open.

    `input_data` and `output_data` are JSON as text, None where there is none.
    """

    span_id: str
    trace_id: UUID
    span_name: str
    start_time: datetime
    parent_span_id: str | None = None
    project_id: UUID | None = None
    pipeline_name: str = ""
    end_time: datetime | None = None
    duration_ms: float | None = None
    self_ms: float | None = None
    status: Status = "running"
    success: bool | None = None
    error: str | None = None
    error_type: str | None = None
    error_class: ErrorClass | None = None
    fingerprint: str | None = None
    stack: str | None = None
    input_data: str | None = None
    output_data: str | None = None
    input_size: int | None = None
    output_size: int | None = None
    input_sha256: str | None = None
    output_sha256: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    cost_micros: int | None = None
    first_token_ms: float | None = None
    retries: int | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def payload_bytes(self) -> int:
        """How much its input and output take."""
        return len(self.input_data or "") + len(self.output_data or "")


@dataclass(frozen=True)
class Batch:
    """What is stored together. No trace and no span stands in it twice."""

    traces: Sequence[TraceRow] = ()
    spans: Sequence[SpanRow] = ()

    def __len__(self) -> int:
        return len(self.traces) + len(self.spans)
