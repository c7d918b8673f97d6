"""`greenlight jobs` lists, shows, follows, cancels and retries."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import UUID

import pytest

from greenlight_dagster.cli.tailing import follow_job
from studio import queue
from studio.database.connection import Database
from studio.event_writer import EventWriter
from studio.events import NewEvent
from studio.settings import Settings
from tests.support.cli import DEADLINE, Greenlight, bring_to, claimed
from tests.support.queue import (
    InBackground,
    enqueue,
    statuses,
)
from tests.support.waiting import eventually

# --- jobs


def test_jobs_are_listed_by_project_and_status(greenlight: Greenlight, db: Database, project: UUID, job: UUID) -> None:
    other = enqueue(db, project)
    bring_to(db, other, "failed")
    listed = greenlight("jobs", "list", "--project", project, "--json").json
    assert [row["id"] for row in listed] == [str(other), str(job)]
    failed = greenlight("jobs", "list", "--project", project, "--status", "failed")
    assert str(other) in failed.out
    assert str(job) not in failed.out
    assert "The model refuses the key." in failed.out
    assert "No jobs." in greenlight("jobs", "list", "--project", project, "--status", "canceled").out


def test_a_job_is_shown_with_its_steps_and_model_calls(greenlight: Greenlight, finished: tuple[UUID, UUID]) -> None:
    _, job_id = finished
    shown = greenlight("jobs", "show", job_id, "--json").json
    assert shown["job"]["status"] == "completed"
    assert {"load_context", "research", "research/market", "synthesize", "announce"} <= {
        s["step"] for s in shown["steps"]
    }
    assert len(shown["model_calls"]) == shown["spent"]["calls"] == 5
    assert shown["spent"]["cost_micros"] == sum(call["cost_micros"] for call in shown["model_calls"])
    plain = greenlight("jobs", "show", job_id)
    assert plain.code == 0
    assert "research/market" in plain.out
    assert "ceo_phase0" in plain.out


def test_a_job_without_steps_is_shown_too(greenlight: Greenlight, db: Database, job: UUID) -> None:
    db.execute("update public.agent_jobs set interruptions = 1 where id = %s", [job])
    ran = greenlight("jobs", "show", job)
    assert ran.code == 0
    assert "of 3, 1 interruption\n" in "\n".join(line.rstrip() for line in ran.out.splitlines())
    assert "0 tokens, 0 calls" in ran.out
    assert "No finished steps." in ran.out
    assert "No model calls." in ran.out


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        ("queued", "canceled", "is canceled."),
        ("running", "cancel_requested", "is being stopped."),
        ("completed", "completed", "is not canceled: it had completed before."),
        ("failed", "failed", "is not canceled: it had failed before."),
    ],
)
def test_a_cancel_says_what_it_did(
    greenlight: Greenlight, db: Database, project: UUID, status: str, answer: str, said: str
) -> None:
    first, second = enqueue(db, project), enqueue(db, project)
    bring_to(db, first, status)
    bring_to(db, second, status)
    assert said in greenlight("jobs", "cancel", first).out
    assert greenlight("jobs", "cancel", second, "--json").json == {"job_id": str(second), "status": answer}
    assert queue.get(db, first).status == ("canceled" if status == "queued" else status)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_that_did_not_succeed_can_be_retried(
    greenlight: Greenlight, db: Database, job: UUID, status: str
) -> None:
    bring_to(db, job, status)
    assert f"Job {job} is queued again." in greenlight("jobs", "retry", job).out
    assert queue.get(db, job).status == "queued"


@pytest.mark.parametrize(
    ("status", "remedy"), [("queued", "Cancel it first"), ("running", "Cancel it first"), ("completed", "new key")]
)
def test_other_jobs_cannot_be_retried(
    greenlight: Greenlight, db: Database, job: UUID, status: str, remedy: str
) -> None:
    bring_to(db, job, status)
    greenlight("jobs", "retry", job).fails(f"is {status}", remedy)


# --- tail

FOLLOWERS = (
    "select 1 from pg_stat_activity where datname = current_database() and application_name = 'greenlight-cli'"
    " and query like '%%agent_job_events%%'"
)


def drive(db: Database, job_id: UUID, *, error: str | None = None) -> None:
    """Do what a run does to a job's events, and end it."""
    claim = claimed(db, job_id)
    writer = EventWriter(claim, f"run-{job_id}", flush_seconds=0.01)
    step = {"op": "research", "dagster_run_id": f"run-{job_id}"}
    writer.emit(NewEvent("log", "Started", {**step, "step_event": "STEP_START"}))
    writer.emit(NewEvent("tool_call", "web_search ← tools", {**step, "tool": "web_search"}))
    for word in ("The ", "market ", "is [bold]large[/bold]."):
        writer.delta(word, {"step": "research"})
    writer.emit(NewEvent("log", "ceo: …", {**step, "cost_micros": 5, "input_tokens": 10, "output_tokens": 2}))
    writer.emit(NewEvent("log", "Done", {**step, "step_event": "STEP_SUCCESS", "duration_ms": 1500}))
    writer.emit(NewEvent("artifact", "Phase 0 packet, version 1", step))
    writer.flush()
    if error is None:
        claim.complete()
    else:
        claim.fail(error, permanent=True, retry_base=timedelta(0))
    writer.close()


@pytest.mark.parametrize("listen", ["true", "false"])
def test_a_job_is_followed_until_it_completes(
    greenlight: Greenlight, db: Database, job: UUID, monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    monkeypatch.setenv("GREENLIGHT_DB_LISTEN", listen)
    monkeypatch.setenv("WORKER_POLL_MS", "50")
    tail = InBackground(lambda: greenlight("jobs", "tail", job, "--json"))
    eventually(lambda: db.fetch_one(FOLLOWERS), what="the tail looking at the events")
    drive(db, job)
    ran = tail.result(DEADLINE)
    assert (ran.code, ran.err) == (0, "")
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    assert {event["job_id"] for event in told} == {str(job)}
    assert [e["message"] for e in told if e["type"] == "status"] == ["queued", "running", "completed"]
    assert "".join(e["message"] for e in told if e["type"] == "delta") == "The market is [bold]large[/bold]."
    assert [e["type"] for e in told][-1] == "status"


def test_a_tail_reads_as_lines(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job)
    ran = greenlight("jobs", "tail", job)
    assert ran.code == 0
    lines = [line.split(maxsplit=1)[1] for line in ran.out.splitlines()]
    assert lines == [
        "queued",
        "running (attempt 1)",
        "▸ research",
        "web_search ← tools",
        "ceo: …",
        "✓ research 1.50 s",
        "◆ Phase 0 packet, version 1",
        "completed (attempt 1)",
    ]


def test_a_tail_of_a_job_that_failed_is_exit_code_1(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job, error="The model [red]refuses[/red] the key.")
    ran = greenlight("jobs", "tail", job)
    assert ran.code == 1
    assert ran.err == ""
    assert "failed (attempt 1)  The model [red]refuses[/red] the key." in ran.out


def test_a_tail_may_begin_later(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job)
    everything = [json.loads(line) for line in greenlight("jobs", "tail", job, "--json").out.splitlines()]
    middle = everything[3]["seq"]
    rest = greenlight("jobs", "tail", job, "--after", middle, "--json")
    assert [json.loads(line) for line in rest.out.splitlines()] == everything[4:]
    beyond = greenlight("jobs", "tail", job, "--after", everything[-1]["seq"] + 100)
    assert (beyond.code, beyond.out) == (0, "")


def test_other_jobs_of_the_project_do_not_hold_a_tail_open(
    greenlight: Greenlight, db: Database, project: UUID, job: UUID
) -> None:
    drive(db, job)
    later = enqueue(db, project)
    drive(db, later)
    ran = InBackground(lambda: greenlight("jobs", "tail", job)).result(DEADLINE)
    assert ran.code == 0
    assert statuses(db, later)[-1] == "completed"


def test_a_live_tail_draws_the_same_story(db: Database, job: UUID, capsys: pytest.CaptureFixture[str]) -> None:
    drive(db, job)
    view = follow_job(db, job, settings=Settings(), live=True)
    assert (view.status, view.attempt, view.calls, view.tokens) == ("completed", 1, 1, 12)
    assert view.steps["research"].state == "done"
    picture = capsys.readouterr().out
    assert "◆ Phase 0 packet, version 1" in picture
    assert "The market is [bold]large[/bold]." in picture
