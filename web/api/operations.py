"""Operations: errors by kind, how long things take, what they cost; for operators health and alerts, too."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query, Request

from studio.operations import alerts, explanation, health, issues, names, trends
from studio.operations.alert_findings import Kind as AlertKind
from studio.operations.alert_findings import Severity
from studio.operations.trends import By, Group
from studio.tracing.rows import ErrorClass
from studio.worker_health import Status as HealthStatus
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Done, Object
from web.errors import CHANGING, NAMED
from web.identity.viewer import Looking, Operating
from web.studio_site import studio_site

router = owner_router("operations")

LIMIT = 200
DAYS = 90
Text = Annotated[str | None, Query(max_length=200)]
Days = Annotated[float, Query(gt=0, le=DAYS, description="How far to look back.")]
Count = Annotated[int, Query(ge=1, le=LIMIT)]


class IssueAnswer(Answer):
    """A kind of error. `message` is that of its newest occurrence, `place` where in our code it came up."""

    fingerprint: str
    error_type: str
    error_class: str
    message: str
    place: str | None
    first_seen: datetime
    last_seen: datetime
    count: int
    fatal_count: int
    status: Literal["open", "resolved"]
    resolved_at: datetime | None
    reopened_at: datetime | None
    reopened_count: int
    last_trace_id: UUID | None
    last_span_id: str | None


class IssuesAnswer(Answer):
    """The one that came up last first."""

    errors: list[IssueAnswer]


class OccurrenceAnswer(Answer):
    """A span in which an error came up; `fatal` where it ended its attempt."""

    trace_id: UUID
    span_id: str
    span_name: str
    pipeline_name: str
    project_id: UUID | None
    job_id: UUID | None
    at: datetime
    message: str
    fatal: bool


class IssueDetails(IssueAnswer):
    """A kind of error with its newest occurrences. `explanation` tells of the newest attempt, where that is kept."""

    occurrences: list[OccurrenceAnswer]
    explanation: str | None


class NameAnswer(Answer):
    """The spans of one name. Milliseconds and micro-dollars; `share` is the part of all self time, 0 to 1."""

    name: str
    count: int
    traces: int
    total_ms: float
    self_ms: float
    share: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


class NamesAnswer(Answer):
    """The one with the most self time first."""

    names: list[NameAnswer]


class CostAnswer(Answer):
    """An hour or a day (`at` its beginning, UTC) of one pipeline, model or project."""

    at: datetime
    key: str
    label: str
    calls: int
    cost_micros: int
    input_tokens: int
    output_tokens: int


class CostsAnswer(Answer):
    """The oldest first; stretches without calls are left out."""

    costs: list[CostAnswer]


class ProblemAnswer(Answer):
    """What is not as it should be."""

    status: HealthStatus
    words: str


class LaneAnswer(Answer):
    """A lane, and how full it is: `saturation` is the share of its `slots` that work."""

    name: str
    slots: int
    running: int
    saturation: float
    due: int
    oldest_due_seconds: float
    error_rate: float | None


class OperationsHealth(Answer):
    """How the installation fares now."""

    status: HealthStatus
    problems: list[ProblemAnswer]
    at: datetime
    lanes: list[LaneAnswer]
    day_micros: int
    day_traces: int
    day_failed: int
    stream_lag_seconds: float | None
    uptime_seconds: float | None


class AlertAnswer(Answer):
    """A condition of which an operator is told. `firstAt` is when it began, `lastAt` when it was last found."""

    id: UUID
    kind: AlertKind
    subject: str
    severity: Severity
    title: str
    detail: str
    data: Object
    project_id: UUID | None
    state: str
    first_at: datetime
    last_at: datetime
    closed_at: datetime | None
    count: int
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    notifications: int


class AlertsAnswer(Answer):
    """Those found last first."""

    alerts: list[AlertAnswer]


class ResolvedIssueAnswer(Done):
    """What the kind of error is now."""

    status: Literal["open", "resolved"]


class AcknowledgedAnswer(Done):
    """Who has said first that he knows of the alert."""

    acknowledged_at: datetime | None
    acknowledged_by: str | None


@router.get("/api/operations/errors")
def list_errors(
    looking: Looking,
    request: Request,
    status: Literal["open", "resolved"] | None = None,
    error_class: Annotated[ErrorClass | None, Query(alias="class")] = None,
    days: Days = 30,
    limit: Count = 100,
) -> IssuesAnswer:
    """Return kinds of errors that came up within these days; cancelled work only where its class is named."""
    found = issues.find(
        studio_site(request).db,
        looking.scope,
        status=status,
        error_class=error_class,
        since=timedelta(days=days),
        limit=limit,
    )
    return IssuesAnswer(errors=[IssueAnswer.model_validate(issue) for issue in found])


@router.get("/api/operations/errors/{fingerprint}", responses=NAMED)
def show_error(fingerprint: str, looking: Looking, request: Request) -> IssueDetails:
    """Return a kind of error with where it came up, and what happened in the newest attempt."""
    db = studio_site(request).db
    found = issues.get(db, fingerprint, looking.scope)
    newest = next((one.trace_id for one in found.occurrences if one.trace_status is not None), None)
    return IssueDetails(
        **dict(IssueAnswer.model_validate(found.issue)),
        occurrences=[OccurrenceAnswer.model_validate(one) for one in found.occurrences],
        explanation=None if newest is None else explanation.explain(db, newest, looking.scope),
    )


@router.post("/api/operations/errors/{fingerprint}/resolve", responses=CHANGING)
def resolve_error(fingerprint: str, looking: Looking, request: Request) -> ResolvedIssueAnswer:
    """Say that a kind of error is mended; what comes up from now on opens it again. For operators."""
    db = studio_site(request).db
    known = issues.get(db, fingerprint, looking.scope)
    looking.require_operator()
    found = committed(db, lambda conn: issues.resolve(conn, known.issue.fingerprint, looking.owner.clerk_id))
    return ResolvedIssueAnswer(status=found.status)


@router.post("/api/operations/errors/{fingerprint}/reopen", responses=CHANGING)
def reopen_error(fingerprint: str, looking: Looking, request: Request) -> ResolvedIssueAnswer:
    """Take back that a kind of error is mended. For operators."""
    db = studio_site(request).db
    known = issues.get(db, fingerprint, looking.scope)
    looking.require_operator()
    found = committed(db, lambda conn: issues.reopen(conn, known.issue.fingerprint, looking.owner.clerk_id))
    return ResolvedIssueAnswer(status=found.status)


@router.get("/api/operations/names")
def list_names(
    looking: Looking, request: Request, pipeline: Text = None, days: Days = 1, limit: Count = 100
) -> NamesAnswer:
    """Return how long the spans of each name took within these days, and how often they failed."""
    found = names.table(
        studio_site(request).db, looking.scope, pipeline=pipeline, since=timedelta(days=days), limit=limit
    )
    return NamesAnswer(names=[NameAnswer.model_validate(one) for one in found])


@router.get("/api/operations/cost")
def list_costs(
    looking: Looking, request: Request, by: By = "day", group: Group = "pipeline", days: Days = 30
) -> CostsAnswer:
    """Return what model calls have cost within these days."""
    found = trends.cost(studio_site(request).db, looking.scope, by=by, since=timedelta(days=days), group=group)
    return CostsAnswer(costs=[CostAnswer.model_validate(one) for one in found])


@router.get("/api/operations/health", responses=NAMED)
def show_health(looking: Operating, request: Request) -> OperationsHealth:
    """Return how the installation fares now. For operators; for others there is no such thing."""
    here = studio_site(request)
    found = health.look(here.db, here.settings, listener=here.listener, uptime_seconds=here.uptime_seconds)
    return OperationsHealth(
        status=found.status,
        problems=[ProblemAnswer.model_validate(problem) for problem in found.problems],
        at=found.at,
        lanes=[LaneAnswer.model_validate(lane) for lane in found.lanes],
        day_micros=found.spending.day_micros,
        day_traces=found.traces.day,
        day_failed=found.traces.day_failed,
        stream_lag_seconds=found.stream.lag_seconds,
        uptime_seconds=found.uptime_seconds,
    )


@router.get("/api/operations/alerts", responses=NAMED)
def list_alerts(
    looking: Operating, request: Request, state: Literal["open", "closed"] | None = None, limit: Count = 100
) -> AlertsAnswer:
    """Return what the installation warns of, and has warned of. For operators; for others there is no such thing."""
    found = alerts.find(studio_site(request).db, state=state, limit=limit)
    return AlertsAnswer(alerts=[AlertAnswer.model_validate(alert) for alert in found])


@router.post("/api/operations/alerts/{alert_id}/acknowledge", responses=CHANGING)
def acknowledge_alert(alert_id: UUID, looking: Operating, request: Request) -> AcknowledgedAnswer:
    """Say that somebody knows of an alert: nobody is told of it again, unless it becomes critical."""
    found = committed(studio_site(request).db, lambda conn: alerts.acknowledge(conn, alert_id, looking.owner.clerk_id))
    return AcknowledgedAnswer(acknowledged_at=found.acknowledged_at, acknowledged_by=found.acknowledged_by)
