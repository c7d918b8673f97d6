"""A launched run is an ordinary Dagster run: executed, captured, canceled and found again as any other."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest
from dagster import DagsterRunStatus
from dagster._core.launcher import WorkerStatus

from tests.integration.launcher.conftest import Make
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.launcher import Launching, alive, kill
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def test_a_run_is_carried_out_by_a_process_of_its_own(warm: Launching) -> None:
    spares = warm.launch("quick_job")
    warm.reaches(spares, DagsterRunStatus.SUCCESS)
    waiting = set(warm.spares(2))
    first, second = warm.launch("waiting_job"), warm.launch("waiting_job")
    pids = {warm.began(first), warm.began(second)}
    assert len(pids) == 2
    assert pids == waiting, "the runs were not given to the workers that waited"
    warm.go()
    for run in (first, second):
        warm.reaches(run, DagsterRunStatus.SUCCESS)
    eventually(lambda: not any(alive(pid) for pid in pids), what="the end of both workers")


def test_a_worker_leads_a_session_of_its_own(warm: Launching) -> None:
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    assert os.getsid(pid) == pid
    assert os.getpgid(pid) == pid
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)


def test_what_an_op_prints_is_captured_for_the_ui(warm: Launching) -> None:
    run = warm.launch("printing_job")
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    captured = [entry for entry in warm.logs(run) if entry.dagster_event_type.value == "LOGS_CAPTURED"]
    [key] = [entry.dagster_event.logs_captured_data.file_key for entry in captured]
    manager = warm.instance.compute_log_manager
    log_key = manager.build_log_key_for_run(run.run_id, key)
    eventually(lambda: manager.is_capture_complete(log_key), what="the end of the capture")
    data = manager.get_log_data(log_key)
    assert data.stdout is not None
    assert data.stdout.splitlines() == [b"by Python", b"by descriptor", b"by a child"]
    assert data.stderr is not None
    assert b"as an error" in data.stderr


def test_a_canceled_run_interrupts_its_op(warm: Launching) -> None:
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    assert warm.launcher.terminate(run.run_id) is True
    warm.reaches(run, DagsterRunStatus.CANCELED)
    warm.read(f"interrupted-{run.run_id}")
    eventually(lambda: not alive(pid), what="the end of the worker")
    assert warm.launcher.terminate(run.run_id) is False


def test_a_killed_worker_fails_its_run(warm: Launching) -> None:
    run = warm.launch("waiting_job")
    kill(warm.began(run))
    warm.reaches(run, DagsterRunStatus.FAILURE)
    assert "was ended by SIGKILL" in warm.messages(run)[-1]


def test_the_health_of_a_run_is_known(warm: Launching) -> None:
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    health = warm.launcher.check_run_worker_health(run)
    assert (health.status, health.run_worker_id) == (WorkerStatus.RUNNING, str(pid))
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    eventually(
        lambda: warm.launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND, what="nobody having it"
    )


def test_a_run_that_is_launched_twice_is_carried_out_once(warm: Launching) -> None:
    run = warm.launch("waiting_job")
    warm.began(run)
    warm.submit(run)
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    assert sum("Started process for run" in message for message in warm.messages(run)) == 1


def test_a_run_that_was_deleted_meanwhile_leaves_nothing(warm: Launching) -> None:
    run = warm.create("quick_job")
    warm.instance.delete_run(run.run_id)
    warm.submit(run)
    eventually(lambda: run.run_id not in warm.overview()["running"], what="its being forgotten")
    assert warm.client.status(run.run_id)["is"] == "unknown"


def test_runs_beyond_the_limit_wait_in_order_and_say_so(warm: Launching) -> None:
    going = [warm.launch("waiting_job") for _ in range(4)]
    for run in going:
        warm.began(run)
    later = [warm.launch("waiting_job") for _ in range(3)]
    assert warm.overview()["waiting"] == [run.run_id for run in later]
    assert "All 4 slots of the run launcher are taken: this run waits, number 3 in line." in warm.messages(later[2])
    assert warm.launcher.check_run_worker_health(later[0]).status is WorkerStatus.RUNNING
    # One that has not begun ends at once.
    assert warm.launcher.terminate(later[1].run_id) is True
    assert warm.status(later[1]) is DagsterRunStatus.CANCELED
    warm.go()
    for run in (*going, later[0], later[2]):
        warm.reaches(run, DagsterRunStatus.SUCCESS)
    assert not (warm.folder / f"began-{later[1].run_id}").exists()
    # Several slots may become free at once: what waited begins after what went on, not after each other.
    *begun, last, next_to_last = (
        warm.instance.get_run_stats(run.run_id).start_time or 0.0 for run in (*going, later[0], later[2])
    )
    assert max(begun) < min(last, next_to_last)


def test_nothing_is_left_on_disk_of_runs_that_have_ended(warm: Launching) -> None:
    run = warm.launch("quick_job")
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    records = warm.launcher.launcher_config.records
    eventually(lambda: not list(records.iterdir()), what="no record being left")


@pytest.mark.parametrize("status", [DagsterRunStatus.CANCELED, DagsterRunStatus.SUCCESS])
def test_a_run_that_has_ended_is_not_carried_out(warm: Launching, status: DagsterRunStatus) -> None:
    run = warm.create("waiting_job")
    warm.instance.report_run_canceled(run) if status is DagsterRunStatus.CANCELED else (
        warm.instance.handle_run_event  # the row alone is enough
    )
    if status is DagsterRunStatus.SUCCESS:
        from dagster._core.events import DagsterEvent, DagsterEventType

        warm.instance.report_dagster_event(
            DagsterEvent(DagsterEventType.RUN_SUCCESS.value, run.job_name), run_id=run.run_id
        )
    warm.submit(run)
    eventually(lambda: warm.client.status(run.run_id)["is"] == "unknown", what="its end")
    assert warm.status(run) is status
    assert not (warm.folder / f"began-{run.run_id}").exists()


def test_a_run_that_waits_behind_others_without_a_worker_yet_says_so(make: Make) -> None:
    """Also where all of them were launched before the first had its worker."""
    cold = make(spares=1, max_concurrent_runs=1)
    runs = [cold.create("waiting_job") for _ in range(3)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(cold.submit, runs))
    said = [message for run in runs for message in cold.messages(run) if "this run waits" in message]
    assert [message.rpartition(" number ")[2] for message in sorted(said)] == ["1 in line.", "2 in line."]
    cold.go()
    for run in runs:
        cold.reaches(run, DagsterRunStatus.SUCCESS)
