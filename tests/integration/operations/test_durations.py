"""Figures over many runs are those of their rows, by self time; a run's own baseline says in a sentence what excels."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.operations import baseline, bottlenecks, names, outliers, trends
from tests.support.postgres import TestServer
from tests.support.queue import make_project
from tests.support.traces import baseline as store_baseline
from tests.support.traces import llm, make_trace, span, usual

DAY = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def database(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has an owner of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.fixture
def owner() -> str:
    return str(uuid4())


@pytest.fixture
def project(database: Database, owner: str) -> UUID:
    return make_project(database, owner_clerk_id=owner, name="Tea")


def tools(db: Database, project: UUID, durations: list[float], at: datetime, **given: Any) -> UUID:
    """Store a trace with one tool call after the other."""
    spans = [span("job:test.work", 0, sum(durations) + 10)]
    for n, ms in enumerate(durations):
        spans.append(span("tool:x", sum(durations[:n]), sum(durations[:n]) + ms, under=0))
    return make_trace(db, project_id=project, spans=spans, start=at, **given).trace_id


# --- by name


def test_percentiles_over_time_with_the_runs_behind_each_point(database: Database, owner: str, project: UUID) -> None:
    slow = tools(database, project, [100, 900], DAY + timedelta(minutes=1))
    fast = tools(database, project, [200, 300], DAY + timedelta(minutes=59))
    later = tools(database, project, [50], DAY + 3 * HOUR)
    tools(database, project, [9000], DAY, kind="synthetic")
    points = names.quantiles(database, owner, name="tool:x", since=LONG_AGO)
    assert [(one.at, one.count, one.p50_ms, one.runs) for one in points] == [
        (DAY, 4, 250, (slow, fast)),
        (DAY + 3 * HOUR, 1, 50, (later,)),
    ]
    assert points[0].p95_ms == pytest.approx(810)
    assert points[0].p99_ms == pytest.approx(882)
    with_tests = names.quantiles(database, owner, category="tool", since=LONG_AGO, synthetic=True)
    assert [one.count for one in with_tests] == [5, 1]
    by_day = names.quantiles(database, owner, name="tool:x", since=LONG_AGO, bucket=timedelta(days=1))
    assert [(one.at, one.count) for one in by_day] == [(DAY, 5)]
    whole = names.quantiles(database, owner, pipeline="test.work", since=LONG_AGO)
    assert [(one.count, one.p50_ms, one.runs) for one in whole] == [(2, 760, (slow, fast)), (1, 60, (later,))]
    assert names.quantiles(database, owner, name="tool:x", pipeline="other", since=LONG_AGO) == []
    assert names.quantiles(database, owner, name="tool:x", since=DAY + HOUR) == points[1:]
    assert names.quantiles(database, "somebody else", name="tool:x", since=LONG_AGO) == []
    with pytest.raises(InvalidInput, match="must have a length"):
        names.quantiles(database, owner, bucket=timedelta(0))


def test_at_most_twenty_runs_stand_behind_a_point_the_slowest(database: Database, owner: str, project: UUID) -> None:
    made = [tools(database, project, [100 + n], DAY) for n in range(23)]
    (point,) = names.quantiles(database, owner, name="tool:x", since=LONG_AGO)
    assert point.runs == tuple(made[:2:-1])


def test_a_span_that_somebody_else_ended_says_nothing_of_durations(
    database: Database, owner: str, project: UUID
) -> None:
    spans = [
        span("job:t", 0, 100_000),
        span("tool:x", 0, 10, under=0),
        span("tool:x", 0, 30, under=0, error="No."),
        span("tool:x", 0, 5000, under=0, status="cancelled"),
        span("tool:x", 0, 90_000, under=0, status="lost"),
        span("tool:x", 0, None, under=0),
    ]
    make_trace(database, project_id=project, spans=spans, start=DAY)
    (point,) = names.quantiles(database, owner, name="tool:x", since=LONG_AGO)
    assert (point.count, point.errors, point.p50_ms, point.error_rate) == (4, 2, 20, 0.5)
    row = next(one for one in names.table(database, owner, since=LONG_AGO) if one.name == "tool:x")
    assert (row.count, row.errors, row.p50_ms, row.total_ms) == (4, 2, 20, 5040)


def test_the_bottleneck_is_who_spends_the_time_and_not_its_parent(
    database: Database, owner: str, project: UUID
) -> None:
    make_trace(database, "test.work", project, spans=usual(10_000, calls=2, cost=500), start=DAY)
    table = names.table(database, owner, since=LONG_AGO)
    assert [(one.name, one.self_ms) for one in table[:3]] == [
        ("chat claude-test", 9000),
        ("queue:wait", 600),
        ("launch", 400),
    ]
    assert [one.share for one in table[:3]] == pytest.approx([0.9, 0.06, 0.04])
    by_name = {one.name: one for one in table}
    assert (by_name["agent:research"].total_ms, by_name["agent:research"].self_ms) == (9000, 0)
    assert (by_name["llm:anthropic"].cost_micros, by_name["llm:anthropic"].input_tokens) == (1000, 2000)
    assert (by_name["llm:anthropic"].count, by_name["llm:anthropic"].traces) == (2, 1)
    assert [one.name for one in names.table(database, owner, since=LONG_AGO, category="agent")] == ["agent:research"]
    assert len(names.table(database, owner, since=LONG_AGO, limit=2)) == 2
    (pipeline,) = bottlenecks.pipelines(database, owner, since=LONG_AGO)
    assert (pipeline.slowest_name, pipeline.slowest_share) == ("chat claude-test", pytest.approx(0.9))


def test_pipelines_are_summed_up(database: Database, owner: str, project: UUID) -> None:
    for ms in (2000, 4000, 9000):
        make_trace(database, "a", project, spans=usual(ms, cost=100), start=DAY)
    make_trace(database, "a", project, status="error", end_ms=1000.0, start=DAY)
    make_trace(database, "a", project, end_ms=None, start=DAY)
    make_trace(database, "a", project, end_ms=90_000.0, start=DAY, kind="synthetic")
    make_trace(database, "b", project, end_ms=90_000.0, start=DAY)
    b, a = bottlenecks.pipelines(database, owner, since=LONG_AGO)
    assert (b.pipeline, b.total_ms, b.slowest_name, b.queue_p95_ms) == ("b", 90_000, None, None)
    assert (a.count, a.running, a.errors, a.error_rate) == (5, 1, 1, 0.25)
    assert (a.p50_ms, a.mean_ms, a.total_ms, a.queue_p95_ms, a.launch_p95_ms) == (3000, 4000, 16_000, 600, 400)
    assert (a.cost_micros, a.input_tokens, a.output_tokens) == (600, 6000, 1200)
    assert bottlenecks.pipelines(database, "somebody else", since=LONG_AGO) == []
    with_tests = bottlenecks.pipelines(database, owner, since=LONG_AGO, synthetic=True)
    assert [one.count for one in with_tests] == [6, 1]


# --- money


def test_cost_per_day_and_hour_pipeline_project_and_model(database: Database, owner: str, project: UUID) -> None:
    other = make_project(database, owner_clerk_id=owner, name="Coffee")
    make_trace(database, "a", project, spans=usual(calls=1, cost=70), start=DAY)
    make_trace(database, "a", other, spans=usual(calls=2, cost=50), start=DAY + 2 * HOUR)
    make_trace(database, "b", project, spans=usual(calls=1, cost=30), start=DAY + 26 * HOUR)
    make_trace(database, "a", project, spans=usual(calls=1, cost=5000), start=DAY, kind="synthetic")
    make_trace(database, "c", project, end_ms=10.0, start=DAY)

    def spent(**how: Any) -> list[tuple[datetime, str, int, int]]:
        found = trends.cost(database, owner, since=LONG_AGO, **how)
        return [(one.at, one.label, one.calls, one.cost_micros) for one in found]

    next_day = DAY + timedelta(days=1)
    assert spent() == [(DAY, "a", 3, 170), (next_day, "b", 1, 30)]
    assert spent(group="project") == [(DAY, "Coffee", 2, 100), (DAY, "Tea", 1, 70), (next_day, "Tea", 1, 30)]
    assert spent(group="model") == [(DAY, "claude-test", 3, 170), (next_day, "claude-test", 1, 30)]
    assert spent(by="hour") == [(DAY, "a", 1, 70), (DAY + 2 * HOUR, "a", 2, 100), (next_day + 2 * HOUR, "b", 1, 30)]
    assert spent(synthetic=True)[0] == (DAY, "a", 4, 5170)
    assert spent(group="model", synthetic=True)[0] == (DAY, "claude-test", 4, 5170)
    (first, *_) = trends.cost(database, owner, since=LONG_AGO)
    assert (first.input_tokens, first.output_tokens) == (3000, 600)
    assert trends.cost(database, "somebody else", since=LONG_AGO, group="model") == []


# --- one beside the others


def test_a_slow_run_says_what_took_how_many_times_its_median(database: Database, owner: str, project: UUID) -> None:
    store_baseline(database, project, [4000] * 3 + [4400] * 3 + [3700])
    spans = usual(13_400, calls=4, cost=4000)
    for one in spans:
        if one.span_name == "llm:anthropic":
            one.retries = 1
    slow = make_trace(database, "test.work", project, spans=spans)
    found = baseline.compare(database, slow.trace_id, owner)
    assert (found.runs, found.enough, found.other) == (7, True, None)
    said = [one.sentence for one in found.findings]
    assert "agent:research took 4.1 × its median (12.4 s instead of 3.0 s, of 7 runs)" in said
    assert said[-5:] == [
        "4 retries instead of 0",
        "4 chat calls instead of 2",
        "cost was 8.0 × its median ($0.016 instead of $0.002, of 7 runs)",
        "input tokens were 2.0 × their median (4,000 instead of 2,000, of 7 runs)",
        "output tokens were 2.0 × their median (800 instead of 400, of 7 runs)",
    ]
    first, *behind = [one for one in found.findings if one.metric.kind == "duration"]
    assert (first.metric.name, first.itself, any(one.itself for one in behind)) == ("chat claude-test", True, False)
    excesses = [one.excess_ms for one in behind]
    assert excesses == sorted(excesses, reverse=True)
    assert found.cause is not None
    assert found.cause.metric.name == "chat claude-test"
    assert found.summary == (
        "Compared with 7 good runs before it, it took 13.4 s instead of 4.0 s (3.4 ×). What stands out most:"
        " chat claude-test took 4.1 × its median (12.4 s instead of 3.0 s, of 7 runs)."
    )


def test_only_good_runs_before_it_of_its_own_pipeline_kind_and_owner_count(
    database: Database, owner: str, project: UUID
) -> None:
    store_baseline(database, project, [4000] * 5)
    for given in (
        {"status": "error"},
        {"kind": "synthetic"},
        {"pipeline": "other"},
        {"ago": timedelta(days=15)},
        {"ago": timedelta(minutes=1)},
    ):
        make_trace(database, project_id=project, spans=usual(60_000), **given)
    store_baseline(database, make_project(database), [60_000] * 5)
    run = make_trace(database, "test.work", project, spans=usual(4200))
    found = baseline.compare(database, run.trace_id, owner)
    assert (found.runs, found.findings) == (5, ())
    assert found.summary.endswith("it took 4.2 s instead of 4.0 s (1.1 ×). Nothing in it stands out.")
    assert baseline.compare(database, run.trace_id).runs >= 10, "an operator's baseline is that of all projects"
    with pytest.raises(NotFound):
        baseline.compare(database, run.trace_id, "somebody else")


def test_fewer_than_five_runs_are_too_few_to_compare(database: Database, owner: str, project: UUID) -> None:
    store_baseline(database, project, [4000] * 4)
    run = make_trace(database, "test.work", project, spans=usual(60_000))
    found = baseline.compare(database, run.trace_id, owner)
    assert (found.enough, found.findings, found.metrics) == (False, (), ())
    assert found.summary == "Too few to compare: 4 good runs of test.work before it, and 5 are needed."


def test_what_is_missing_or_new_is_told_of_a_run_that_is_over(database: Database, owner: str, project: UUID) -> None:
    store_baseline(database, project, [4000] * 6)
    spans = [span("job:test.work", 0, 500), span("step:research", 0, 500, under=0), span("agent:odd", 0, 40, under=1)]
    over = make_trace(database, "test.work", project, spans=spans)
    said = {one.sentence for one in baseline.compare(database, over.trace_id, owner).findings}
    assert said == {"agent:research did not run, as it did in 6 of 6 runs", "agent:odd ran, as in none of 6 runs"}
    spans = [span("job:test.work", 0, None), span("step:research", 0, None, under=0)]
    running = make_trace(database, "test.work", project, spans=spans, end_ms=None, ago=timedelta(minutes=1))
    said = {one.metric.name for one in baseline.compare(database, running.trace_id, owner).findings}
    assert said == {"test.work", "step:research"}, "it has taken longer by now; the rest may still come"


def test_two_runs_beside_each_other(database: Database, owner: str, project: UUID) -> None:
    one = make_trace(database, "test.work", project, spans=usual(5000, calls=1, cost=100))
    spans = usual(9000, calls=2, cost=100)
    spans[1].end_ms, spans[2].start_ms = 100, 100
    spans.append(span("agent:second", 8000, 8020, under=3))
    two = make_trace(database, "test.work", project, spans=spans)
    found = baseline.against(database, two.trace_id, one.job_id or "", owner)
    assert found.other is not None
    assert found.other.trace_id == one.trace_id
    said = [finding.sentence for finding in found.findings]
    assert "agent:research took 2.0 × as long (8.0 s instead of 4.0 s)" in said
    assert "queue:wait took 0.2 × as long (100 ms instead of 600 ms)" in said
    assert "2 chat calls instead of 1" in said
    assert "agent:second ran only in this run" in said
    assert "cost was 2.0 × as much ($0.0002 instead of $0.0001)" in said
    assert found.summary.startswith("Compared with the other run, it took 9.0 s instead of 5.0 s (1.8 ×).")
    back = baseline.against(database, one.trace_id, two.trace_id, owner)
    assert "agent:second ran only in the other run" in [finding.sentence for finding in back.findings]
    assert [finding.sentence for finding in baseline.against(database, one.trace_id, one.trace_id).findings] == []


def test_the_calls_of_a_model_that_only_requests_name(database: Database, owner: str, project: UUID) -> None:
    spans = [span("job:t", 0, 10), llm("anthropic", 0, 10, under=0, model=None), span("chat m-1", 0, 9, under=1)]
    make_trace(database, "t", project, spans=spans, start=DAY)
    found = trends.cost(database, owner, since=LONG_AGO, group="model")
    assert [(one.key, one.calls, one.cost_micros) for one in found] == [("unknown", 0, 1000), ("m-1", 1, 0)]


# --- what slow runs have in common


def test_what_slow_runs_have_in_common_is_told_of_every_field(database: Database, owner: str, project: UUID) -> None:
    other = make_project(database, owner_clerk_id=owner, name="Coffee")
    for n in range(20):
        slow = n >= 14
        spans = usual(20_000 if slow else 3000 + n)
        if slow:
            spans.append(span("tool:crawl", 2000, 9000, under=4, error="No." if n % 2 else None))
            spans[5].retries = 2
        make_trace(database, "test.work", other if slow else project, spans=spans, start=DAY, attempt=1 + n % 2)
    for one in (5, 6):
        make_trace(database, "test.work", project, spans=usual(90_000), start=DAY, status="lost", attempt=one)
    found = outliers.stand_out(database, owner, pipeline="test.work", since=LONG_AGO, quantile=0.7)
    assert (found.slow, found.rest) == (6, 14)
    assert found.threshold_ms is not None
    assert 3013 < found.threshold_ms < 20_000
    assert [(one.field, one.value, one.slow, one.rest) for one in found.differences] == [
        ("project", "Coffee", 6, 0),
        ("ran", "tool:crawl", 6, 0),
        ("retried", "yes", 6, 0),
        ("project", "Tea", 0, 14),
        ("failed in", "tool:crawl", 3, 0),
    ]
    assert [one.more for one in found.differences] == [1, 1, 1, -1, 0.5]
    few = outliers.stand_out(database, owner, pipeline="test.work", since=LONG_AGO, quantile=0.95)
    assert (few.slow, few.rest, few.differences) == (0, 20, ())
    assert outliers.stand_out(database, "somebody else", pipeline="test.work", since=LONG_AGO).slow == 0
    with pytest.raises(InvalidInput, match="no quantile"):
        outliers.stand_out(database, owner, pipeline="test.work", quantile=1.0)
