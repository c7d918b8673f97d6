"""The explanation of an attempt names the true cause of its failure, what was tried, and what became of the job.

The errors are those that the studio's own code raises; only the rows around them are made here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import anthropic
import httpx
import httpx2
import psycopg
import pytest
from pydantic import BaseModel

from studio import queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.errors import translate
from studio.errors import BudgetExhausted, LeaseLost, ModelUnavailable, StudioError
from studio.job_types import JOB_TYPES, parse_payload
from studio.model.answers import Answer
from studio.model.prices import Usage
from studio.model.structure import parse
from studio.model.transport import do_not_resend, translated
from studio.operations import explanation
from studio.providers.service import Reply, Service
from studio.tracing import ids
from studio.tracing.fault import Fault, fault_of, lost_worker
from studio.tracing.redaction import Redactor
from tests.support.queue import AT_ONCE, enqueue, expire_lease, make_due, make_project, running
from tests.support.traces import make_trace, span

MODEL = "claude-sonnet-5"
RETRIED = ["job:test.work", "queue:wait", "step:research", "agent:researcher", "llm:anthropic", f"chat {MODEL}"]
IN_STEP = ["job:test.work", "queue:wait", "step:research"]
IN_ACTION = ["job:test.work", "queue:wait", "step:perform", "action:deploy_product"]
REDACTOR = Redactor()
_times = itertools.count(1)


def raised(work: Callable[[], Any]) -> BaseException:
    """Return the error that `work` raises, with its traceback."""
    try:
        work()
    except BaseException as exc:  # noqa: BLE001 - interrupts are among them
        return exc
    raise AssertionError("nothing was raised")


def failed(exc: BaseException) -> Callable[[], Any]:
    def work() -> None:
        raise exc

    return work


def attempt(
    claim: Claim,
    fault: Fault,
    path: Sequence[str] = RETRIED,
    *,
    status: str = "error",
    origin: int | None = None,
    chat: dict[str, Any] | None = None,
    extra: Sequence[Any] = (),
    **trace: Any,
) -> UUID:
    """Store the trace of a claim: a chain of spans as in `path`, whose last (or `origin`) the fault came up in."""
    error = {"error": fault.message, "error_type": fault.type, "error_class": fault.error_class}
    at = len(path) - 1 if origin is None else origin
    spans: list[Any] = []
    for number, name in enumerate(path):
        if name == "queue:wait":
            spans.append(span(name, 0, 3000, under=0))
            continue
        under = None if number == 0 else 0 if number == 2 else number - 1
        columns: dict[str, Any] = {} if number > at else {"status": status, **error}
        if number == at:
            columns |= {"fingerprint": fault.fingerprint, "stack": fault.stack}
        if name.startswith("chat"):
            columns |= chat or {}
        spans.append(span(name, 3000 + 100 * number if number else 0, 72_000, under=under, **columns))
    trace.setdefault("outcome", queue.get(claim.db, claim.job_id).status)
    return make_trace(
        claim.db,
        project_id=claim.job.project_id,
        spans=[*spans, *extra],
        trace_id=ids.of_claim(claim.job_id, claim.claim_no),
        job_id=claim.job_id,
        claim_no=claim.claim_no,
        attempt=claim.job.attempts,
        ago=timedelta(minutes=30, seconds=-next(_times)),
        **{"error": fault.message, "error_type": fault.type, "error_class": fault.error_class,
           "fingerprint": fault.fingerprint, "status": status, **trace},
    ).trace_id  # fmt: skip


def fail(claim: Claim, exc: BaseException) -> str:
    """End the claim as a run does whose step has raised `exc`."""
    permanent = isinstance(exc, StudioError) and exc.permanent
    return claim.fail(str(exc), permanent=permanent, retry_base=timedelta(minutes=10))


def explained(db: Database, trace_id: UUID, *said: str) -> str:
    """Return the explanation, which is one paragraph, says all of `said`, and reads like sentences."""
    text = explanation.explain(db, trace_id)
    assert "\n" not in text
    assert all(words in text for words in said), text
    assert not re.search(r"\.\.|\.”\.|HTTP 200|  |\(\)|None|“”| \.", text), text
    return text


# --- models


def refusal(status: int, message: str) -> anthropic.APIStatusError:
    request = httpx2.Request("POST", "http://model.test/v1/messages")
    body = {"type": "error", "error": {"type": "an_error", "message": message}}
    response = httpx2.Response(status, request=request, json=body)
    return anthropic.Anthropic(api_key="x", base_url="http://model.test")._make_status_error_from_response(response)


def refused(number: int, status: int) -> dict[str, Any]:
    return {"name": "attempt_failed", "at_ms": number * 100.0, "number": number, "status": status}


@pytest.mark.parametrize(
    ("status", "words"),
    [(429, "was asked too often for the account's limits (HTTP 429)"), (529, "was overloaded (HTTP 529)")],
)
def test_a_model_that_is_busy_until_the_retries_are_used_up(database: Database, status: int, words: str) -> None:
    claim = running(database)
    exc = refusal(status, "Try again later")
    fail(claim, translated(exc, MODEL))
    chat = {"retries": 2, "events": [refused(n, status) for n in (1, 2, 3)]}
    text = explained(
        database,
        attempt(claim, fault_of(raised(failed(exc)), REDACTOR), chat=chat),
        "Attempt 1 of 3 at test.work for “Project",
        f"in step research, agent researcher, while asking the model {MODEL}.",
        f"the model service {words}",
        "; the error was ",
        f"Error: “Try again later (HTTP {status})”.",
        f"The model was asked 3 times within 1 min 8 s, and each time it came to HTTP {status}; the retries are used",
        "It had waited 3.0 s in the queue",
        "This error has not come up before.",
        "The job is queued again, and due in ",
        "What to do:",
    )
    assert "tried again" not in text


def test_a_model_service_that_refuses_the_key(database: Database) -> None:
    claim = running(database)
    exc = refusal(401, "invalid x-api-key")
    fail(claim, translated(exc, MODEL))
    explained(
        database,
        attempt(claim, fault_of(raised(failed(exc)), REDACTOR), chat={"events": [refused(1, 401)]}),
        "the model service refused the key (HTTP 401)",
        "The job has failed for good, because trying again would not help.",
        "What to do: Check ANTHROPIC_API_KEY.",
    )


def test_a_model_whose_answer_breaks_off(database: Database) -> None:
    claim = running(database)
    cut = httpx2.RemoteProtocolError("peer closed connection without sending complete message body")
    fail(claim, ModelUnavailable(f"The stream of the model broke: {cut}.", ""))
    explained(
        database,
        attempt(claim, fault_of(raised(failed(cut)), REDACTOR), chat={"first_token_ms": 900.0}),
        "the connection to the model broke in the middle of its answer; the error was RemoteProtocolError:",
        "its answer had begun after 900 ms",
    )


def test_a_model_that_does_not_answer_in_time(database: Database) -> None:
    claim = running(database)
    late = httpx2.ReadTimeout("The answer takes too long.")
    fail(
        claim, ModelUnavailable("The model took longer than the 60 s of profile researcher.", "The job is tried again.")
    )
    explained(
        database,
        attempt(claim, fault_of(raised(failed(late)), REDACTOR)),
        "the model did not finish its answer in time; the error was ReadTimeout: “The answer takes too long.”",
        "The model was asked once, for 1 min 8 s, and not again",
    )


def test_a_model_that_says_nothing_at_all(database: Database) -> None:
    claim = running(database)
    request = httpx2.Request("POST", "http://model.test/v1/messages")
    exc = raised(lambda: do_not_resend(request, failed_with(anthropic.APITimeoutError(request=request))))
    assert isinstance(exc, anthropic.AnthropicError)
    fail(claim, translated(exc, MODEL))
    said = {"name": "attempt_failed", "at_ms": 1.0, "number": 1, "problem": f"BrokenAfterSending: {exc}"}
    text = explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), chat={"events": [said]}),
        "the model did not finish its answer in time; the error was BrokenAfterSending: “Request timed out",
        "The model was asked once, for 1 min 8 s, and not again",
        "What to do: Look at the service's status page",
    )
    assert "https://" not in text


def failed_with(exc: Exception) -> Callable[[Any], Any]:
    def call(_: Any) -> None:
        raise exc

    return call


def test_a_model_that_is_overloaded_in_the_middle_of_its_answer(database: Database) -> None:
    claim = running(database)
    body = {"type": "error", "error": {"type": "overloaded_error", "message": "Too many at once"}}
    response = httpx2.Response(200, request=httpx2.Request("POST", "http://model.test/v1/messages"))
    exc = anthropic.APIStatusError(str(body), response=response, body=body)
    fail(claim, translated(exc, MODEL))
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), chat={"first_token_ms": 20.0}),
        "the model service was overloaded; the error was APIStatusError: “Too many at once”.",
    )


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("The model service is busy: Slow down (HTTP 429).", "asked too often for the account's limits (HTTP 429)"),
        ("The model cannot be reached: Overloaded (HTTP 529).", "the model service was overloaded (HTTP 529)"),
        ("The model cannot be reached: Connection error.", "the connection to the model service broke, or could not"),
        ("The model cannot be reached: Oops (HTTP 500).", "the model service failed (HTTP 500)"),
        ("The stream of the model broke: it ended before the answer did.", "broke in the middle of its answer"),
        ("The model took longer than the 60 s of profile chat.", "the model did not finish its answer in time"),
    ],
    ids=["429", "529", "away", "500", "cut", "late"],
)
def test_the_studios_own_words_for_it_tell_the_same(database: Database, message: str, words: str) -> None:
    fault = fault_of(ModelUnavailable(message, "The job is tried again."), REDACTOR)
    error = {"error": fault.message, "error_type": fault.type, "error_class": fault.error_class}
    spans = [span("job:x", 0, 9, **error), span("llm:anthropic", 0, 9, under=0, fingerprint="f", **error)]
    text = explained(database, make_trace(database, spans=spans).trace_id, words, message)
    assert "tried again" not in text


class Pitch(BaseModel):
    """What a model is asked for."""

    synopsis: str


def test_a_model_that_gives_an_invalid_answer_twice(database: Database) -> None:
    claim = running(database)
    answer = Answer("Not JSON at all", MODEL, "end_turn", Usage(), 0)
    exc = raised(lambda: parse(answer, Pitch))
    fail(claim, exc)
    path = RETRIED[:5]
    extra = [span(f"chat {MODEL}", 4000 + n, 5000 + n, under=4) for n in range(2)]
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), path, extra=extra),
        "the model gave an invalid answer twice",
        "The model's answer does not fit Pitch: it is not a JSON object.",
        "The model was asked twice within 1.0 s, and answered each time.",
        "What to do: Retry the job; if it happens again, set CLAUDE_DIRECT_MODEL to another model.",
    )


def test_a_budget_that_is_used_up(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(BudgetExhausted(
        "The project's budget does not cover the next model call: it may cost $0.40, and $0.10 of $1.00 are left.",
        "Raise it with `greenlight projects budget`.",
    )))  # fmt: skip
    fail(claim, exc)
    text = explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), RETRIED[:5]),
        "the project's budget is exhausted",
        "it may cost $0.40, and $0.10 of $1.00 are left.",
        "What to do: Raise it with `greenlight projects budget`.",
    )
    assert text.count("greenlight projects budget") == 1


# --- the database


def test_a_database_that_is_restarted(database: Database) -> None:
    claim = running(database)
    with database.connect() as conn:
        database.execute("select pg_terminate_backend(%s)", [conn.info.backend_pid])
        exc = raised(lambda: conn.execute("select 1"))
    assert isinstance(exc, psycopg.OperationalError)
    claim.release(f"The database was away. {translate(exc)}")
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), IN_STEP),
        "in step research.",
        "the database ended the connection, because it was shut down or restarted",
        "The job is queued again, and due now.",
    )


@pytest.mark.parametrize("kind", ["statement", "lock"])
def test_a_database_that_gives_up_on_a_statement(database: Database, kind: str) -> None:
    claim = running(database)
    with database.connect() as holder, holder.transaction():
        holder.execute("lock table public.projects")
        with database.connect() as conn:
            conn.execute(f"set {kind}_timeout = 1".encode())
            exc = raised(lambda: conn.execute("select * from public.projects"))
    fail(claim, exc)
    path = [*IN_STEP, "db:query"]
    words = {
        "statement": "a statement took longer than the database allows (statement timeout)",
        "lock": "a statement waited too long for a lock that another session held (lock timeout)",
    }
    text = explained(
        database, attempt(claim, fault_of(exc, REDACTOR), path), "while waiting for the database", words[kind]
    )
    assert words["lock" if kind == "statement" else "statement"] not in text


# --- providers


GITHUB = Service("GitHub", "http://github.test", timeout=5, secrets=[], account="the token (GITHUB_TOKEN)")


def test_a_provider_that_fails(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(GITHUB.failure(Reply(500, b""), "")))
    fail(claim, exc)
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), IN_ACTION),
        "in step perform, action deploy_product.",
        "GitHub failed (HTTP 500), and nobody knows whether it did what it was asked",
        "What to do: See there what became of it.",
    )


def test_a_provider_that_refuses_the_credentials(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(GITHUB.failure(Reply(401, b""), "Bad credentials")))
    fail(claim, exc)
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), IN_ACTION),
        "GitHub refused the credentials (HTTP 401)",
        "Bad credentials",
        "What to do: Check the token (GITHUB_TOKEN) and what it may reach.",
    )


def test_a_provider_that_hangs(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = running(database)

    def hang(*_: object, **__: object) -> None:
        raise httpx.ReadTimeout("timed out")

    monkeypatch.setattr(httpx.Client, "stream", hang)
    exc = raised(lambda: GITHUB.change("POST", "/repos", headers={}))
    fail(claim, exc)
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), [*IN_ACTION, "http:post"]),
        "GitHub did not answer in time, and nobody knows whether it did what it was asked",
        "caused by ReadTimeout",
    )


# --- the work itself


def test_a_payload_that_is_invalid(database: Database) -> None:
    claim = running(database)
    exc = raised(
        lambda: parse_payload(JOB_TYPES["phase.generate_packet"], claim.job.project_id, {"projectId": "x", "phase": 9})
    )
    fail(claim, exc)
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), IN_STEP),
        "a value that the work was given cannot be used: it is invalid; the error was InvalidPayload:",
        "phase",
        "The job has failed for good",
    )


def test_an_error_in_our_own_code(database: Database) -> None:
    claim = running(database)
    exc = raised(lambda: 1 // 0)
    stack = "jobs.phase0_generate_packet.research:41\nstudio.phases.research.Research.score:17"
    fault = fault_of(exc, REDACTOR)
    fail(claim, exc)
    explained(
        database,
        attempt(claim, Fault(fault.type, fault.message, fault.error_class, fault.fingerprint, stack), IN_STEP),
        "an error in our own code (ZeroDivisionError); the error was ZeroDivisionError: “integer division or modulo",
        "at studio.phases.research.Research.score:17",
        "It is a bug",
    )


def test_an_attempt_that_takes_too_long(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(TimeoutError("The run took longer than its 600 s.")))
    fail(claim, exc)
    inner = fault_of(raised(failed(KeyboardInterrupt())), REDACTOR)
    trace_id = attempt(claim, fault_of(exc, REDACTOR), RETRIED, origin=0, extra=[_broken_off(inner)])
    text = explained(database, trace_id, "the attempt took longer than it may", "in step slow")
    assert "KeyboardInterrupt" not in text


def _broken_off(inner: Fault) -> Any:
    """Return the span that an interrupt has ended."""
    return span(
        "step:slow", 5000, 71_000, under=0, status="cancelled", error=inner.message, error_type=inner.type,
        error_class=inner.error_class, fingerprint=inner.fingerprint,
    )  # fmt: skip


# --- workers, cancels


def test_a_process_that_was_killed_in_the_middle_of_a_call(database: Database) -> None:
    claim = running(database)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    in_flight = ["job:test.work", "step:research", "agent:researcher", "llm:anthropic", f"chat {MODEL}"]
    fault = lost_worker("test.work", in_flight, "The lease ran out: the worker is lost.", REDACTOR)
    lost = {"status": "lost", "error": fault.message, "error_type": fault.type, "error_class": fault.error_class}
    spans = [span(name, 1000 * n, 60_000, under=n - 1 if n else None, **lost) for n, name in enumerate(in_flight)]
    spans[0].fingerprint = fault.fingerprint
    spans.append(span("tool:search", 4500, 5000, under=2))
    trace = make_trace(
        database,
        spans=spans,
        trace_id=ids.of_claim(claim.job_id, claim.claim_no),
        job_id=claim.job_id,
        claim_no=claim.claim_no,
        attempt=1,
        outcome="queued",
        dagster_run_id="run-17",
    )
    explained(
        database,
        trace.trace_id,
        f"was lost in step research, agent researcher, while asking the model {MODEL}",
        "its process ended without a word",
        "In flight were step:research (for 59 s), agent:researcher (for 58 s), llm:anthropic (for 57 s)",
        "55 s before the loss was noticed",
        "The job is queued again, and due now.",
        "run-17",
    )


def test_a_run_that_was_lost_before_it_began(database: Database) -> None:
    claim = running(database)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    fault = lost_worker("test.work", ["launch"], "The run never began.", REDACTOR)
    lost = {"status": "lost", "error": fault.message, "error_type": fault.type, "error_class": fault.error_class}
    spans = [span("job:test.work", 0, 9000, **lost), span("launch", 0, 9000, under=0, fingerprint="l", **lost)]
    trace = make_trace(database, spans=spans, trace_id=ids.of_claim(claim.job_id, 1), job_id=claim.job_id)
    explained(database, trace.trace_id, "was lost while its run was being launched", "The run never began.")


def test_an_attempt_that_lost_its_lease(database: Database) -> None:
    claim = running(database)
    expire_lease(database, claim.job_id)
    queue.reclaim_stale(database)
    exc = raised(failed(LeaseLost("The lease ran out while the run went on.", "Another attempt has the job.")))
    inner = fault_of(raised(failed(KeyboardInterrupt())), REDACTOR)
    explained(
        database,
        attempt(claim, fault_of(exc, REDACTOR), RETRIED[:2], origin=0, outcome="lost", extra=[_broken_off(inner)]),
        "in step slow",
        "the attempt lost its lease, so that another one may have the job",
        "The job is queued again",
    )


def test_a_job_that_a_person_has_canceled(database: Database) -> None:
    claim = running(database)
    queue.cancel(database, claim.job_id, "Canceled in the studio.")
    claim.cancel()
    fault = fault_of(CancelledError("The job was canceled."), REDACTOR)
    text = explained(
        database,
        attempt(claim, fault, IN_STEP, status="cancelled"),
        "was canceled on request (“Canceled in the studio.”) after 1 min 12 s in step research.",
        "That is no error",
        "The job is canceled.",
    )
    assert "What to do" not in text


def test_a_run_that_was_interrupted(database: Database) -> None:
    claim = running(database)
    claim.release("The run was interrupted.")
    fault = fault_of(CancelledError("The run was interrupted."), REDACTOR)
    explained(
        database,
        attempt(claim, fault, IN_STEP, status="cancelled"),
        "was interrupted (“The run was interrupted.”)",
        "The job is queued again",
    )


# --- before and after


def test_what_happened_before_and_afterwards_is_told(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(ValueError("The tea is cold.")))
    fault = fault_of(exc, REDACTOR)
    claim.fail(str(exc), permanent=False, retry_base=AT_ONCE)
    first = attempt(claim, fault, IN_STEP)
    make_due(database, claim.job_id)
    again = queue.claim(database, "worker", limit=1, lane="standard", lease=timedelta(hours=1))
    second = Claim(database, again[0])
    explained(database, first, "The job was queued again, and is being tried again now.")
    fail(second, exc)
    make_due(database, claim.job_id)
    text = explained(
        database,
        attempt(second, fault, IN_STEP),
        "Attempt 2 of 3",
        "The attempt before ended in the same way.",
        "This error has come up twice since",
        "always in this job.",
    )
    third = Claim(database, queue.claim(database, "worker", limit=1, lane="standard", lease=timedelta(hours=1))[0])
    fail(third, exc)
    explained(
        database,
        attempt(third, fault, IN_STEP),
        "Attempt 3 of 3",
        "The 2 attempts before did the same.",
        "The job has failed for good, because this was its last attempt.",
    )
    explained(database, first, "The job was queued again, and failed for good in a later attempt at")
    assert "in a later attempt" not in text
    other = running(database)
    fail(other, exc)
    explained(database, attempt(other, fault, IN_STEP), "come up 4 times since", "in 1 other job.")


def test_an_error_that_came_back_after_it_was_resolved(database: Database) -> None:
    claim = running(database)
    exc = raised(failed(ValueError("The tea is cold.")))
    fail(claim, exc)
    fault = fault_of(exc, REDACTOR)
    first = attempt(claim, fault, IN_STEP)
    database.execute(
        "update public.pipeline_issues set status = 'resolved', resolved_at = now() - interval '25 minutes'"
    )
    make_trace(database, spans=[span("step:x", 0, 5, error="x", fingerprint=fault.fingerprint)], ago=timedelta(0))
    explained(database, first, "It had been resolved, and came back at")


def test_that_it_came_back_to_somebody_else_is_told_to_operators_alone(database: Database) -> None:
    exc = raised(failed(ValueError("The tea is cold.")))
    fault = fault_of(exc, REDACTOR)
    mine, theirs = make_project(database, owner_clerk_id="ada"), make_project(database, owner_clerk_id="bob")
    enqueue(database, mine)
    claim = Claim(database, queue.claim(database, "w", limit=1, lane="standard", lease=timedelta(hours=1))[0])
    fail(claim, exc)
    trace_id = attempt(claim, fault, IN_STEP)

    def again(project: UUID, ago: timedelta) -> None:
        spans = [span("step:x", 0, 5, error="x", fingerprint=fault.fingerprint)]
        make_trace(database, project_id=project, spans=spans, ago=ago)

    again(mine, timedelta(minutes=40))
    database.execute(
        "update public.pipeline_issues set status = 'resolved', resolved_at = now() - interval '25 minutes'"
    )
    again(theirs, timedelta(0))
    assert "It had been resolved, and came back at" in explanation.explain(database, trace_id)
    assert "resolved" not in explanation.explain(database, trace_id, "ada")


def test_an_owner_is_told_of_his_own_jobs_alone(database: Database) -> None:
    exc = raised(failed(ValueError("The tea is cold.")))
    fault = fault_of(exc, REDACTOR)
    for owner in ("ada", "bob"):
        project = make_project(database, owner_clerk_id=owner)
        enqueue(database, project)
        claim = Claim(database, queue.claim(database, "w", limit=1, lane="standard", lease=timedelta(hours=1))[0])
        fail(claim, exc)
        trace_id = attempt(claim, fault, IN_STEP)
    assert "in 1 other job" in explanation.explain(database, trace_id)
    assert "has not come up before" in explanation.explain(database, trace_id, "bob")
    with pytest.raises(StudioError):
        explanation.explain(database, trace_id, "ada")


# --- where nothing has failed


def test_an_attempt_that_runs(database: Database) -> None:
    claim = running(database)
    spans = [
        span("job:test.work", 0, None),
        span("step:research", 1000, None, under=0),
        span("tool:search", 1500, 1600, under=1, error="Nothing found.", fingerprint="t"),
        span("agent:researcher", 2000, None, under=1),
    ]
    trace = make_trace(
        database,
        spans=spans,
        job_id=claim.job_id,
        trace_id=ids.of_claim(claim.job_id, 1),
        start=datetime.now(UTC) - timedelta(minutes=10, seconds=5),
    )
    text = explained(
        database,
        trace.trace_id,
        "Attempt 1 of 3 at test.work has been running for 10 min",
        "in step research, agent researcher.",
        "It has been there for ",
        "1 error came up in it in tool:search (“Nothing found.”).",
    )
    assert "overcome" not in text


def test_an_attempt_that_ended_well(database: Database) -> None:
    spans = [
        span("job:test.work", 0, 42_000),
        span("queue:wait", 0, 2000, under=0),
        span("tool:search", 3000, 3100, under=0, error="Nothing found.", fingerprint="t"),
    ]
    trace = make_trace(database, spans=spans, model_calls=4, cost_micros=12_300)
    explained(
        database,
        trace.trace_id,
        "Attempt 1 at test.work ended well after 42 s, of which it waited 2.0 s in the queue.",
        "It made 4 requests to the model, for $0.0123.",
        "1 error came up in it in tool:search (“Nothing found.”) and was overcome.",
    )
