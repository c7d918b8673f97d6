"""Traces: where an attempt's time went, span by span, and one run beside others."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Request

from studio.operations import baseline, traces, tree, waterfall
from studio.operations.trace import Cursor, Kind, Status
from web.api.routing import owner_router
from web.api.wire import Answer, Object
from web.errors import NAMED
from web.identity.viewer import Looking
from web.studio_site import studio_site

router = owner_router("traces")

PAGE = 50
PAGE_LIMIT = 200
TEXT_LIMIT = 200
# No duration that a database can hold is longer.
LONGEST_MS = 1e12

Text = Annotated[str | None, Query(max_length=TEXT_LIMIT)]


class TraceAnswer(Answer):
    """An attempt at a job, from the moment at which it was due. Durations are milliseconds, costs micro-dollars.

    `durationMs` is null while it is open; `elapsedMs` says then how long it has run.
    """

    id: str
    pipeline_name: str
    kind: Kind
    project_id: UUID | None
    subject: str | None
    job_id: UUID | None
    attempt: int | None
    lane: str | None
    dagster_run_id: str | None
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    elapsed_ms: float
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


class TracesAnswer(Answer):
    """The newest first. `next` is the `before` of the following page, null on the last."""

    traces: list[TraceAnswer]
    next: str | None


class RowAnswer(Answer):
    """A row of a waterfall: a span, several like-named siblings in one (`alike`), or what had no room (`rest`).

    Of several, `spanId` is their parent's. Places are milliseconds after the trace's start.
    """

    kind: Literal["span", "alike", "rest"]
    span_id: str
    name: str
    depth: int
    start_ms: float
    end_ms: float
    duration_ms: float
    self_ms: float
    status: str
    on_critical_path: bool
    count: int
    failures: int
    hidden: int
    cost_micros: int | None
    input_tokens: int | None
    output_tokens: int | None
    model: str | None
    retries: int | None
    error: str | None
    error_type: str | None


class SpansAnswer(Answer):
    """At most 500 rows for all `spans` of a trace: what failed, what decided the duration, what took longest."""

    spans: int
    rows: list[RowAnswer]


class SpanAnswer(Answer):
    """All of a span. `inputData` and `outputData` are null where nothing was, and after their retention.

    Where `inputSize` (bytes of the whole) is above the limit, the value is a text of its beginning.
    """

    span_id: str
    parent_span_id: str | None
    span_name: str
    start_time: datetime
    end_time: datetime | None
    duration_ms: float | None
    self_ms: float | None
    status: str
    error: str | None
    error_type: str | None
    error_class: str | None
    fingerprint: str | None
    stack: str | None
    input_data: Any
    output_data: Any
    input_size: int | None
    output_size: int | None
    input_sha256: str | None
    output_sha256: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    cost_micros: int | None
    first_token_ms: float | None
    retries: int | None
    attributes: Object
    events: list[Object]


class MetricAnswer(Answer):
    """A figure of a run beside the same one of others: milliseconds, numbers, micro-dollars or tokens."""

    name: str
    kind: Literal["duration", "count", "cost", "tokens"]
    value: float | None
    median: float | None
    p95: float | None
    runs: int
    ratio: float | None


class ComparisonAnswer(Answer):
    """A run beside `runs` others. `findings` say what is not as usual; `enough`: the others are not too few."""

    trace_id: str
    runs: int
    enough: bool
    summary: str
    findings: list[str]
    metrics: list[MetricAnswer]


@router.get("/api/traces")
def list_traces(
    looking: Looking,
    request: Request,
    pipeline: Text = None,
    status: Status | Literal["failed"] | None = None,
    project_id: Annotated[UUID | None, Query(alias="projectId")] = None,
    job_id: Annotated[UUID | None, Query(alias="jobId")] = None,
    kind: Kind | None = None,
    since: datetime | None = None,
    min_ms: Annotated[float | None, Query(alias="minMs", ge=0, le=LONGEST_MS)] = None,
    text: Text = None,
    before: Text = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
) -> TracesAnswer:
    """Return traces, the newest first: an operator's are all, others' those of their own projects."""
    found = traces.find(
        studio_site(request).db,
        looking.scope,
        pipeline=pipeline,
        status=status,
        project_id=project_id,
        job_id=job_id,
        kind=kind,
        since=since,
        min_ms=min_ms,
        text=text,
        before=Cursor.parse(before) if before else None,
        limit=limit + 1,
    )
    listed = found[:limit]
    return TracesAnswer(
        traces=[TraceAnswer.model_validate(trace) for trace in listed],
        next=str(listed[-1].cursor) if len(found) > limit else None,
    )


@router.get("/api/traces/{trace_id}", responses=NAMED)
def show_trace(trace_id: UUID, looking: Looking, request: Request) -> TraceAnswer:
    """Return a trace by its id; by the id of a job its newest one."""
    return TraceAnswer.model_validate(traces.get(studio_site(request).db, trace_id, looking.scope))


@router.get("/api/traces/{trace_id}/spans", responses=NAMED)
def list_spans(trace_id: UUID, looking: Looking, request: Request, under: Text = None) -> SpansAnswer:
    """Return a trace as the rows of a waterfall, or what is `under` one span of it."""
    loaded = tree.load(studio_site(request).db, trace_id, looking.scope)
    rows = waterfall.waterfall(loaded, under=under or None)
    return SpansAnswer(spans=len(loaded), rows=[RowAnswer.model_validate(row) for row in rows])


@router.get("/api/traces/{trace_id}/spans/{span_id}", responses=NAMED)
def show_span(trace_id: UUID, span_id: str, looking: Looking, request: Request) -> SpanAnswer:
    """Return all of one span, with what went in and out, secrets cut out."""
    db = studio_site(request).db
    trace = traces.get(db, trace_id, looking.scope)
    return SpanAnswer.model_validate(tree.span(db, trace.trace_id, span_id, looking.scope))


@router.get("/api/traces/{trace_id}/comparison", responses=NAMED)
def compare_trace(
    trace_id: UUID,
    looking: Looking,
    request: Request,
    other: Annotated[UUID | None, Query(alias="with", description="One other run; else its baseline.")] = None,
) -> ComparisonAnswer:
    """Compare a run with the good ones of its pipeline from the 14 days before it, or with one other run."""
    db = studio_site(request).db
    found = (
        baseline.compare(db, trace_id, looking.scope)
        if other is None
        else baseline.against(db, trace_id, other, looking.scope)
    )
    return ComparisonAnswer(
        trace_id=found.trace.id,
        runs=found.runs,
        enough=found.enough,
        summary=found.summary,
        findings=[finding.sentence for finding in found.findings],
        metrics=[MetricAnswer.model_validate(metric) for metric in found.metrics],
    )
