"""A trace as it is read, and its place in a list."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID

from studio.errors import InvalidInput

Status = Literal["running", "ok", "error", "cancelled", "lost"]
Kind = Literal["job", "synthetic", "manual"]
STATUSES: tuple[Status, ...] = ("running", "ok", "error", "cancelled", "lost")
KINDS: tuple[Kind, ...] = ("job", "synthetic", "manual")

COLUMNS: LiteralString = """
  t.trace_id, t.pipeline_name, t.kind, t.project_id, t.owner_clerk_id, t.subject, t.job_id, t.claim_no, t.attempt,
  t.lane, t.dagster_run_id, t.start_time, t.end_time, t.duration_ms, t.status, t.outcome, t.error, t.error_type,
  t.error_class, t.fingerprint, t.queue_ms, t.launch_ms, t.span_count, t.dropped_spans, t.model_calls, t.input_tokens,
  t.output_tokens, t.cost_micros, t.attributes,
  coalesce(t.duration_ms, extract(epoch from now() - t.start_time)::float8 * 1000) as elapsed_ms
"""


@dataclass(frozen=True)
class Trace:
    """An attempt at a job, or other traced work. Durations are milliseconds, money micro-dollars, times UTC.

    `duration_ms` is None while it is open; `elapsed_ms` is then how long it has run by the database's clock.
    """

    trace_id: UUID
    pipeline_name: str
    kind: Kind
    project_id: UUID | None
    owner_clerk_id: str | None
    subject: str | None
    job_id: UUID | None
    claim_no: int | None
    attempt: int | None
    lane: str | None
    dagster_run_id: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    status: Status
    outcome: str | None
    error: str | None
    error_type: str | None
    error_class: str | None
    fingerprint: str | None
    queue_ms: float | None
    launch_ms: float | None
    span_count: int
    dropped_spans: int
    model_calls: int
    input_tokens: int
    output_tokens: int
    cost_micros: int
    attributes: dict[str, Any]
    elapsed_ms: float

    @property
    def id(self) -> str:
        """Its id as OpenTelemetry writes it: 32 hexadecimal digits."""
        return self.trace_id.hex

    @property
    def is_open(self) -> bool:
        """Whether nobody has ended it yet."""
        return self.end_time is None

    @property
    def failed(self) -> bool:
        """Whether it ended otherwise than well."""
        return self.status not in ("ok", "running")

    @property
    def cursor(self) -> Cursor:
        """Where a list goes on behind it."""
        return Cursor(self.start_time, self.trace_id)


@dataclass(frozen=True)
class Cursor:
    """A place in a list of traces; `str(cursor)` fits into an address, `Cursor.parse` reads it back."""

    start_time: datetime
    trace_id: UUID

    def __str__(self) -> str:
        return f"{self.start_time.isoformat()}_{self.trace_id.hex}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Return the place that `text` names, or raise `InvalidInput`."""
        moment, _, trace = text.partition("_")
        try:
            # A plus sign in an address that nobody has quoted arrives as a space.
            at = datetime.fromisoformat(moment.replace(" ", "+"))
            place = cls(at, UUID(trace))
        except ValueError:
            at, place = None, None
        if place is None or at is None or at.tzinfo is None:
            raise InvalidInput(f"{text!r} is no place in a list of traces.", "Begin with the newest.")
        return place


def from_row(row: Mapping[str, Any]) -> Trace:
    """Return the trace of a row with `COLUMNS`."""
    return Trace(**row)
