"""A trace is found by whatever somebody has of it, lists go on where they ended, and nobody sees another's traces."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.operations import traces, tree
from studio.operations.critical_path import by_name, critical_path
from studio.operations.traces import Cursor
from studio.operations.tree import TraceTree
from studio.operations.waterfall import waterfall
from tests.support.postgres import TestServer
from tests.support.queue import enqueue, make_project
from tests.support.traces import NOW, baseline, llm, make_trace, span, usual

HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def database(postgres: TestServer, database_template: str) -> Iterator[Database]:
    """One database for the module: each test has a project of its own in it."""
    with postgres.temporary(database_template) as name, Database(postgres.url(name)) as db:
        yield db


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database, owner_clerk_id=str(uuid4()))


def owner_of(db: Database, project_id: UUID) -> str:
    row = db.fetch_one("select owner_clerk_id from public.projects where id = %s", [project_id])
    assert row is not None
    return str(row["owner_clerk_id"])


# --- lists


def test_a_list_goes_on_behind_its_last_line_without_losing_or_repeating_any(database: Database, project: UUID) -> None:
    # Several begin at the same moment, as those of a burst do.
    made = [make_trace(database, project_id=project, start=NOW - HOUR * (n // 3)).trace_id for n in range(10)]
    seen: list[UUID] = []
    before = None
    for expected in (4, 4, 2, 0):
        page = traces.find(database, project_id=project, before=before, limit=4)
        assert len(page) == expected
        assert [one.start_time for one in page] == sorted((one.start_time for one in page), reverse=True)
        seen += [one.trace_id for one in page]
        before = Cursor.parse(str(page[-1].cursor)) if page else None
    assert sorted(seen) == sorted(made)


@pytest.mark.parametrize("text", ["", "x", "2026-01-01T00:00:00_" + "0" * 32, "2026-01-01T00:00:00+00:00_zz"])
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="no place in a list"):
        Cursor.parse(text)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"pipeline": "phase0"}, {"ok"}),
        ({"status": "failed"}, {"error", "lost"}),
        ({"status": "running"}, {"running"}),
        ({"kind": "synthetic"}, {"lost"}),
        ({"since": timedelta(hours=2, minutes=30)}, {"ok", "error"}),
        ({"since": NOW - timedelta(hours=2, minutes=5)}, {"ok", "error"}),
        ({"min_ms": 6000}, {"error", "running"}),
        ({"text": "PROMPT IS 100% too"}, {"error"}),
        ({"text": "100%5"}, set()),
        ({"text": "\x00"}, set()),
        ({"fingerprint": "f00d"}, {"error"}),
        ({}, {"ok", "error", "lost", "running"}),
    ],
    ids=[
        "pipeline",
        "failed",
        "status",
        "kind",
        "since so long ago",
        "since a moment",
        "slower",
        "text",
        "text is no pattern",
        "text that no row can hold",
        "fingerprint",
        "all",
    ],
)
def test_a_list_is_narrowed(database: Database, wanted: dict[str, object], found: set[str]) -> None:
    project = make_project(database)
    make_trace(database, "phase0", project, status="ok", ago=HOUR)
    broken = {"error": "The prompt is 100% too long.", "fingerprint": "f00d", "end_ms": 9000.0}
    make_trace(database, "phase1", project, status="error", ago=2 * HOUR, **broken)
    make_trace(database, "phase1", project, status="lost", ago=3 * HOUR, kind="synthetic")
    make_trace(database, "phase1", project, status="running", ago=4 * HOUR, end_ms=None)
    assert {one.status for one in traces.find(database, project_id=project, **wanted)} == found  # type: ignore[arg-type]


def test_an_open_trace_has_run_until_the_databases_now(database: Database, project: UUID) -> None:
    make_trace(database, project_id=project, start=datetime.now(UTC) - HOUR, end_ms=None)
    (found,) = traces.find(database, project_id=project)
    assert found.is_open
    assert found.duration_ms is None
    assert 3_600_000 <= found.elapsed_ms < 3_700_000


def test_an_owner_sees_his_own_alone(database: Database, project: UUID) -> None:
    mine = make_trace(database, project_id=project, spans=usual())
    other = make_trace(database, project_id=make_project(database, owner_clerk_id="somebody"), spans=usual())
    nobodys = make_trace(database, "upkeep", None, spans=usual())
    me = owner_of(database, project)
    assert [one.trace_id for one in traces.find(database, me)] == [mine.trace_id]
    assert traces.pipelines(database, me, since=2 * HOUR) == ["test.work"]
    assert {"test.work", "upkeep"} <= set(traces.pipelines(database, since=2 * HOUR))
    assert len(tree.load(database, mine.trace_id, me)) == 9
    for foreign in (other, nobodys):
        assert foreign.job_id is not None
        for known in (foreign.trace_id, foreign.trace_id.hex[:8], foreign.job_id):
            with pytest.raises(NotFound):
                traces.get(database, known, me)
        assert traces.of_job(database, foreign.job_id, me) == []
        assert len(traces.of_job(database, foreign.job_id)) == 1
        whole = tree.load(database, foreign.trace_id)
        with pytest.raises(NotFound):
            tree.span(database, foreign.trace_id, whole.root.span_id, me)


# --- one


def test_a_trace_is_found_by_whatever_somebody_has_of_it(database: Database, project: UUID) -> None:
    job, run = uuid4(), str(uuid4())
    first = make_trace(database, project_id=project, job_id=job, claim_no=1, ago=2 * HOUR, status="error")
    second = make_trace(database, project_id=project, job_id=job, claim_no=2, ago=HOUR, dagster_run_id=run)
    known = first.trace_id.hex
    for text in (first.trace_id, known, str(first.trace_id).upper(), known[:10], f" {str(first.trace_id)[:14]} "):
        assert traces.get(database, text).trace_id == first.trace_id
    for text in (job, job.hex[:12], run, run.replace("-", "")):
        assert traces.get(database, text).trace_id == second.trace_id, "the newest attempt"
    assert [one.claim_no for one in traces.of_job(database, job)] == [1, 2]


def test_the_beginning_of_two_ids_names_neither(database: Database, project: UUID) -> None:
    for last in "12":
        make_trace(database, project_id=project, trace_id=UUID("abcdef0123" + last * 22))
    assert traces.get(database, "abcdef01231").trace_id == UUID("abcdef0123" + "1" * 22)
    with pytest.raises(InvalidInput, match="Several traces begin with abcdef"):
        traces.get(database, "abcdef")


@pytest.mark.parametrize("text", ["", "abcde", "not an id", "g" * 32, "a" * 33, "\x00" * 8])
def test_what_is_no_id_is_refused(database: Database, text: str) -> None:
    with pytest.raises(InvalidInput, match="traces list"):
        traces.get(database, text)


def test_a_job_without_a_trace_says_why(database: Database, project: UUID) -> None:
    job = enqueue(database, project)
    with pytest.raises(NotFound, match="still queued"):
        traces.get(database, job)
    database.execute("update public.agent_jobs set status = 'completed', completed_at = now() where id = %s", [job])
    with pytest.raises(NotFound, match="ran untraced"):
        traces.get(database, job)
    for foreign in (uuid4(), "0" * 31 + "1"):
        with pytest.raises(NotFound, match="traces list"):
            traces.get(database, foreign)
    with pytest.raises(NotFound, match="traces list"):
        traces.get(database, job, "somebody else")


# --- its tree


def loaded(db: Database, project: UUID) -> TraceTree:
    spans = usual(9000, calls=2)
    spans.append(span("tool:x", 2000, 2500, under=5, error="No.", error_type="KeyError", fingerprint="f" * 16))
    spans.append(span("tool:lost parent", 3000, 3100, parent_span_id="0" * 16))
    spans.append(span("tool:open", 4000, None, under=4))
    return tree.load(db, make_trace(db, project_id=project, spans=spans).trace_id)


def test_a_tree_is_what_was_stored(database: Database, project: UUID) -> None:
    found = loaded(database, project)
    shown = {node.name: node for node in found.walk()}
    assert len(found) == 12
    assert found.duration_ms == 9000
    assert [node.name for node in found.root.children] == ["queue:wait", "launch", "step:research", "tool:lost parent"]
    assert shown["tool:lost parent"].is_orphan
    assert (shown["tool:x"].start_ms, shown["tool:x"].duration_ms) == (2000, 500)
    assert (shown["tool:x"].error, shown["tool:x"].fingerprint) == ("No.", "f" * 16)
    calls = [node for node in found.walk() if node.name == "llm:anthropic"]
    assert [(call.cost_micros, call.input_tokens, call.model) for call in calls] == [(1000, 1000, "claude-test")] * 2
    left_open = shown["tool:open"]
    assert left_open.is_open
    assert left_open.duration_ms == 5000, "what nobody has ended in a trace that is over ran until its end"
    assert sum(one.total_ms for one in by_name(critical_path(found))) == pytest.approx(9000)
    assert len(waterfall(found)) == 12


def test_what_is_open_runs_until_the_databases_now(database: Database, project: UUID) -> None:
    spans = [span("job:test.work", 0, None), span("agent:a", 600_000, None, under=0)]
    began = datetime.now(UTC) - HOUR
    made = make_trace(database, project_id=project, spans=spans, start=began, end_ms=None)
    found = tree.load(database, made.trace_id)
    (agent,) = found.root.children
    assert 3_600_000 <= found.duration_ms < 3_700_000
    assert agent.start_ms == 600_000
    assert 2_999_000 <= agent.own_ms < 3_100_000


def test_a_span_has_its_payload_and_a_tree_has_none(database: Database, project: UUID) -> None:
    spans = [
        span("job:test.work", 0, 1000),
        llm("anthropic", 0, 900, under=0, input_data={"ask": "what?"}, output_data=["nothing"], stack="here"),
    ]
    spans[1].attributes = {"gen_ai.provider.name": "anthropic"}
    spans[1].events = [{"name": "first_token", "at_ms": 5}]
    trace = make_trace(database, project_id=project, spans=spans).trace_id
    detail = tree.span(database, trace, spans[1].span_id[:9].upper(), owner_of(database, project))
    assert (detail.input_data, detail.output_data) == ({"ask": "what?"}, ["nothing"])
    assert (detail.input_size, detail.stack) == (16, "here")
    assert (detail.attributes, detail.events) == (spans[1].attributes, spans[1].events)
    assert tree.load(database, trace).node(spans[1].span_id[:9]).input_size == 16
    for unknown in ("0" * 16, "", "%", "zz"):
        with pytest.raises(NotFound, match="has no span"):
            tree.span(database, trace, unknown)
        with pytest.raises(NotFound, match="has no span"):
            tree.load(database, trace).node(unknown)


def test_the_beginning_of_two_span_ids_names_neither(database: Database, project: UUID) -> None:
    spans = [
        span("job:t", 0, 9, span_id="ab" + uuid4().hex[:14]),
        span("tool:x", 0, 9, under=0, span_id="ab" + uuid4().hex[:14]),
    ]
    trace = make_trace(database, project_id=project, spans=spans).trace_id
    with pytest.raises(NotFound, match="Several spans"):
        tree.span(database, trace, "ab")
    with pytest.raises(NotFound, match="Several spans"):
        tree.load(database, trace).node("ab")


def test_a_baseline_of_the_builders_is_in_order(database: Database, project: UUID) -> None:
    made = baseline(database, project, [5000, 6000, 7000])
    assert [one.trace_id for one in traces.find(database, project_id=project)] == [one.trace_id for one in made][::-1]
    assert [one.duration_ms for one in traces.find(database, project_id=project, min_ms=6000)] == [7000, 6000]
