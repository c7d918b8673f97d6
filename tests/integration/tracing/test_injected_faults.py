"""Whatever goes wrong in a job, its trace says what, where and what it has cost.

Real jobs are run, and one fault is injected into each. What is looked at is what a person at night would look at: the
trace, the one span in which the error came up, what went in, what was paid, and the paragraph that explains it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import dagster as dg
import pytest

from jobs.factory import AgentOp, Work, build_agent_job
from resources import run_tags
from sensors.watcher import watch_once
from studio import queue
from studio.database.connection import Connection
from studio.job_types import JOB_TYPES
from studio.model import spend
from studio.operations import traces
from studio.queue import Job
from studio.settings import get_settings
from tests.support.actions import GITHUB_TOKEN, Stage, hook_client
from tests.support.approvals import REPOSITORY
from tests.support.dagster import DAGSTER_WARNINGS, MARKET, OWNER, defs
from tests.support.forks import Command
from tests.support.injected import Attempt, Pipeline
from tests.support.job_execute import SHORT_LEASE
from tests.support.providers import Providers, providers
from tests.support.queue import expire_lease
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures", "tests.support.injected_fixtures"]
pytestmark = DAGSTER_WARNINGS

CHAT, QUESTION = "chat sandbox", "llm:anthropic"
UNDER_WAY = ["job:chat.reply", "step:answer", "agent:chat", QUESTION, CHAT]
# A model that says nothing until it is killed.
FOR_EVER = 120.0
# What has begun is to be seen soon after.
QUICK = {"GREENLIGHT_TRACE_FLUSH_MS": "50", **SHORT_LEASE}
_NO_CONNECTIONS = (
    "select pg_terminate_backend(pid) from pg_stat_activity"
    " where datname = current_database() and pid <> pg_backend_pid()"
)


def require_failure(attempt: Attempt, error_class: str, place: str, *said: str) -> None:
    """Require that the trace tells of one error of this class, which came up in the span `place` and nowhere else."""
    trace, origin = attempt.trace, attempt.origin
    assert (trace.error_class, origin["span_name"]) == (error_class, place)
    assert trace.fingerprint == origin["fingerprint"]
    assert (trace.error, trace.error_type) == (origin["error"], origin["error_type"])
    assert trace.outcome == attempt.job.status
    assert trace.dagster_run_id == attempt.job.dagster_run_id
    # It went out through its parents, and through nobody else.
    assert attempt.failed == attempt.above(origin)
    assert attempt.root["input_data"] == attempt.job.payload
    if place in (CHAT, QUESTION):
        question = attempt.nearest(origin, QUESTION)
        assert question["input_data"]["call"]["prompt"]
    assert attempt.ledger["open"] == 0
    assert trace.cost_micros == attempt.ledger["micros"] == sum(span["cost_micros"] or 0 for span in attempt.spans)
    for words in said:
        assert words in attempt.why, attempt.why


# --- the model


@dataclass(frozen=True)
class ModelFault:
    """What the model does to the one question of an attempt, and what is to be known of it."""

    name: str
    fault: dict[str, Any]
    error_class: str
    said: tuple[str, ...]
    job: str = "queued"
    paid: bool = True
    settings: dict[str, str] = field(default_factory=dict)


@pytest.mark.parametrize(
    "case",
    [
        ModelFault("key", {"kind": "status", "status": 401}, "model", ("refused the key (HTTP 401)",), "failed", False),
        ModelFault("cut stream", {"kind": "drop"}, "model", ("broke in the middle of its answer",)),
        ModelFault("error in the stream", {"kind": "stream_error", "status": 529}, "model", ("was overloaded",)),
        ModelFault(
            "silence",
            {"kind": "hang", "seconds": 5},
            "timeout",
            ("did not finish its answer in time", "was asked once"),
            settings={"GREENLIGHT_MODEL_TIMEOUT": "0.3"},
        ),
    ],
    ids=lambda case: case.name,
)
def test_a_fault_of_the_model_is_found_in_its_request(
    pipeline: Pipeline, model: SandboxThread, case: ModelFault
) -> None:
    pipeline.configure(**case.settings)
    model.faults([case.fault])
    attempt = pipeline.attempt(pipeline.question())
    require_failure(attempt, case.error_class, CHAT, "agent chat, while asking the model sandbox", *case.said)
    assert (attempt.trace.status, attempt.job.status) == ("error", case.job)
    assert attempt.trace.model_calls == 1
    # Where nobody learned what was used, the whole reservation counts.
    assert (attempt.trace.cost_micros > 0) is case.paid
    assert attempt.trace.input_tokens == 0


def test_an_overloaded_model_is_asked_until_the_retries_are_used_up_and_the_next_attempt_is_linked(
    pipeline: Pipeline, model: SandboxThread
) -> None:
    pipeline.configure(GREENLIGHT_MODEL_RETRIES="2")
    model.fault("status", status=529, times=3, retry_after=0.01)
    job_id = pipeline.question()
    first = pipeline.attempt(job_id)
    require_failure(first, "model", CHAT, "HTTP 529", "asked 3 times", "retries are used up")
    assert [span["retries"] for span in first.spans if span["span_name"] in (CHAT, QUESTION)] == [2, 2]
    refused = [event["status"] for event in first.origin["events"] if event["name"] == "attempt_failed"]
    assert refused == [529, 529, 529]
    assert first.job.status == "queued"

    second = pipeline.attempt(job_id)
    assert (second.trace.status, second.trace.outcome, second.failed) == ("ok", "completed", [])
    assert second.trace.cost_micros == second.ledger["micros"] > 0
    linked = traces.of_job(pipeline.db, job_id)
    assert [(t.claim_no, t.attempt, t.status, t.outcome) for t in linked] == [
        (1, 1, "error", "queued"),
        (2, 2, "ok", "completed"),
    ]
    # From either side: the runs know their traces, and so do the job's events.
    for trace in linked:
        run = pipeline.instance.get_run_by_id(str(trace.dagster_run_id))
        assert run is not None
        assert run.tags[run_tags.TRACE_ID] == trace.id
    told = pipeline.db.fetch_all("select distinct trace_id from public.agent_job_events where job_id = %s", [job_id])
    assert {row["trace_id"] for row in told} == {trace.trace_id for trace in linked}


def test_an_answer_that_fits_no_schema_twice_is_found_among_those_beside_it(
    pipeline: Pipeline, model: SandboxThread
) -> None:
    model.fault("not_json", match=MARKET, times=2)
    project = pipeline.project()
    attempt = pipeline.attempt(pipeline.enqueue("phase0.generate_packet", project, ownerClerkId=OWNER))
    require_failure(attempt, "model", QUESTION, "invalid answer twice", "asked twice", "step research")
    assert attempt.trace.error_type == "ModelAnswerInvalid"
    assert "MarketFindings" in str(attempt.trace.error)
    # Two requests were made for it, and both were answered and paid.
    below = [span for span in attempt.spans if span["parent_span_id"] == attempt.origin["span_id"]]
    # On a busy machine a statement in between may be slow enough for a span of its own.
    asked = [span for span in below if not span["span_name"].startswith("db:")]
    assert [(span["span_name"], span["status"]) for span in asked] == [(CHAT, "ok"), (CHAT, "ok")]
    assert attempt.trace.model_calls == attempt.ledger["calls"] == 5
    assert attempt.job.status == "failed"


def test_an_exhausted_budget_is_found_before_anybody_is_asked(pipeline: Pipeline) -> None:
    project = pipeline.project()
    with pipeline.db.transaction() as conn:
        spend.set_budget(conn, project, Decimal(0), 0, 0)
    attempt = pipeline.attempt(pipeline.question(project))
    require_failure(attempt, "validation", QUESTION, "budget is exhausted", "greenlight projects budget")
    assert (attempt.trace.error_type, attempt.trace.model_calls, attempt.trace.cost_micros) == ("BudgetExhausted", 0, 0)


# --- our own code


def run_op(pipeline: Pipeline, compute: Callable[..., Any], **options: Any) -> Attempt:
    """Run a job of one op that does `compute`."""
    ops = [AgentOp("noop_standard", "An op.", compute, **options)]
    job = build_agent_job(JOB_TYPES["bench.standard"], ops)
    definitions = dg.Definitions(jobs=[job], resources=defs.resources)
    return pipeline.attempt(pipeline.enqueue("bench.standard", pipeline.project()), definitions)


def test_a_bug_in_a_step_is_found_at_its_line(pipeline: Pipeline) -> None:
    def broken(_work: Work, conn: Connection) -> None:
        conn.execute("select 1")
        raise KeyError("price")

    attempt = run_op(pipeline, broken, transactional=True)
    require_failure(attempt, "unknown", "step:noop_standard", "an error in our own code (KeyError)", "bug")
    assert "jobs.factory" in attempt.origin["stack"]
    assert attempt.job.status == "failed"


# --- the database


def cut_off(work: Work) -> None:
    """End every connection to the database, that of the trace's own writer among them, and the caller's at last."""
    with work.claim.db.connection() as conn:
        conn.execute(_NO_CONNECTIONS)
        conn.execute("select pg_terminate_backend(pg_backend_pid())")


def test_connections_that_end_in_an_act_are_the_databases_fault(pipeline: Pipeline) -> None:
    # What acts in the world is not done again by itself.
    attempt = run_op(pipeline, cut_off, acts=True)
    require_failure(attempt, "database", "step:noop_standard", "the database ended the connection")
    assert (attempt.trace.status, attempt.job.status) == ("error", "queued")
    assert attempt.trace.dropped_spans == 0


def test_connections_that_end_in_any_other_step_cost_neither_the_job_nor_its_trace(pipeline: Pipeline) -> None:
    times = itertools.count()

    def compute(work: Work) -> dict[str, int]:
        if (time := next(times)) == 0:
            cut_off(work)
        return {"time": time}

    attempt = run_op(pipeline, compute)
    assert (attempt.job.status, attempt.trace.status, attempt.trace.outcome) == ("completed", "ok", "completed")
    assert attempt.failed == []
    assert [span["span_name"] for span in attempt.spans] == [
        "job:bench.standard",
        "queue:wait",
        "launch",
        "step:noop_standard",
    ]
    assert attempt.named("step:noop_standard")[0]["output_data"] == {"time": 1}
    assert attempt.trace.dropped_spans == 0


# --- a provider


@pytest.fixture(scope="module")
def all_providers() -> Iterator[Providers]:
    with providers() as running:
        yield running


def test_a_provider_that_answers_500_is_named(pipeline: Pipeline, all_providers: Providers) -> None:
    pipeline.configure(GITHUB_TOKEN=GITHUB_TOKEN, GREENLIGHT_GITHUB_URL=all_providers.url)
    stage = Stage(pipeline.db, get_settings(), all_providers, hook_client(all_providers.hook_address))
    _, approval = stage.approved(REPOSITORY)
    all_providers.fault("status", status=500)
    attempt = pipeline.attempt(stage.job(approval).id)
    require_failure(attempt, "provider", f"action:{REPOSITORY}", "GitHub failed (HTTP 500)", "nobody knows whether")
    assert attempt.origin["input_data"]["approval"] == str(approval.id)
    # To HTTP an answer is an answer; what it means is known by who has asked.
    (request,) = attempt.named("http:post")
    assert request["parent_span_id"] == attempt.origin["span_id"]
    assert request["attributes"]["http.response.status_code"] == 500
    assert GITHUB_TOKEN not in str(attempt.spans)


# --- the end of the process


def at_its_question(pipeline: Pipeline, model: SandboxThread, **settings: str) -> tuple[Command, Job]:
    """Let a job run in a process of its own until it waits for the model; return both."""
    model.fault("hang", seconds=FOR_EVER)
    command, job = pipeline.elsewhere(pipeline.question(), **QUICK, **settings)
    eventually(lambda: CHAT in pipeline.open_spans(job) or not command.running, what="the request being seen")
    return command, job


def interrupted(attempt: Attempt, status: str) -> None:
    """Require that all that was under way was interrupted, and that the trace says why by itself."""
    inside = [span for span in attempt.spans if span["span_name"] in UNDER_WAY[1:]]
    assert [span["span_name"] for span in inside] == UNDER_WAY[1:]
    assert {(span["status"], span["error_class"]) for span in inside} == {("cancelled", "cancelled")}
    assert [span["span_name"] for span in inside if span["fingerprint"]] == [CHAT]
    assert (attempt.root["status"], attempt.root["fingerprint"]) == (status, attempt.trace.fingerprint)
    assert attempt.nearest(inside[-1], QUESTION)["input_data"]["call"]["prompt"]
    assert attempt.trace.cost_micros == attempt.ledger["micros"] > 0


def test_a_run_that_is_killed_in_mid_call_shows_what_was_in_flight(pipeline: Pipeline, model: SandboxThread) -> None:
    command, job = at_its_question(pipeline, model)
    command.kill()
    expire_lease(pipeline.db, job.id)
    watch_once(pipeline.db, pipeline.instance)

    lost = Attempt.of(pipeline.db, job.id, job.claim_no)
    assert (lost.trace.status, lost.trace.error_class, lost.trace.outcome) == ("lost", "lost worker", "queued")
    assert [span["span_name"] for span in lost.spans if span["status"] == "lost"] == UNDER_WAY
    assert lost.named(QUESTION)[0]["input_data"]["call"]["prompt"]
    assert [span["span_name"] for span in lost.spans if span["fingerprint"]] == ["job:chat.reply"]
    assert lost.root["fingerprint"] == lost.trace.fingerprint
    # What nobody has settled counts in full, in either book.
    assert lost.trace.cost_micros == lost.ledger["micros"] > 0
    assert "was lost" in lost.why
    assert CHAT in lost.why
    assert (lost.job.status, lost.job.attempts) == ("queued", 0)

    again = pipeline.attempt(job.id)
    assert (again.trace.status, again.trace.claim_no) == ("ok", 2)


def test_a_run_that_is_canceled_is_no_error(pipeline: Pipeline, model: SandboxThread) -> None:
    command, job = at_its_question(pipeline, model)
    assert queue.cancel(pipeline.db, job.id, "Not wanted any more.") == "cancel_requested"
    command.wait()
    attempt = Attempt.of(pipeline.db, job.id, job.claim_no)
    assert (attempt.trace.status, attempt.trace.error_class) == ("cancelled", "cancelled")
    assert attempt.trace.outcome == attempt.job.status == "canceled"
    interrupted(attempt, "cancelled")
    assert "canceled on request (“Not wanted any more.”)" in attempt.why
    open_issues = pipeline.db.fetch_all(
        "select i.fingerprint from public.pipeline_issues i join public.pipeline_spans s using (fingerprint)"
        " where s.trace_id = %s and i.status = 'open'",
        [attempt.trace.trace_id],
    )
    assert open_issues == []


def test_a_run_that_takes_too_long_is_no_cancel(pipeline: Pipeline, model: SandboxThread) -> None:
    command, job = at_its_question(pipeline, model, WORKER_JOB_TIMEOUT_MS="3000")
    command.wait()
    attempt = Attempt.of(pipeline.db, job.id, job.claim_no)
    assert (attempt.trace.status, attempt.trace.error_class) == ("error", "timeout")
    assert attempt.trace.outcome == attempt.job.status == "queued"
    assert attempt.trace.error == attempt.job.last_error == "The run took longer than its 3 s."
    interrupted(attempt, "error")
    assert attempt.trace.error in attempt.why


def test_the_same_error_twice_is_one_issue(pipeline: Pipeline, model: SandboxThread) -> None:
    first, again = (_refused(pipeline, model) for _ in range(2))
    assert first.trace.fingerprint == again.trace.fingerprint
    issue = pipeline.db.fetch_one(
        "select status, last_trace_id from public.pipeline_issues where fingerprint = %s", [again.trace.fingerprint]
    )
    assert issue == {"status": "open", "last_trace_id": again.trace.trace_id}


def _refused(pipeline: Pipeline, model: SandboxThread) -> Attempt:
    model.fault("status", status=403)
    return pipeline.attempt(pipeline.question())
