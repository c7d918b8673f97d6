"""Health as Prometheus reads it: one look for a scrape, and numbers that mean what their names say.

All of ours are gauges. What is counted lies in rows that retention and deleted projects take away again, and a counter
must not fall; so counts say over which time they are taken, and a rate is a division by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from studio.operations.flow import Flow, LaneFlow, Quantiles
from studio.operations.health import Health
from studio.worker_health import WORSE

# The text format that every scraper takes.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_QUANTILES = ("0.5", "0.95", "0.99")
_MS = 1000

Row = tuple[Sequence[str], float]


def registry(look: Callable[[], Health | None]) -> CollectorRegistry:
    """Return a registry of its own for what `look` tells (None: the database is away), and for this process."""
    made = CollectorRegistry()
    made.register(HealthCollector(look))
    ProcessCollector(registry=made)
    return made


def exposition(of: CollectorRegistry) -> bytes:
    """Return what a registry has to tell, in the text format."""
    return generate_latest(of)


class HealthCollector(Collector):
    """Tells of one `Health` at each collection."""

    def __init__(self, look: Callable[[], Health | None]) -> None:
        self._look = look

    def describe(self) -> Iterator[Metric]:
        """Yield nothing: a registry that takes this one in need not look for that."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield every family; where the database is away, only that it is."""
        health = self._look()
        yield _one("database_up", "Whether the database answers: 1, or 0 where it does not.", health is not None)
        if health is not None:
            yield from _whole(health)
            yield from _lanes(health.lanes)
            yield from _job_types(health.job_types)
            yield from _leases_and_workers(health)
            yield from _money_and_traces(health)


def _whole(health: Health) -> Iterator[Metric]:
    yield _many(
        "health_status",
        "The status of the whole: 1 for the one that it has, 0 for the others.",
        ("status",),
        (((name,), name == health.status) for name in WORSE),
    )
    yield _many(
        "problems",
        "How many things are not as they should be, by the status that they mean.",
        ("status",),
        (((name,), sum(problem.status == name for problem in health.problems)) for name in WORSE),
    )
    yield _many(
        "tenants_at_limit",
        "How many projects or owners have nine tenths or more of what they may, by the limit.",
        ("limit",),
        (((name,), sum(one.limit == name for one in health.at_limit)) for name in ("queued", "running", "storage")),
    )
    if health.stream.lag_seconds is not None:
        yield _one(
            "stream_lag_seconds",
            "How long a notification takes from this process through the database and back, as news of events do.",
            health.stream.lag_seconds,
        )


def _lanes(lanes: Sequence[LaneFlow]) -> Iterator[Metric]:
    told: tuple[tuple[str, str, Callable[[LaneFlow], float]], ...] = (
        ("lane_slots", "How many jobs of the lane may run at once.", lambda lane: lane.slots),
        ("jobs_running", "Jobs of the lane that are being worked on.", lambda lane: lane.running),
        ("jobs_queued", "Jobs of the lane that wait in the queue, due or not.", lambda lane: lane.queued),
        ("jobs_due", "Queued jobs of the lane whose time has come.", lambda lane: lane.due),
        ("jobs_takeable", "Due jobs of the lane for which a slot is free.", lambda lane: lane.takeable),
        (
            "oldest_due_seconds",
            "For how long the oldest due job of the lane waits.",
            lambda lane: lane.oldest_due_seconds,
        ),
        (
            "oldest_takeable_seconds",
            "For how long a job waits that could be taken: more than seconds means that nobody takes any.",
            lambda lane: lane.late_seconds,
        ),
    )
    for name, words, value in told:
        yield _many(name, words, ("lane",), (((lane.name,), value(lane)) for lane in lanes))


def _job_types(kinds: Sequence[Flow]) -> Iterator[Metric]:
    told: tuple[tuple[str, str, Callable[[Flow], float]], ...] = (
        ("job_type_running", "Jobs of the type that are being worked on.", lambda kind: kind.running),
        ("job_type_queued", "Jobs of the type that wait in the queue, due or not.", lambda kind: kind.queued),
        ("job_type_due", "Queued jobs of the type whose time has come.", lambda kind: kind.due),
        (
            "job_type_oldest_due_seconds",
            "For how long the oldest due job of the type waits.",
            lambda kind: kind.oldest_due_seconds,
        ),
    )
    for name, words, value in told:
        yield _many(name, words, ("job_type",), (((kind.name,), value(kind)) for kind in kinds))
    rates = (
        ("jobs_started_per_minute", "Jobs that a worker claimed, a minute, in the mean of the window.", "started"),
        ("jobs_completed_per_minute", "Jobs that were completed, a minute, in the mean of the window.", "completed"),
    )
    for name, words, what in rates:
        rows: list[Row] = []
        for kind in kinds:
            rate = kind.started_per_minute if what == "started" else kind.completed_per_minute
            rows += [((kind.name, "5m"), rate.five_minutes), ((kind.name, "1h"), rate.hour)]
        yield _many(name, words, ("job_type", "window"), rows)
    yield _many(
        "jobs_ended_last_hour",
        "Jobs that ended in the last hour, by how; a failed one is not tried again.",
        ("job_type", "status"),
        (
            ((kind.name, status), count)
            for kind in kinds
            for status, count in (("completed", kind.completed), ("failed", kind.failed), ("canceled", kind.canceled))
        ),
    )
    yield _many(
        "job_attempts_last_hour",
        "Traced attempts at jobs that ended in the last hour, by how; a job may have several.",
        ("job_type", "status"),
        (((kind.name, status), count) for kind in kinds for status, count in _attempts(kind)),
    )
    yield _quantiles(
        "job_duration_seconds",
        "How long attempts that went well took in the last 24 hours, from when the job was due.",
        ((kind.name, kind.duration_ms) for kind in kinds),
    )
    yield _quantiles(
        "queue_wait_seconds",
        "How long the jobs of these attempts were due before a worker claimed them.",
        ((kind.name, kind.queue_ms) for kind in kinds),
    )


def _attempts(kind: Flow) -> tuple[tuple[str, int], ...]:
    ok = kind.attempts - kind.errors - kind.lost - kind.cancelled
    return (("ok", ok), ("error", kind.errors), ("lost", kind.lost), ("cancelled", kind.cancelled))


def _leases_and_workers(health: Health) -> Iterator[Metric]:
    leases = health.leases
    yield _one("leases_ending", "Running jobs whose lease is about to end: a renewal was missed.", len(leases.ending))
    yield _one("leases_expired", "Running jobs whose lease has ended and that nobody has taken back.", leases.expired)
    yield _one(
        "oldest_expired_lease_seconds",
        "For how long the first of these leases has ended; 0 without any.",
        leases.oldest_expired_seconds,
    )
    yield _one("workers", "Workers that hold running jobs.", len(health.workers))
    yield _one("worker_heartbeats", "Workers that have said today that they live.", len(health.heartbeats))
    if health.last_claim_at is not None:
        yield _one(
            "last_claim_timestamp_seconds",
            "When a worker claimed a job last, as a Unix time.",
            health.last_claim_at.timestamp(),
        )


def _money_and_traces(health: Health) -> Iterator[Metric]:
    spent, traces = health.spending, health.traces
    yield _many(
        "spend_micros",
        "What model calls cost, in millionths of a US dollar: of today (UTC), and of the last 24 hours.",
        ("window",),
        ((("today",), spent.today_micros), (("24h",), spent.day_micros)),
    )
    yield _one("model_calls_last_day", "Model calls that were begun in the last 24 hours.", spent.day_calls)
    yield _one("projects_near_cap", "Projects that have spent or reserved most of a cap.", spent.near_cap_projects)
    yield _many(
        "traces_last_day",
        "Traces of the last 24 hours: all of them, those that failed, and those whose process was lost.",
        ("status",),
        ((("all",), traces.day), (("error",), traces.day_failed), (("lost",), traces.day_lost)),
    )
    yield _many(
        "errors_open",
        "Kinds of errors that nobody has resolved, by class.",
        ("class",),
        (((name,), count) for name, count in health.open_issues.items()),
    )
    yield _one("traces_open", "Traces that have not ended.", traces.open)
    yield _one(
        "traces_dropped_spans",
        "Spans of the traces of the last 24 hours that could be written neither to the database nor to the disk.",
        traces.day_dropped_spans,
    )
    yield _one("trace_spill_files", "Files of traces that wait on the disk of this machine.", traces.spilled.files)
    yield _one(
        "trace_spill_unreadable_files",
        "Files of traces on the disk that cannot be read, and lie there for somebody to look at.",
        traces.spilled.unreadable,
    )
    yield _one("trace_spill_bytes", "How large the files are together that wait.", traces.spilled.bytes)
    yield _one(
        "trace_spill_oldest_seconds",
        "How long ago the oldest file was written that waits.",
        traces.spilled.oldest_seconds,
    )


def _one(name: str, words: str, value: float) -> Metric:
    return _many(name, words, (), [((), value)])


def _many(name: str, words: str, labels: Sequence[str], rows: Iterable[Row]) -> Metric:
    family = GaugeMetricFamily(f"greenlight_{name}", words, labels=labels)
    for values, value in rows:
        family.add_metric(values, float(value))
    return family


def _quantiles(name: str, words: str, found: Iterable[tuple[str, Quantiles | None]]) -> Metric:
    rows: list[Row] = []
    for kind, quantiles in found:
        for quantile, value in zip(_QUANTILES, quantiles or (), strict=False):
            rows.append(((kind, quantile), value / _MS))
    return _many(name, words, ("job_type", "quantile"), rows)
