"""Health counts what is there now and says in sentences what is not as it should be; what is well makes no noise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from studio.database.connection import Database
from studio.listener import Listener
from studio.model import spend as ledger
from studio.model.prices import Usage
from studio.model.spend import Spender
from studio.operations import alert_checks, health, stream_lag, trace_keeping
from studio.operations.flow import Flow
from studio.operations.health import Health
from studio.settings import Settings
from tests.support.postgres import TestServer
from tests.support.queue import make_project
from tests.support.queue_rows import put_job
from tests.support.traces import make_trace, rows, span, store


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(GREENLIGHT_DATA_DIR=tmp_path)


@pytest.fixture
def listener(database: Database) -> Iterator[Listener]:
    with Listener(database) as listener:
        yield listener


def look(db: Database, settings: Settings, listener: Listener | None = None) -> Health:
    return health.look(db, settings, listener=listener)


def of_type(found: Health, name: str = "test.work") -> Flow:
    return next(kind for kind in found.job_types if kind.name == name)


def sentences(found: Health, status: str) -> list[str]:
    return [problem.words for problem in found.problems if problem.status == status]


def test_an_idle_installation_is_well(database: Database, settings: Settings) -> None:
    found = look(database, settings)
    assert (found.status, found.problems) == ("ok", [])
    assert [lane.name for lane in found.lanes] == ["heavy", "realtime", "standard"]
    assert (found.job_types, found.oldest_waiting, found.workers, found.open_issues) == ([], None, [], {})
    assert found.stream.listens
    assert found.stream.lag_seconds is not None
    assert found.uptime_seconds is None


# --- what goes through


def test_jobs_are_counted_where_they_are(database: Database, settings: Settings, listener: Listener) -> None:
    project = make_project(database)
    for _ in range(2):
        put_job(database, "running", project=project)
    put_job(database, run_after="now() - interval '20 seconds'", created_at="now() - interval '1 day'")
    put_job(database, run_after="now() + interval '1 hour'")
    put_job(database, job_type="test.other", lane="heavy", run_after="now() - interval '5 seconds'")
    found = look(database, settings, listener)
    work, [heavy, _, standard] = of_type(found), found.lanes
    assert (work.running, work.queued, work.due) == (2, 2, 1)
    assert 20 <= work.oldest_due_seconds < 120
    assert (standard.running, standard.queued, standard.due, standard.takeable) == (2, 2, 1, 1)
    assert standard.saturation == standard.running / standard.slots
    assert (heavy.running, heavy.queued, heavy.due, heavy.saturation) == (0, 1, 1, 0)
    assert 5 <= heavy.late_seconds < 120


def test_rates_are_those_of_five_minutes_and_of_the_hour(database: Database, settings: Settings) -> None:
    ended = (
        [("completed", 2)] * 3 + [("completed", 30)] * 6 + [("failed", 30)] * 2 + [("canceled", 2), ("completed", 70)]
    )
    for status, minutes in ended:
        ago = f"now() - interval '{minutes} minutes'"
        put_job(database, status, run_after=ago, started_at=ago, completed_at=ago)
    work = of_type(look(database, settings))
    assert (work.completed, work.failed, work.canceled) == (9, 2, 1)
    assert work.started_per_minute == (4 / 5, 12 / 60)
    assert work.completed_per_minute == (3 / 5, 9 / 60)


def test_attempts_are_those_of_traces_and_times_of_those_that_went_well(database: Database, settings: Settings) -> None:
    well = [rows(end_ms=ms, queue_ms=ms / 10, ago=timedelta(minutes=5)) for ms in range(1000, 101_001, 1000)]
    failed = [rows(end_ms=9e6, status="error", ago=timedelta(minutes=155)) for _ in range(3)]
    others = [
        rows(end_ms=1000, status="lost", ago=timedelta(minutes=5)),
        rows(end_ms=1000, status="cancelled", ago=timedelta(minutes=5)),
        *(rows(end_ms=1000, status=status, ago=timedelta(minutes=90)) for status in ("error", "lost", "cancelled")),
        rows(end_ms=1000, status="error", kind="synthetic", ago=timedelta(minutes=5)),
        rows(end_ms=None),
    ]
    store(database, *well, *failed, *others)
    found = look(database, settings)
    work, standard = of_type(found), next(lane for lane in found.lanes if lane.name == "standard")
    for flow in (work, standard):
        assert (flow.attempts, flow.errors, flow.lost, flow.cancelled) == (106, 3, 1, 1)
        assert flow.error_rate == 4 / 106
        assert flow.duration_ms == (51_000, 96_000, 100_000)
        assert flow.queue_ms == (5_100, 9_600, 10_000)
    assert next(lane for lane in found.lanes if lane.name == "heavy").duration_ms is None


def test_a_type_that_mostly_fails_is_a_problem_and_a_few_failures_are_none(
    database: Database, settings: Settings, listener: Listener
) -> None:
    few = [rows("test.few", end_ms=1, status="error", ago=timedelta(minutes=1)) for _ in range(4)]
    half = [
        rows("test.half", end_ms=1, status=status, ago=timedelta(minutes=1)) for status in ("ok", "error", "lost") * 2
    ]
    most_well = [rows("test.well", end_ms=1, ago=timedelta(minutes=1)) for _ in range(9)]
    store(database, *few, *half, *most_well)
    found = look(database, settings, listener)
    assert found.status == "degraded"
    assert sentences(found, "degraded") == ["4 of 6 attempts at test.half failed in the last hour."]


# --- who holds what


@pytest.mark.parametrize(
    ("left", "run", "ends"),
    [
        (44, "run", False),
        (31, "run", False),
        (25, "run", True),
        (25, None, False),
        (10, None, True),
        (-5, "run", False),
    ],
    ids=["renewed", "nearly renewed", "missed one", "launching", "launching for long", "over"],
)
def test_a_lease_that_was_not_renewed_is_about_to_end(
    database: Database, settings: Settings, listener: Listener, left: int, run: str | None, ends: bool
) -> None:
    """A lease lasts 60 s and is renewed every 15; what has no run yet is not renewed at all."""
    until = f"now() + interval '{left} seconds'"
    job = put_job(database, "running", leased_until=until, dagster_run_id=run, locked_by="greenlight:standard")
    found = look(database, settings, listener)
    assert [(lease.job_id, lease.run_id, lease.worker_id) for lease in found.leases.ending] == (
        [(job, run, "greenlight:standard")] if ends else []
    )
    assert found.leases.expired == (left < 0)
    assert bool(found.problems) is ends
    assert found.status == ("degraded" if ends else "ok")


def test_what_waits_longest_and_who_works_is_named(database: Database, settings: Settings, listener: Listener) -> None:
    put_job(database, run_after="now() - interval '10 seconds'")
    oldest = put_job(database, run_after="now() - interval '20 seconds'", lane="heavy")
    put_job(database, run_after="now() + interval '20 seconds'")
    for run in ("run-1", "run-2", None):
        put_job(database, "running", dagster_run_id=run, locked_by="greenlight:standard")
    put_job(database, "running", locked_by=None, lane="heavy")
    found = look(database, settings, listener)
    assert found.oldest_waiting is not None
    assert (found.oldest_waiting.job_id, found.oldest_waiting.lane) == (oldest, "heavy")
    assert found.oldest_waiting.seconds >= 20
    assert [(one.worker_id, one.running, one.launching, sorted(one.runs)) for one in found.workers] == [
        ("greenlight:standard", 3, 1, ["run-1", "run-2"]),
        ("unknown", 1, 1, []),
    ]
    assert found.last_claim_at is not None


def test_work_that_nobody_takes_is_worse_than_all_else(
    database: Database, settings: Settings, listener: Listener
) -> None:
    put_job(database, "running", leased_until="now() + interval '5 seconds'", dagster_run_id="run")
    put_job(database, run_after="now() - interval '10 minutes'")
    found = look(database, settings, listener)
    assert found.status == "down"
    assert [problem.status for problem in found.problems] == ["down", "degraded"]
    assert all(problem.words.endswith(".") for problem in found.problems)


# --- news


def test_a_notification_that_does_not_come_back_is_a_problem(
    database: Database, settings: Settings, postgres: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_lag, "LONGEST_SECONDS", 0.2)
    with Database(postgres.url("postgres")) as elsewhere, Listener(elsewhere) as deaf:
        found = look(database, settings, deaf)
    assert (found.stream.listens, found.stream.lag_seconds, found.status) == (True, None, "degraded")
    assert "has not come back" in found.problems[0].words


def test_without_listen_nothing_is_measured(database: Database, tmp_path: Path) -> None:
    found = look(database, Settings(GREENLIGHT_DATA_DIR=tmp_path, GREENLIGHT_DB_LISTEN=False))
    assert (found.stream.listens, found.stream.lag_seconds, found.problems) == (False, None, [])


# --- money


def spend(db: Database, project: UUID, micros: int | None, at: str, reserved: int = 0) -> None:
    db.execute(
        "insert into public.model_calls (project_id, step, agent, model, cost_micros, reserved_micros, reserved_tokens,"
        f" created_at) values (%s, 'research', 'ceo', 'm', %s, %s, 0, {at})",  # type: ignore[arg-type]
        [project, micros, reserved],
    )


def budget(db: Database, project: UUID, **columns: int) -> None:
    row = {"spent_micros": 0, "cap_micros": 100, "spent_tokens": 0, "cap_tokens": 100, "calls": 0, "cap_calls": 100}
    row |= {"reserved_micros": 0, "reserved_tokens": 0}
    db.execute(
        "insert into public.project_budgets (project_id, spent_micros, cap_micros, spent_tokens, cap_tokens, calls,"
        " cap_calls, reserved_micros, reserved_tokens) values (%(p)s, %(spent_micros)s, %(cap_micros)s,"
        " %(spent_tokens)s, %(cap_tokens)s, %(calls)s, %(cap_calls)s, %(reserved_micros)s, %(reserved_tokens)s)",
        {"p": project, **row, **columns},
    )


def test_spending_is_that_of_today_and_of_a_day(database: Database, settings: Settings, listener: Listener) -> None:
    midnight = "date_trunc('day', now() at time zone 'utc') at time zone 'utc'"
    for _ in range(2):
        project = make_project(database)
        budget(database, project)
        spend(database, project, 500, midnight)
        spend(database, project, None, "now()", reserved=70)
        spend(database, project, 1000, "now() - interval '25 hours'")
        spend(database, project, 30, f"{midnight} - interval '1 microsecond'")
    spending = look(database, settings, listener).spending
    assert (spending.today_micros, spending.day_micros, spending.day_calls) == (1140, 1200, 6)


def test_projects_near_a_cap_are_named_and_no_fault(database: Database, settings: Settings, listener: Listener) -> None:
    def project(name: str, status: str = "active", **columns: int) -> UUID:
        made = make_project(database, name=name, status=status)
        budget(database, made, **columns)
        return made

    calls, money = project("Calls", calls=80), project("Money", spent_micros=95, spent_tokens=85)
    reserved = project("Reserved", spent_micros=50, reserved_micros=32)
    project("Far", spent_micros=79)
    forgotten = project("Forgotten", spent_micros=100)
    database.execute(
        "update public.project_budgets set updated_at = now() - interval '8 days' where project_id = %s", [forgotten]
    )
    project("Killed", "killed", spent_micros=100)
    project("Stopped", cap_calls=0, calls=5)
    found = look(database, settings, listener)
    assert [(one.project_id, one.name, one.cap, one.share) for one in found.spending.near_cap] == [
        (money, "Money", "money", 0.95),
        (reserved, "Reserved", "money", 0.82),
        (calls, "Calls", "calls", 0.8),
    ]
    assert (found.spending.near_cap_projects, found.status) == (3, "ok")
    assert sentences(found, "ok") == ["Projects that have used 80 % of a cap or more: 3."]
    # Whoever is alerted reads the same figures here.
    with database.transaction() as conn:
        told = list(alert_checks.spend(conn, settings))
    assert [(one.project_id, max(one.data["percent"].values())) for one in told] == [
        (money, 95.0),
        (reserved, 82.0),
        (calls, 80.0),
    ]
    assert told[0].data["percent"] == {"money": 95.0, "tokens": 85.0}


def test_what_is_spent_is_what_the_ledger_has(database: Database, settings: Settings, listener: Listener) -> None:
    project = make_project(database)
    budget(database, project, cap_micros=10_000, cap_tokens=10_000)
    spender = Spender(project)
    calls = [
        ledger.reserve(database, spender, step="s", agent="a", model="m", micros=100, usage=Usage(10)) for _ in range(7)
    ]
    for number, call in enumerate(calls[:5]):
        # One that was refused, and billed nothing, is a call all the same.
        ledger.settle(database, call, micros=10 * number, usage=Usage(5), duration_ms=1)
    spending = look(database, settings, listener).spending
    known = ledger.budget(database, project)
    assert (spending.day_calls, spending.day_micros) == (known.calls, known.spent_micros + known.reserved_micros)
    assert (spending.day_calls, spending.day_micros) == (7, 300)


# --- traces


def test_traces_that_are_open_lost_or_not_whole_are_counted(database: Database, settings: Settings) -> None:
    make_trace(database, end_ms=None)
    make_trace(database, status="lost", dropped_spans=7)
    make_trace(database, status="error", kind="synthetic")
    make_trace(
        database,
        spans=[
            span("job:test.work", 0, 9, error="No.", fingerprint="f", error_class="model"),
            span("step:a", 0, 9, under=0),
        ],
    )
    found = look(database, settings)
    traces = found.traces
    assert (traces.day, traces.day_failed, traces.day_lost, traces.day_dropped_spans, traces.open) == (3, 1, 1, 7, 1)
    assert found.open_issues == {"model": 1}
    assert sentences(found, "degraded") == ["7 spans of the last 24 hours could be kept nowhere."]


def test_files_that_wait_on_the_disk_are_a_problem_when_nobody_takes_them(
    database: Database, settings: Settings, listener: Listener
) -> None:
    folder = settings.data_dir / trace_keeping.SPILL_FOLDER
    folder.mkdir()
    young, old = folder / "postgres-1-a.jsonl", folder / "postgres-1-b.jsonl"
    young.write_text("12345")
    (folder / "postgres-1-c.jsonl.tmp").write_text("unfinished")
    found = look(database, settings, listener)
    assert (found.traces.spilled.files, found.traces.spilled.bytes, found.status) == (1, 5, "ok")
    old.write_text("123")
    os.utime(old, (time.time() - 7200,) * 2)
    (folder / "postgres-1-d.jsonl.bad").write_text("?")
    found = look(database, settings, listener)
    assert (found.traces.spilled.files, found.traces.spilled.bytes, found.traces.spilled.unreadable) == (2, 8, 1)
    assert sentences(found, "degraded") == [
        "2 files of traces on the disk, the oldest for 2 h: nobody takes them up.",
        "Unreadable files of traces on the disk, which end in .bad: 1.",
    ]


def test_where_nothing_was_ever_spilled_there_is_no_folder(tmp_path: Path) -> None:
    nothing: Any = trace_keeping.spilled(tmp_path / "nowhere")
    assert (nothing.files, nothing.bytes, nothing.oldest_seconds, nothing.unreadable) == (0, 0, 0.0, 0)
