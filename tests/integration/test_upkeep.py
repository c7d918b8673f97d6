"""Upkeep: what is old and done with goes, in bounded sweeps; whatever is young or still needed stays."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.errors import DagsterExecutionInterruptedError

from schedules import upkeep
from studio import events, queue
from studio.database.connection import Database
from studio.events import NewEvent
from studio.settings import Settings, get_settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_NAME, DagsterHome, defs, enqueue
from tests.support.dagster import events as events_of
from tests.support.queue import claim_next, expire_lease, make_project
from tests.support.traces import make_trace, span

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def let_a_sweep_last(rounds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the time of a sweep be over when the clock has been looked at so often."""
    monkeypatch.setattr(upkeep, "monotonic", itertools.count().__next__)
    monkeypatch.setattr(upkeep, "SECONDS_PER_SWEEP", rounds + 0.5)


@pytest.fixture
def settings() -> Settings:
    return Settings(GREENLIGHT_DELTA_RETENTION_HOURS=24, GREENLIGHT_RUN_RETENTION_DAYS=30)


# --- streamed text


def job_with_deltas(db: Database, count: int, status: str = "completed", age: timedelta = timedelta(hours=25)) -> UUID:
    """Return a job that has `count` deltas and a log line, all of them `age` old."""
    job_id = enqueue(db, make_project(db))
    claim = claim_next(db)
    said = [NewEvent("delta", f"{number} ") for number in range(count)]
    with db.transaction() as conn:
        events.append(conn, job_id, [*said, NewEvent("log", "kept")], claim.claim_no)
    db.execute("update public.agent_job_events set created_at = now() - %s where job_id = %s", [age, job_id])
    if status == "completed":
        claim.complete()
    return job_id


def deltas(db: Database, job_id: UUID) -> int:
    return len(events_of(db, job_id, "delta"))


def test_events_of_jobs_that_ended_long_ago_go_where_the_settings_say_so(
    database: Database, settings: Settings
) -> None:
    old, young, running = (job_with_deltas(database, 3, status) for status in ("completed", "failed", "running"))
    database.execute("update agent_jobs set completed_at = now() - interval '40 days' where id = %s", [old])
    assert upkeep.prune_events(database, settings) == {}
    kept = settings.model_copy(update={"event_retention_days": 30.0})
    done = upkeep.prune_events(database, kept)
    assert done["jobs_without_events"] == 1
    assert [everything(database, job_id) for job_id in (old, young, running)] == [0, 6, 6]
    assert upkeep.prune_events(database, kept)["deleted_events"] == 0

    # A job that comes back has events again, which go in their time.
    database.execute("update agent_jobs set status = 'queued' where id = %s", [old])
    database.execute("update agent_jobs set status = 'canceled' where id = %s", [old])
    database.execute("update agent_jobs set completed_at = now() - interval '40 days' where id = %s", [old])
    assert everything(database, old) == 2
    assert upkeep.prune_events(database, kept)["deleted_events"] == 2


def everything(db: Database, job_id: UUID) -> int:
    row = db.fetch_one("select count(*)::int as n from public.agent_job_events where job_id = %s", [job_id])
    return row["n"] if row else 0


def test_old_deltas_of_ended_jobs_go_and_nothing_else(database: Database, settings: Settings) -> None:
    old = job_with_deltas(database, 3)
    young = job_with_deltas(database, 3, age=timedelta(hours=23))
    running = job_with_deltas(database, 3, status="running")
    before = len(events_of(database, old))
    assert upkeep.prune_deltas(database, settings) == 3
    assert [deltas(database, job_id) for job_id in (old, young, running)] == [0, 3, 3]
    assert len(events_of(database, old)) == before - 3
    assert upkeep.prune_deltas(database, settings) == 0


def test_a_sweep_takes_deltas_in_batches_and_leaves_the_rest_to_the_next(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "DELTA_BATCH", 3)
    let_a_sweep_last(2, monkeypatch)
    job_id = job_with_deltas(database, 10)
    assert [upkeep.prune_deltas(database, settings) for _ in range(3)] == [6, 4, 0]
    assert deltas(database, job_id) == 0


def test_a_follower_is_not_confused_by_what_is_gone(database: Database, settings: Settings) -> None:
    job_id = job_with_deltas(database, 5)
    project = queue.get(database, job_id).project_id
    last = events.last_seq(database, project)
    upkeep.prune_deltas(database, settings)
    found = events.read_after(database, project, 0)
    assert [event.seq for event in found] == sorted(event.seq for event in found)
    assert found[-1].seq == last
    with database.transaction() as conn:
        events.append(conn, job_id, [NewEvent("log", "next")])
    assert [event.seq for event in events.read_after(database, project, last)] == [last + 1]


# --- runs


def make_run(
    home: DagsterHome, instance: DagsterInstance, status: DagsterRunStatus, age: timedelta = timedelta(days=31)
) -> str:
    """Return the id of a run in `status` with an event in its log, last touched `age` ago."""
    run = instance.create_run_for_job(job_def=defs.resolve_job_def(JOB_NAME), status=status)
    instance.report_engine_event("Something happened.", run)
    with _dagster_database(home) as conn:
        conn.execute(
            "update runs set update_timestamp = (now() at time zone 'utc') - %s where run_id = %s", [age, run.run_id]
        )
    return run.run_id


def _dagster_database(home: DagsterHome) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(home.variables["GREENLIGHT_DAGSTER_DATABASE_URL"].replace("+psycopg2", ""))


@pytest.mark.parametrize("status", [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED])
def test_old_runs_go_with_their_logs(
    status: DagsterRunStatus, home: DagsterHome, instance: DagsterInstance, settings: Settings
) -> None:
    old = make_run(home, instance, status)
    young = make_run(home, instance, status, age=timedelta(days=29))
    assert upkeep.prune_runs(instance, settings) == 1
    assert instance.get_run_by_id(old) is None
    assert [run.run_id for run in instance.get_runs()] == [young]
    with _dagster_database(home) as conn:
        assert conn.execute("select distinct run_id from event_logs").fetchall() == [(young,)]


def test_captured_output_goes_with_its_run(home: DagsterHome, settings: Settings) -> None:
    output = home.folder / "storage"
    home.configure(
        compute_logs={
            "module": "dagster._core.storage.local_compute_log_manager",
            "class": "LocalComputeLogManager",
            "config": {"base_dir": str(output)},
        }
    )
    with DagsterInstance.from_config(str(home.folder)) as instance:
        old = make_run(home, instance, DagsterRunStatus.SUCCESS)
        young = make_run(home, instance, DagsterRunStatus.SUCCESS, age=timedelta(days=1))
        for run_id in (old, young):
            (output / run_id / "compute_logs").mkdir(parents=True)
            (output / run_id / "compute_logs" / "step.err").write_text("a line\n")
        assert upkeep.prune_runs(instance, settings) == 1
    assert [folder.name for folder in output.iterdir()] == [young]


@pytest.mark.parametrize(
    "status",
    [
        DagsterRunStatus.NOT_STARTED,
        DagsterRunStatus.STARTING,
        DagsterRunStatus.STARTED,
        DagsterRunStatus.CANCELING,
    ],
)
def test_a_run_that_has_not_ended_stays_however_old(
    status: DagsterRunStatus, home: DagsterHome, instance: DagsterInstance, settings: Settings
) -> None:
    run_id = make_run(home, instance, status)
    assert upkeep.prune_runs(instance, settings) == 0
    assert instance.get_run_by_id(run_id) is not None


def test_a_sweep_takes_the_oldest_runs_until_its_time_is_over_and_leaves_the_rest_to_the_next(
    home: DagsterHome, instance: DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The clock is looked at for each batch and for each run of it.
    monkeypatch.setattr(upkeep, "RUN_BATCH", 2)
    let_a_sweep_last(5, monkeypatch)
    runs = [make_run(home, instance, DagsterRunStatus.SUCCESS, timedelta(days=40 - day)) for day in range(5)]
    assert upkeep.prune_runs(instance, settings) == 3
    assert {run.run_id for run in instance.get_runs()} == set(runs[3:])
    assert [upkeep.prune_runs(instance, settings) for _ in range(2)] == [2, 0]


def test_as_many_runs_go_in_one_sweep_as_there_is_time_for(
    home: DagsterHome, instance: DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upkeep, "RUN_BATCH", 2)
    for _ in range(7):
        make_run(home, instance, DagsterRunStatus.SUCCESS)
    assert upkeep.prune_runs(instance, settings) == 7


def test_a_sweep_that_is_stopped_leaves_nothing_that_the_next_does_not_find(
    home: DagsterHome, instance: DagsterInstance, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(2):
        make_run(home, instance, DagsterRunStatus.SUCCESS)

    def stopped(_run_id: str) -> None:
        raise DagsterExecutionInterruptedError

    with monkeypatch.context() as patch:
        patch.setattr(instance.run_storage, "delete_run", stopped)
        with pytest.raises(DagsterExecutionInterruptedError):
            upkeep.prune_runs(instance, settings)
    with _dagster_database(home) as conn:
        assert conn.execute("select count(*) from event_logs").fetchone() == (1,)
    assert upkeep.prune_runs(instance, settings) == 2
    with _dagster_database(home) as conn:
        rows = conn.execute("select count(*) from event_logs union all select count(*) from runs").fetchall()
    assert rows == [(0,), (0,)]


# --- caches


def test_expired_scans_go(database: Database) -> None:
    for domain, lives in (("old.example", timedelta(seconds=-1)), ("new.example", timedelta(hours=1))):
        database.execute(
            "insert into public.domain_scan_cache (domain, result, expires_at) values (%s, '{}', now() + %s)",
            [domain, lives],
        )
    assert upkeep.prune_scans(database) == 1
    assert database.fetch_all("select domain from public.domain_scan_cache") == [{"domain": "new.example"}]


# --- the job and its schedule


def test_one_run_does_all_of_it_and_says_what_was_done(
    home: DagsterHome,
    instance: DagsterInstance,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    old = job_with_deltas(database, 4)
    make_run(home, instance, DagsterRunStatus.SUCCESS)
    lost = enqueue(database, make_project(database))
    claim_next(database)
    expire_lease(database, lost)
    make_trace(database, spans=[span("job:test.work", 0, 10), span("step:work", 0, 10, under=0)])
    # Its spans say what went in; the row of the trace is made old by the database's clock.
    database.execute("update public.pipeline_traces set created_at = now() - interval '31 days'")
    make_trace(database, ago=timedelta(days=8), spans=[span("job:test.work", 0, 10, input_data={"idea": "Bread"})])
    monkeypatch.setenv("GREENLIGHT_DELTA_RETENTION_HOURS", "1")
    monkeypatch.setenv("GREENLIGHT_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()

    result = defs.resolve_job_def("upkeep").execute_in_process(instance=instance)
    assert result.success
    [output] = [event for event in result.all_events if event.is_successful_output]
    assert {name: value.value for name, value in output.step_output_data.metadata.items()} == {
        "reclaimed_jobs": 1,
        "deleted_deltas": 4,
        "deleted_runs": 1,
        "deleted_traces": 1,
        "deleted_spans": 2,
        "cleared_payloads": 1,
        "kept_slow_traces": 0,
        "forgotten_issues": 0,
        "forgotten_alerts": 0,
        "forgotten_takes": 0,
        "deleted_copies": 0,
        "deleted_scans": 0,
        "deleted_files": 0,
    }
    assert deltas(database, old) == 0
    assert queue.get(database, lost).status == "queued"
    # Its own run is young, and one of those that go one day.
    assert [run.job_name for run in instance.get_runs()] == ["upkeep"]


def test_what_fails_keeps_nothing_else_from_being_done_and_fails_the_run(
    instance: DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    old = job_with_deltas(database, 4)
    make_trace(database, spans=[span("job:test.work", 0, 10)])
    database.execute("update public.pipeline_traces set created_at = now() - interval '31 days'")
    monkeypatch.setenv("GREENLIGHT_DELTA_RETENTION_HOURS", "1")
    monkeypatch.setenv("GREENLIGHT_DATA_DIR", str(tmp_path))
    get_settings.cache_clear()

    def broken(*_: object) -> int:
        raise RuntimeError("It is away.")

    def broken_later(*_: object) -> int:
        raise ValueError("So is this.")

    monkeypatch.setattr(upkeep, "prune_runs", broken)
    monkeypatch.setattr(upkeep.issues, "prune", broken_later)
    result = defs.resolve_job_def("upkeep").execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    [failure] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert failure.user_failure_data is not None
    assert failure.user_failure_data.description == "RuntimeError: It is away."
    told = {name: value.value for name, value in failure.user_failure_data.metadata.items()}
    assert (told["deleted_deltas"], told["deleted_traces"], told["deleted_spans"]) == (4, 1, 1)
    assert told.keys().isdisjoint({"deleted_runs", "forgotten_issues"})
    assert deltas(database, old) == 0
    # What went wrong has its place in the trace of the upkeep.
    row = database.fetch_one("select status, error_type from public.pipeline_traces where pipeline_name = 'upkeep'")
    assert row == {"status": "error", "error_type": "RuntimeError"}


def test_it_runs_every_hour() -> None:
    schedule = defs.get_repository_def().get_schedule_def("upkeep_hourly")
    assert (schedule.job_name, schedule.cron_schedule, schedule.execution_timezone) == ("upkeep", "17 * * * *", "UTC")
