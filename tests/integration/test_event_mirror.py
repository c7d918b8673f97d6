"""The event mirror: what Dagster records of a run stands in the job's event stream, in order, once, and nowhere else.

The jobs here are made by the job factory from ops of the tests' own and run inside the tests' process.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import dagster as dg
import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from greenlight_dagster.event_mirror import EventMirrorHandler
from jobs.factory import AgentOp, Work, build_agent_job
from studio import event_writer, queue
from studio.claims import Json
from studio.database.connection import Database
from studio.errors import ModelUnavailable
from studio.event_writer import EventWriter
from studio.events import NewEvent
from studio.job_types import JOB_TYPES
from tests.support.dagster import (
    DAGSTER_WARNINGS,
    JOB_NAME,
    JOB_TYPE,
    defs,
    enqueue,
    make_project,
)
from tests.support.dagster import events as events_of
from tests.support.queue import claim_next, separate_connection, seqs, statuses, take_over
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

Compute = Callable[[Work], Json]


@pytest.fixture
def job_id(database: Database) -> UUID:
    return enqueue(database, make_project(database))


def execute(instance: DagsterInstance, job_id: UUID, *work: Compute) -> ExecuteInProcessResult:
    """Run `job_id` as a Dagster job whose ops are `work`, one after another."""
    ops = [
        AgentOp(f"op_{index}", "An op.", lambda one, *_, call=call: call(one), needs=[f"op_{index - 1}"][:index])
        for index, call in enumerate(work)
    ]
    job = build_agent_job(JOB_TYPES[JOB_TYPE], ops)
    resolved = dg.Definitions(jobs=[job], resources=defs.resources).resolve_job_def(JOB_NAME)
    return resolved.execute_in_process(instance=instance, run_config={"job_id": str(job_id)}, raise_on_error=False)


def mirrored(db: Database, job_id: UUID) -> list[tuple[str, str]]:
    """Return type and message of the job's events, without what Dagster says of steps."""
    return [(row["type"], row["message"]) for row in events_of(db, job_id) if "step_event" not in row["data"]]


# --- what is mirrored, as what, in which order


def test_each_kind_of_record_becomes_its_kind_of_event(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    def work(one: Work) -> Json:
        one.progress.log("Reading.", pages=3)
        one.progress.tool_call("web_search", query="tea")
        one.progress.tool_result("web_search", results=2)
        one.progress.delta("Once ", agent="ceo")
        one.progress.delta("upon a time", agent="ceo")
        one.dagster.log.warning("Half of it is missing.")
        one.dagster.log_event(
            dg.AssetMaterialization(
                ["packets", "tea"],
                description="A packet.",
                metadata={"confidence": 56, "link": dg.MetadataValue.url("https://x.example/")},
            )
        )
        return None

    result = execute(instance, job_id, work)
    assert result.success
    run = {"dagster_run_id": result.run_id, "op": "op_0"}
    found = [(row["type"], row["message"], row["data"]) for row in events_of(database, job_id)]
    duration = found[-2][2].pop("duration_ms")
    assert isinstance(duration, int)
    assert found[2:-1] == [
        ("log", 'Started execution of step "op_0".', {**run, "step_event": "STEP_START"}),
        ("log", "Reading.", {**run, "level": "INFO", "pages": 3}),
        ("tool_call", "web_search ← query=tea", {**run, "level": "INFO", "tool": "web_search", "query": "tea"}),
        ("tool_result", "web_search → results=2", {**run, "level": "INFO", "tool": "web_search", "results": 2}),
        ("delta", "Once upon a time", {"op": "op_0", "agent": "ceo"}),
        ("log", "Half of it is missing.", {**run, "level": "WARNING"}),
        ("artifact", "A packet.", {**run, "asset": "packets/tea", "confidence": 56, "link": "https://x.example/"}),
        ("log", found[-2][1], {**run, "step_event": "STEP_SUCCESS"}),
    ]
    assert statuses(database, job_id) == ["queued", "running", "completed"]
    assert (found[0][1], found[1][1], found[-1][1]) == ("queued", "running", "completed")


def test_engine_chatter_and_debug_lines_are_not_mirrored(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    def work(one: Work) -> Json:
        one.dagster.log.debug("details")
        one.dagster.log.info("news")
        return {"a": 1}

    execute(instance, job_id, work, lambda _: None)
    assert mirrored(database, job_id)[2:-1] == [("log", "news")]
    told = [row["data"]["step_event"] for row in events_of(database, job_id) if "step_event" in row["data"]]
    assert told == ["STEP_START", "STEP_SUCCESS"] * 2


def test_a_failed_step_says_its_root_cause(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    def work(_: Work) -> Json:
        try:
            raise OSError("no route to host")
        except OSError as exc:
            raise ModelUnavailable("The model is away.", "Try again.") from exc

    assert not execute(instance, job_id, work, lambda _: None).success
    steps = {row["data"]["step_event"]: row for row in events_of(database, job_id) if "step_event" in row["data"]}
    assert steps["STEP_FAILURE"]["data"]["error"] == "OSError: no route to host"
    job = queue.get(database, job_id)
    assert (job.status, job.last_error) == ("queued", "The model is away. Try again.")


def test_a_burst_of_a_thousand_lines_keeps_its_order_and_comes_in_batches(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    lines = 1000

    def work(one: Work) -> Json:
        writer = event_writer.of_run(one.dagster.run_id)
        assert writer is not None
        with separate_connection(database) as other, other.transaction():
            # Nothing can be written while somebody holds the project's counter.
            other.execute("select 1 from public.project_event_counters for update")
            for number in range(lines):
                writer.emit(NewEvent("log", str(number)))
        return None

    execute(instance, job_id, work)
    found = [row for row in events_of(database, job_id, "log") if row["message"].isdigit()]
    assert [row["message"] for row in found] == [str(number) for number in range(lines)]
    assert len({row["created_at"] for row in found}) < 5
    [project] = {row["project_id"] for row in found}
    assert seqs(database, project) == list(range(1, len(events_of(database, job_id)) + 1))


def test_lines_of_several_threads_are_all_there(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    def work(one: Work) -> Json:
        def talk(who: int) -> None:
            for number in range(50):
                one.progress.log(f"{who}:{number}")

        threads = [threading.Thread(target=talk, args=(who,)) for who in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return None

    execute(instance, job_id, work)
    said = [text.split(":") for kind, text in mirrored(database, job_id) if kind == "log"]
    for who in range(4):
        assert [number for speaker, number in said if speaker == str(who)] == [str(n) for n in range(50)]


def test_everything_is_written_before_the_job_ends(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    def work(one: Work) -> Json:
        for number in range(200):
            one.progress.delta(f"{number} ", agent=str(number % 2))
        with separate_connection(database) as other, other.transaction():
            other.execute("select 1 from public.project_event_counters for update")
            one.progress.log("last words")
            # The write breaks, so that these words wait for a second one while the run goes on to its end.
            database.execute("select pg_terminate_backend(%s)", [_writing_session(database)])
        return None

    execute(instance, job_id, work)
    found = events_of(database, job_id)
    assert found[-1]["message"] == "completed"
    assert sorted(int(n) for row in found if row["type"] == "delta" for n in row["message"].split()) == [*range(200)]
    assert "last words" in [row["message"] for row in found]


# --- handlers come and go


def test_handlers_that_are_built_anew_and_closed_lose_nothing_and_double_nothing(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    def work(one: Work) -> Json:
        one.progress.log("before")
        # Closes every handler there is, as Dagster itself does when it builds them for another run.
        built = instance.get_yaml_python_handlers()
        assert [type(handler) for handler in built] == [EventMirrorHandler]
        one.progress.log("between")
        for handler in built:
            handler.close()
        one.progress.log("after")
        return None

    execute(instance, job_id, work)
    assert [text for kind, text in mirrored(database, job_id) if kind == "log"] == ["before", "between", "after"]


def test_a_run_inside_a_run_is_mirrored_to_its_own_job(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    other = enqueue(database, make_project(database))

    def inner(one: Work) -> Json:
        one.progress.log("inner")
        return None

    def outer(one: Work) -> Json:
        one.progress.log("outer, before")
        assert execute(instance, other, inner).success
        one.progress.log("outer, after")
        return None

    assert execute(instance, job_id, outer).success
    assert [text for kind, text in mirrored(database, job_id) if kind == "log"] == ["outer, before", "outer, after"]
    assert [text for kind, text in mirrored(database, other) if kind == "log"] == ["inner"]


def test_runs_of_other_jobs_and_lines_outside_of_runs_are_passed_over(
    database: Database, instance: DagsterInstance, job_id: UUID
) -> None:
    @dg.op
    def stranger(context) -> None:  # type: ignore[no-untyped-def] # Dagster reads the annotation, which is a string here
        context.log.info("I am not an agent job.")

    @dg.job(executor_def=dg.in_process_executor)
    def foreign() -> None:
        stranger()

    def work(one: Work) -> Json:
        logging.getLogger("somebody").warning("outside of Dagster")
        assert foreign.execute_in_process(instance=instance).success
        return None

    execute(instance, job_id, work)
    assert mirrored(database, job_id)[2:-1] == []


def test_a_writer_is_gone_when_its_run_has_ended(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    seen: list[EventWriter | None] = []

    def work(one: Work) -> Json:
        seen.append(event_writer.of_run(one.dagster.run_id))
        return None

    result = execute(instance, job_id, work)
    assert isinstance(seen[0], EventWriter)
    assert event_writer.of_run(result.run_id) is None


# --- a lost lease


def test_nothing_is_written_under_a_lost_claim(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    def work(one: Work) -> Json:
        one.progress.log("mine")
        _flush(one)
        take_over(database, one.claim)
        one.progress.log("too late")
        one.progress.delta("also too late")
        _flush(one)
        return None

    execute(instance, job_id, work)
    texts = [text for _, text in mirrored(database, job_id)]
    assert texts == ["queued", "running", "mine", "queued", "running"]
    job = queue.get(database, job_id)
    assert (job.status, job.claim_no, job.locked_by) == ("running", 2, "successor")


def _flush(one: Work) -> None:
    writer = event_writer.of_run(one.dagster.run_id)
    assert writer is not None
    writer.flush()


# --- bad records


class _Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError("no words")


def _nested(depth: int) -> Any:
    value: Any = "core"
    for _ in range(depth):
        value = [value]
    return value


BAD_RECORDS: dict[str, Callable[[Work], object]] = {
    "a value that is no JSON": lambda one: one.progress.log("odd", value=object()),
    "a value that cannot be put into words": lambda one: one.progress.log("odd", value=_Unspeakable()),
    "a value that is too deep": lambda one: one.progress.log("odd", value=_nested(5000)),
    "keys that are no text": lambda one: one.progress.log("odd", value={(1, 2): "x", None: 1}),
    "bytes": lambda one: one.progress.log("odd", value=b"\x00\xff"),
    "not a number": lambda one: one.progress.log("odd", value=float("nan")),
    "NUL and half a surrogate pair": lambda one: one.progress.log("odd\x00\ud800", **{"va\x00lue": "\udfff"}),
    "a mark that is none": lambda one: one.dagster.log.info("odd", extra={"greenlight": "mark"}),
    "data that are none": lambda one: one.dagster.log.info("odd", extra={"greenlight": {"data": 7}}),
    "an unknown type": lambda one: one.dagster.log.info("odd", extra={"greenlight": {"type": "gossip"}}),
    "a status of its own": lambda one: one.dagster.log.info("completed", extra={"greenlight": {"type": "status"}}),
    "arguments that do not fit": lambda one: one.dagster.log.info("odd %d %s", "x"),
    "a message that is no text": lambda one: one.dagster.log.info({"odd": 1}),  # type: ignore[arg-type]
    "no message": lambda one: one.dagster.log.info(""),
    "a megabyte": lambda one: one.progress.log("odd" * 350_000),
}


def test_bad_records_end_neither_the_run_nor_the_stream(
    database: Database, instance: DagsterInstance, job_id: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a handler prints about its own error belongs to the operator's log, not to this test's.
    monkeypatch.setattr(logging, "raiseExceptions", False)

    def work(one: Work) -> Json:
        for kind, record in BAD_RECORDS.items():
            with contextlib.suppress(RecursionError, RuntimeError, TypeError):
                record(one)
            one.progress.log(f"after {kind}")
            # One batch each, so that none is saved by being written before a bad one.
            _flush(one)
        return None

    assert execute(instance, job_id, work).success
    texts = [text for _, text in mirrored(database, job_id)]
    assert [text for text in texts if text.startswith("after")] == [f"after {kind}" for kind in BAD_RECORDS]
    assert statuses(database, job_id) == ["queued", "running", "completed"]
    assert texts[-1] == "completed"


def test_what_can_be_said_of_a_bad_record_is_said(database: Database, instance: DagsterInstance, job_id: UUID) -> None:
    def work(one: Work) -> Json:
        one.progress.log("odd\x00\ud800", value=b"\x00", number=float("inf"), when={1: {2}})
        return None

    execute(instance, job_id, work)
    [event] = [row for row in events_of(database, job_id, "log") if row["data"].get("level")]
    assert event["message"] == "odd��"
    assert event["data"]["value"] == str(b"\x00")
    assert event["data"]["when"] == {"1": "{2}"}
    assert event["data"]["number"] is None


def test_a_bad_event_in_a_batch_costs_only_itself(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    writer = EventWriter(claim, "a-run", flush_seconds=0.01)
    with separate_connection(database) as other, other.transaction():
        other.execute("select 1 from public.project_event_counters for update")
        for index in range(30):
            writer.emit(NewEvent("gossip" if index % 10 == 5 else "log", str(index)))  # type: ignore[arg-type]
    writer.close()
    texts = [row["message"] for row in events_of(database, job_id, "log")]
    assert texts == [str(index) for index in range(30) if index % 10 != 5]
    assert writer.dropped == 3


def test_streamed_text_is_written_within_the_flush_interval_without_anything_else_happening(
    database: Database, job_id: UUID
) -> None:
    writer = EventWriter(claim_next(database), "a-run", flush_seconds=0.05)
    try:
        for text in ("Once", " upon a time"):
            writer.delta(text, {"op": "op"})
            eventually(lambda text=text: text in [row["message"] for row in events_of(database, job_id, "delta")])
    finally:
        writer.close()


def test_streamed_text_is_gathered_and_not_written_piece_by_piece(
    database: Database, job_id: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    writer = EventWriter(claim_next(database), "a-run", flush_seconds=600)
    for _ in range(100):
        writer.delta("word ", {"op": "op"})
    # Five hundred characters are enough for a row, whatever the interval.
    eventually(lambda: events_of(database, job_id, "delta"), what="the first row")
    writer.delta("end", {"op": "op"})
    writer.close()
    rows = [row["message"] for row in events_of(database, job_id, "delta")]
    assert "".join(rows) == "word " * 100 + "end"
    assert len(rows) <= 3
    # The end of a run does not wait for the interval.
    assert "not written yet" not in caplog.text


# --- a database that is away for a while


def test_events_wait_for_the_database_and_keep_their_order(database: Database, job_id: UUID) -> None:
    claim = claim_next(database)
    writer = EventWriter(claim, "a-run", flush_seconds=0.01)
    with separate_connection(database) as other, other.transaction():
        other.execute("select 1 from public.project_event_counters for update")
        writer.emit(NewEvent("log", "first"))
        # The session that writes is ended, as by a restart, while its write waits.
        pid = _writing_session(database)
        writer.emit(NewEvent("log", "second"))
        database.execute("select pg_terminate_backend(%s)", [pid])
    writer.close()
    assert [row["message"] for row in events_of(database, job_id, "log")] == ["first", "second"]
    assert writer.dropped == 0


def _writing_session(db: Database) -> int:
    """Return the session whose write of events waits for a lock, as soon as there is one."""

    def waiting() -> int:
        row = db.fetch_one(
            "select pid from pg_stat_activity where datname = current_database()"
            " and wait_event_type = 'Lock' and query like '%%append_agent_job_events%%'"
        )
        return int(row["pid"]) if row else 0

    return eventually(waiting, what="the write waiting")
