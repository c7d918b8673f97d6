"""Every error counts once, under its fingerprint, whoever sends it and how often; one that returns opens its issue."""

from __future__ import annotations

import dataclasses
import functools
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from studio.database.connection import Database
from studio.errors import InvalidInput, NotFound
from studio.operations import causes, issues
from studio.operations.issues import Issue
from studio.tracing.encoding import as_array
from studio.tracing.rows import Batch, SpanRow
from studio.tracing.sinks.postgres import PostgresSink
from tests.support.queue import InBackground, make_project, separate_connection
from tests.support.traces import NOW, make_trace, rows, span, store
from tests.support.waiting import eventually

STACK = """studio.agents.researcher.Researcher.run:88
anthropic.resources.messages.Messages.stream:400
caused by httpx2.ReadError: studio.sandbox:8 hung up
studio.model.client.Model._stream:190
studio.database.connection.Database.transaction:300"""


# When the spans of `failing` have ended.
FAILED_AFTER = timedelta(seconds=5)


def failing(
    message: str = "It broke.", fingerprint: str = "aaaa0000bbbb1111", kind: str = "ValueError", **columns: Any
) -> list[SpanRow]:
    """Return the spans of an attempt that an error of an agent ended."""
    error = {"error": message, "error_type": kind, "error_class": columns.pop("error_class", "unknown")}
    return [
        span("job:test.work", 0, 5000, **error),
        span("step:research", 0, 5000, under=0, **error),
        span("agent:researcher", 100, 5000, under=1, **error, fingerprint=fingerprint, stack=STACK, **columns),
    ]


def the_issue(db: Database, owner: str | None = None, **filters: Any) -> Issue:
    (issue,) = issues.find(db, owner, **filters)
    return issue


def resolved(db: Database, fingerprint: str, *, at: datetime | None = None) -> Issue:
    with db.transaction() as conn:
        issue = issues.resolve(conn, fingerprint, "ada")
    if at is not None:
        db.execute("update public.pipeline_issues set resolved_at = %s where fingerprint = %s", [at, fingerprint])
    return issue


def test_errors_of_the_same_kind_are_one_issue_with_the_newest_message(database: Database) -> None:
    message = "Row 0f8a6c1e-0000-4000-8000-00000000000{} of 'tea' is 3.5 s late"
    oldest = make_trace(database, spans=failing(message.format(1)), ago=timedelta(hours=3))
    newest = make_trace(database, spans=failing(message.format(2)), ago=timedelta(hours=1))
    make_trace(database, spans=failing(message.format(3)), ago=timedelta(hours=2))
    make_trace(database, spans=failing("Another one.", "cccc0000dddd1111"), ago=timedelta(hours=4))
    first, second = issues.find(database)
    assert (first.fingerprint, first.count, first.fatal_count, first.status) == ("aaaa0000bbbb1111", 3, 3, "open")
    assert (first.message, first.last_trace_id) == (message.format(2), newest.trace_id)
    assert first.place == "studio.model.client.Model._stream:190"
    assert (first.first_seen, first.last_seen) == tuple(at.start_time + FAILED_AFTER for at in (oldest, newest))
    assert second.count == 1


def test_a_span_counts_once_however_often_its_rows_are_sent(database: Database) -> None:
    batch = rows(spans=failing())
    ended = batch.spans[2]
    open_row = dataclasses.replace(
        ended, end_time=None, duration_ms=None, status="running", error=None, error_type=None, error_class=None,
        fingerprint=None, stack=None,
    )  # fmt: skip
    sink = PostgresSink(database)
    sink.write(Batch(spans=[open_row]))
    assert issues.find(database) == []
    for _ in range(3):
        sink.write(Batch(spans=[open_row]))
        store(database, batch)
    assert the_issue(database).count == 1


def test_an_error_that_was_overcome_counts_but_is_not_fatal(database: Database) -> None:
    make_trace(database, spans=failing(), status="ok", fingerprint=None, error=None)
    assert (the_issue(database).count, the_issue(database).fatal_count) == (1, 0)
    make_trace(database, spans=failing())
    assert (the_issue(database).count, the_issue(database).fatal_count) == (2, 1)


def _lost() -> SpanRow:
    return span("job:test.work", 0, 9000, status="lost", error="Gone.", error_class="lost worker", fingerprint="lost")


def test_a_lost_span_that_turns_out_to_have_ended_otherwise_is_taken_back(database: Database) -> None:
    batch = rows(spans=[_lost()])
    store(database, batch)
    assert the_issue(database).fingerprint == "lost"
    well = dataclasses.replace(
        batch.spans[0], status="ok", success=True, error=None, error_type=None, error_class=None, fingerprint=None
    )
    PostgresSink(database).write(Batch(spans=[well]))
    assert issues.find(database) == []
    # What others have met with stays counted.
    others = [rows(spans=[_lost()]) for _ in range(2)]
    store(database, *others)
    bad = dataclasses.replace(others[0].spans[0], status="error", error="Really.", fingerprint="real")
    PostgresSink(database).write(Batch(spans=[bad]))
    assert {issue.fingerprint: issue.count for issue in issues.find(database)} == {"lost": 1, "real": 1}


def _lost_ago(db: Database, hours: int) -> Batch:
    batch = rows(spans=[_lost()], ago=timedelta(hours=hours))
    store(db, batch)
    return batch


def _corrected(db: Database, batch: Batch) -> None:
    well: dict[str, Any] = {"status": "ok", "error": None, "error_type": None, "error_class": None, "fingerprint": None}
    (trace,), (root,) = batch.traces, batch.spans
    store(db, Batch([dataclasses.replace(trace, **well)], [dataclasses.replace(root, **well)]))


def test_a_false_loss_leaves_its_issue_as_it_was(database: Database) -> None:
    kept = _lost_ago(database, 5)
    resolved(database, "lost", at=NOW - timedelta(hours=4))
    before = the_issue(database)
    false = _lost_ago(database, 2)
    assert (the_issue(database).status, the_issue(database).reopened_count) == ("open", 1)
    _corrected(database, false)
    assert the_issue(database) == before
    assert before.last_trace_id == kept.traces[0].trace_id


def test_a_false_loss_among_others_brought_nothing_back_but_they_did(database: Database) -> None:
    _lost_ago(database, 5)
    resolved(database, "lost", at=NOW - timedelta(hours=4))
    false = _lost_ago(database, 3)
    other = _lost_ago(database, 2)
    _corrected(database, false)
    issue = the_issue(database)
    assert (issue.status, issue.reopened_count, issue.count) == ("open", 1, 2)
    assert issue.reopened_at == issue.last_seen == other.spans[0].end_time
    assert issue.last_trace_id == other.traces[0].trace_id
    # One that is older than the resolution, or whose like a person has opened, has no part in it.
    with database.transaction() as conn:
        issues.resolve(conn, "lost", "ada")
        before = issues.reopen(conn, "lost", "bob")
    _corrected(database, other)
    issue = the_issue(database)
    assert (issue.status, issue.reopened_by, issue.reopened_at) == ("open", "bob", before.reopened_at)


def test_what_comes_up_after_the_resolution_opens_it_again(database: Database) -> None:
    make_trace(database, spans=failing(), ago=timedelta(hours=3))
    issue = resolved(database, "aaaa0000bbbb1111", at=NOW - timedelta(hours=2))
    assert (issue.status, issue.resolved_by) == ("resolved", "ada")
    assert issues.find(database, status="open") == []
    again = make_trace(database, spans=failing(), ago=timedelta(hours=1))
    issue = the_issue(database, status="open")
    assert issue.is_reopened
    assert (issue.reopened_count, issue.reopened_by, issue.count) == (1, None, 2)
    assert issue.reopened_at == again.start_time + FAILED_AFTER


def test_what_arrives_late_from_before_the_resolution_opens_nothing(database: Database) -> None:
    make_trace(database, spans=failing(), ago=timedelta(hours=3))
    resolved(database, "aaaa0000bbbb1111", at=NOW - timedelta(hours=1))
    make_trace(database, spans=failing("Spilled."), ago=timedelta(hours=2))
    issue = the_issue(database)
    assert (issue.status, issue.count, issue.reopened_count) == ("resolved", 2, 0)
    assert issue.message == "Spilled."


def test_what_began_before_the_resolution_and_failed_after_it_opens_it(database: Database) -> None:
    make_trace(database, spans=failing(), ago=timedelta(hours=3))
    start = NOW - timedelta(hours=1)
    resolved(database, "aaaa0000bbbb1111", at=start + FAILED_AFTER / 2)
    make_trace(database, spans=failing(), start=start)
    assert the_issue(database).status == "open"


def test_a_cancel_is_no_error(database: Database) -> None:
    for _ in range(2):
        make_trace(
            database,
            spans=[
                span("job:test.work", 0, 1, status="cancelled", error="Stop.", error_class="cancelled", fingerprint="c")
            ],
        )
    assert issues.find(database) == []
    issue = the_issue(database, error_class="cancelled")
    assert (issue.status, issue.count) == ("resolved", 2)
    with pytest.raises(InvalidInput), database.transaction() as conn:
        issues.reopen(conn, "c", "ada")


def test_a_person_resolves_and_reopens(database: Database) -> None:
    make_trace(database, spans=failing())
    assert resolved(database, "aaaa0000bbbb1111").status == "resolved"
    with database.transaction() as conn:
        issue = issues.reopen(conn, "aaaa0000bbbb1111", "bob")
        assert (issue.status, issue.reopened_by, issue.reopened_count) == ("open", "bob", 1)
        assert issues.reopen(conn, "aaaa0000bbbb1111", "eve") == issue
    for change in (issues.resolve, issues.reopen):
        with pytest.raises(NotFound), database.transaction() as conn:
            change(conn, "nothing", "ada")


def test_batches_that_meet_crosswise_in_their_issues_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    """One statement ends some spans and inserts others, and counts first these, then those."""
    sink = PostgresSink(database)
    batches = []
    for ending, inserted in ((("a", "m"), "b"), (("b", "m"), "a")):
        batch = rows(spans=[span(f"step:{name}", 0, 1, error="No.", fingerprint=name) for name in (*ending, inserted)])
        batches.append(batch)
        begun = [dataclasses.replace(one, end_time=None, status="running", fingerprint=None) for one in batch.spans[:2]]
        sink.write(Batch(spans=begun))
    with separate_connection(database) as conn:
        with conn.transaction():
            # Both stop in the middle, where each has counted what the other one is still to count.
            conn.execute("insert into public.pipeline_issues (fingerprint) values ('m')")
            storing = [InBackground(functools.partial(store_patiently, database, batch)) for batch in batches]
            eventually(lambda: _waiting(database) == 2, what="two batches that wait")
        for work in storing:
            work.result()
    assert {issue.fingerprint: issue.count for issue in issues.find(database)} == {"a": 2, "b": 2, "m": 2}


def store_patiently(db: Database, batch: Batch) -> None:
    """Store as the sink does, but wait for locks for as long as it takes."""
    with db.transaction() as conn:
        conn.execute("select public.store_pipeline_spans(%s::jsonb)", [as_array(batch.spans)])


def _waiting(db: Database) -> int:
    row = db.fetch_one(
        "select count(*)::int as n from pg_stat_activity"
        " where datname = current_database() and wait_event_type = 'Lock'"
    )
    assert row is not None
    return int(row["n"])


def test_many_threads_that_store_the_same_errors_count_each_of_them(database: Database) -> None:
    names = [f"{number:016x}" for number in range(6)]
    batches = [
        rows(
            spans=[span(f"step:{n}", 0, 1, error="No.", fingerprint=name) for name in (names if n % 2 else names[::-1])]
        )
        for n in range(24)
    ]
    sink = PostgresSink(database)

    def work(mine: list[Batch]) -> None:
        for batch in mine:
            sink.write(batch)

    for thread in [InBackground(functools.partial(work, batches[at::4])) for at in range(4)]:
        thread.result()
    assert {issue.fingerprint: issue.count for issue in issues.find(database)} == dict.fromkeys(names, 24)


# --- whose they are


def test_an_owner_sees_his_own_errors_alone(database: Database) -> None:
    mine, theirs = make_project(database, owner_clerk_id="ada"), make_project(database, owner_clerk_id="bob")
    own = make_trace(database, project_id=mine, spans=failing("Mine."), ago=timedelta(hours=5))
    make_trace(database, project_id=theirs, spans=failing("A secret of Bob's."), ago=timedelta(hours=1))
    make_trace(database, project_id=theirs, spans=failing("Bob's alone.", "eeee0000ffff1111"))
    issue = the_issue(database, "ada")
    assert (issue.message, issue.count, issue.fatal_count) == ("Mine.", 1, 1)
    assert issue.first_seen == issue.last_seen == own.start_time + FAILED_AFTER
    detail = issues.get(database, "aaaa0000bbbb1111", "ada")
    assert [occurrence.project_id for occurrence in detail.occurrences] == [mine]
    assert (detail.job_count, sum(bar.count for bar in detail.days)) == (1, 1)
    assert "Bob" not in str(detail)
    with pytest.raises(NotFound):
        issues.get(database, "eeee0000ffff1111", "ada")
    assert len(issues.find(database, "bob")) == 2
    assert issues.find(database, "eve") == []
    with pytest.raises(NotFound):
        issues.failure(database, issues.find(database, "bob")[0].last_trace_id or uuid4(), "ada")


def test_an_owner_learns_that_it_was_resolved_and_not_by_whom(database: Database) -> None:
    make_trace(database, project_id=make_project(database, owner_clerk_id="ada"), spans=failing())
    resolved(database, "aaaa0000bbbb1111")
    issue = the_issue(database, "ada", status="resolved")
    assert (issue.resolved_at is not None, issue.resolved_by) == (True, None)
    assert issues.find(database, "ada", status="open") == []


def test_that_it_came_back_to_somebody_else_is_not_an_owners_to_know(database: Database) -> None:
    mine, theirs = make_project(database, owner_clerk_id="ada"), make_project(database, owner_clerk_id="bob")
    make_trace(database, project_id=mine, spans=failing(), ago=timedelta(hours=5))
    make_trace(database, project_id=theirs, spans=failing(), ago=timedelta(hours=5))
    resolved(database, "aaaa0000bbbb1111", at=NOW - timedelta(hours=3))
    make_trace(database, project_id=theirs, spans=failing(), ago=timedelta(hours=1))
    assert the_issue(database).is_reopened
    assert the_issue(database, "bob", status="open").count == 2
    assert the_issue(database, "ada").status == "resolved"
    assert issues.find(database, "ada", status="open") == []
    make_trace(database, project_id=mine, spans=failing(), ago=timedelta(minutes=30))
    assert the_issue(database, "ada").status == "open"
    # What an operator says is said to everybody.
    with database.transaction() as conn:
        issues.resolve(conn, "aaaa0000bbbb1111", "op")
    assert the_issue(database, "ada").status == "resolved"
    with database.transaction() as conn:
        issues.reopen(conn, "aaaa0000bbbb1111", "op")
    assert the_issue(database, "ada").status == "open"


# --- one of them


def test_an_issue_says_where_and_when_it_came_up(database: Database) -> None:
    project = make_project(database, name="Tea")
    jobs = [uuid4(), uuid4()]
    for hours, job_id in ((1, jobs[0]), (1, jobs[1]), (30, jobs[0])):
        make_trace(database, project_id=project, spans=failing(), ago=timedelta(hours=hours), job_id=job_id)
    make_trace(database, "other.work", project, spans=failing(), ago=timedelta(days=8), status="ok", fingerprint=None)
    detail = issues.get(database, "aaaa00")
    assert detail.issue.count == len(detail.occurrences) == 4
    assert [occurrence.fatal for occurrence in detail.occurrences] == [True, True, True, False]
    assert {occurrence.project_name for occurrence in detail.occurrences} == {"Tea"}
    assert (len(detail.hours), sum(bar.count for bar in detail.hours)) == (48, 3)
    assert (len(detail.days), sum(bar.count for bar in detail.days)) == (30, 4)
    at = detail.occurrences[0].at.replace(minute=0, second=0, microsecond=0)
    assert next(bar.count for bar in detail.hours if bar.at == at) == 2
    assert [(kind.pipeline_name, kind.count) for kind in detail.job_types] == [("test.work", 3), ("other.work", 1)]
    assert detail.job_count == 3
    assert {job.job_id: job.count for job in detail.jobs if job.job_id in jobs} == {jobs[0]: 2, jobs[1]: 1}
    make_trace(database, spans=failing(fingerprint="aaaa00009999"))
    with pytest.raises(InvalidInput, match="Several"):
        issues.get(database, "aaaa00")
    with pytest.raises(NotFound):
        issues.get(database, "aaaa")


def test_issues_are_found_by_class_and_time(database: Database) -> None:
    make_trace(database, spans=failing(fingerprint="one", error_class="model"), ago=timedelta(days=3))
    make_trace(database, spans=failing(fingerprint="two", error_class="database"), ago=timedelta(hours=1))
    found = lambda **filters: [issue.fingerprint for issue in issues.find(database, **filters)]  # noqa: E731
    assert found() == ["two", "one"]
    assert found(error_class="model") == ["one"]
    assert found(since=timedelta(days=1)) == ["two"]
    assert found(since=NOW - timedelta(days=4), limit=1) == ["two"]


def test_what_has_not_come_up_for_long_is_forgotten_once_its_spans_are(database: Database) -> None:
    trace = make_trace(database, spans=failing(), ago=timedelta(days=100))
    make_trace(database, spans=failing(fingerprint="young"), ago=timedelta(days=2))
    assert issues.prune(database, timedelta(days=90)) == 0
    database.execute("delete from public.pipeline_spans where trace_id = %s", [trace.trace_id])
    assert issues.prune(database, timedelta(days=90)) == 1
    assert the_issue(database).fingerprint == "young"


# --- its context


def test_a_failure_shows_the_span_its_way_its_payload_and_the_attempts_around_it(database: Database) -> None:
    job_id = uuid4()
    make_trace(database, spans=failing("Before."), job_id=job_id, claim_no=1, attempt=1, ago=timedelta(hours=3))
    spans = [
        *failing(),
        span("llm:anthropic", 200, 4000, under=2, error="x", model="claude-test"),
        span("tool:search", 50, 80, under=1, error="Nothing found.", fingerprint="tool"),
    ]
    spans[2] = span("agent:researcher", 100, 5000, under=1, error="It broke.", fingerprint="aaaa0000bbbb1111",
                    input_data={"question": "Why?"}, output_data={"half": "an answer"})  # fmt: skip
    trace = make_trace(database, spans=spans, job_id=job_id, claim_no=2, attempt=2, ago=timedelta(hours=2))
    make_trace(database, spans=[span("job:test.work", 0, 10)], job_id=job_id, claim_no=3, attempt=3)
    found = issues.failure(database, trace.trace_id)
    assert found.origin is not None
    assert (found.origin.span_name, found.origin.input_data) == ("agent:researcher", {"question": "Why?"})
    assert found.origin.output_data == {"half": "an answer"}
    assert [place.name for place in found.path] == ["job:test.work", "step:research", "agent:researcher"]
    assert [(other.span_name, other.error) for other in found.others] == [("tool:search", "Nothing found.")]
    assert [(attempt.attempt, attempt.status) for attempt in found.before] == [(1, "error")]
    assert [(attempt.attempt, attempt.status) for attempt in found.after] == [(3, "ok")]


def test_the_last_error_of_a_kind_is_the_one_that_ended_the_attempt(database: Database) -> None:
    spans = [
        span("job:test.work", 0, 900, error="No."),
        span("step:a", 0, 100, under=0, error="No.", fingerprint="f"),
        span("step:b", 200, 900, under=0, error="No.", fingerprint="f"),
        span("step:c", 300, 800, under=0, error="Else.", fingerprint="g"),
    ]
    trace = make_trace(database, spans=spans)
    found = issues.failure(database, trace.trace_id)
    assert found.origin is not None
    assert found.origin.span_name == "step:b"
    assert {other.span_name for other in found.others} == {"step:a", "step:c"}


def test_a_failure_without_any_fingerprint_still_has_its_place(database: Database) -> None:
    spans = [
        span("job:test.work", 0, 900, error="No."),
        span("step:a", 0, 800, under=0, error="No."),
        span("agent:b", 0, 700, under=1, error="No."),
    ]
    found = issues.failure(database, make_trace(database, spans=spans).trace_id)
    assert found.origin is not None
    assert found.origin.span_name == "agent:b"
    assert issues.failure(database, make_trace(database).trace_id).origin is None


@pytest.mark.parametrize(
    ("stack", "place"),
    [
        (STACK, "studio.model.client.Model._stream:190"),
        ("studio.database.connection.Database.transaction:300", "studio.database.connection.Database.transaction:300"),
        ("  web/pages/trace.py:12 in whole\nstudio.tracing.spans.Span.end:9", "web/pages/trace.py:12 in whole"),
        ("jobs.packets.generate:40\nhttpx2.Client.get:7", "jobs.packets.generate:40"),
        ("schedules.upkeep.sweep:1\n\nresources.database.get:2\n", "resources.database.get:2"),
        ("anthropic.resources.Messages.stream:400\ncaused by studio.errors.X: 1:2", ""),
        ("studios.other:3\nmy.studio.x:4\nstudio.model", ""),
        ("studio.a.b:5\u2028jobs.c:6", "studio.a.b:5\u2028jobs.c:6"),
        ("", ""),
    ],
    ids=["nested", "plumbing alone", "paths", "a library's", "blank lines", "a cause's text", "no code of ours",
         "an odd separator", "nothing"],
)  # fmt: skip
def test_the_database_and_the_explanation_name_the_same_place(database: Database, stack: str, place: str) -> None:
    row = database.fetch_one("select coalesce(public.place_of_error(%s), '') as place", [stack])
    assert row is not None
    assert causes.place_of(stack) == row["place"] == place
