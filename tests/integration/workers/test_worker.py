"""Runs of a fleet: each is carried out once, by a process that has the code, whatever dies or is delivered twice.

All tests share one worker with two processes of the standard lane and one of the heavy one; each leaves it at work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest
from dagster import DagsterRunStatus
from dagster._core.launcher import WorkerStatus

from studio import fleet, queue
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, OWNER, make_project
from tests.support.fleet_site import HEARTBEAT_SECONDS, FleetSite, fleet_installed, node_of
from tests.support.launcher import alive, kill
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread
from tests.support.site import PATIENCE, Process
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


@pytest.fixture(scope="module")
def model() -> Iterator[SandboxThread]:
    with SandboxThread() as running:
        yield running


@pytest.fixture(scope="module")
def shared(
    postgres: TestServer, database_template: str, dagster_template: str, model: SandboxThread
) -> Iterator[tuple[FleetSite, Process]]:
    with fleet_installed(postgres, database_template, dagster_template) as made:
        made.variables |= {
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "sandbox",
            "CLAUDE_DIRECT_MODEL": "sandbox",
            "GREENLIGHT_MODEL_RETRIES": "0",
            "GREENLIGHT_WORKER_MAX_RUNS": "5",
        }
        yield made, made.worker("standard=2", "heavy=1")


@pytest.fixture
def site(shared: tuple[FleetSite, Process], monkeypatch: pytest.MonkeyPatch) -> Iterator[FleetSite]:
    site, process = shared
    site.takes_runs(process, "standard@here", "heavy@here")
    with site.in_this_process(monkeypatch):
        yield site
        site.rest()


@pytest.fixture
def worker(shared: tuple[FleetSite, Process]) -> Process:
    return shared[1]


def test_a_run_is_carried_out_by_a_process_that_its_lane_has(site: FleetSite, worker: Process) -> None:
    standard, heavy = site.launch_job("waiting_job"), site.launch_job("waiting_job", "heavy")
    processes = [site.began(standard), site.began(heavy)]
    nodes = {node_of(worker, pid) for pid in processes}
    assert len(nodes) == 2, "a lane has taken the other's run"
    assert all(os.getsid(pid) == pid for pid in processes)
    take = fleet.take_of(site.database, heavy.run_id)
    assert take is not None
    assert (take.worker_id, take.pid, take.ending) == ("heavy@here", processes[1], None)
    health = site.run_launcher.check_run_worker_health(heavy)
    assert (health.status, health.run_worker_id) == (WorkerStatus.RUNNING, "heavy@here")
    site.go()
    for run in (standard, heavy):
        site.reaches(run, DagsterRunStatus.SUCCESS)
        eventually(lambda run=run: fleet.take_of(site.database, run.run_id).ending == "done", what="its end")


def test_what_a_run_prints_is_read_on_another_machine(site: FleetSite) -> None:
    run = site.launch_job("printing_job")
    site.reaches(run, DagsterRunStatus.SUCCESS)
    captured = [
        entry for entry in site.instance.all_logs(run.run_id) if entry.dagster_event.event_type_value == "LOGS_CAPTURED"
    ]
    [key] = [entry.dagster_event.logs_captured_data.file_key for entry in captured]
    # This process's home is another one than the worker's.
    manager = site.instance.compute_log_manager
    log_key = manager.build_log_key_for_run(run.run_id, key)
    eventually(lambda: manager.is_capture_complete(log_key), what="the end of the capture")
    data = manager.get_log_data(log_key)
    assert data.stdout.splitlines() == [b"by Python", b"by descriptor", b"by a child"]
    assert b"as an error" in data.stderr
    manager.delete_logs(prefix=[run.run_id])
    assert manager.get_log_data(log_key).stdout is None


def test_a_message_that_is_delivered_twice_starts_nothing(site: FleetSite) -> None:
    run = site.create_run("waiting_job")
    site.submit(run)
    site.began(run)
    # The second process is free, so it takes this one.
    site.submit(run)
    after = site.launch_job("quick_job")
    site.reaches(after, DagsterRunStatus.SUCCESS)
    site.go()
    site.reaches(run, DagsterRunStatus.SUCCESS)
    site.submit(run)
    site.reaches(site.launch_job("quick_job"), DagsterRunStatus.SUCCESS)
    assert site.starts(run) == 1
    assert site.ends(run) is DagsterRunStatus.SUCCESS


def test_a_canceled_run_is_interrupted_where_it_goes_on(site: FleetSite) -> None:
    run = site.launch_job("waiting_job")
    site.began(run)
    assert site.run_launcher.terminate(run.run_id) is True
    site.reaches(run, DagsterRunStatus.CANCELED)
    assert (site.files / f"interrupted-{run.run_id}").exists()
    assert site.run_launcher.terminate(run.run_id) is False


def test_a_run_that_is_canceled_before_anybody_took_it_never_begins(site: FleetSite) -> None:
    going = [site.launch_job("waiting_job"), site.launch_job("waiting_job")]
    for run in going:
        site.began(run)
    waits = site.launch_job("waiting_job")
    assert "waits" in str(site.run_launcher.get_run_worker_debug_info(waits))
    assert site.run_launcher.terminate(waits.run_id) is True
    site.reaches(waits, DagsterRunStatus.CANCELED)
    site.go()
    for run in going:
        site.reaches(run, DagsterRunStatus.SUCCESS)
    # Its message is taken by now, or will be before this one.
    site.reaches(site.launch_job("quick_job"), DagsterRunStatus.SUCCESS)
    assert site.starts(waits) == 0


def test_a_killed_process_is_told_of_and_its_children_go_with_it(site: FleetSite) -> None:
    run = site.launch_job("deaf_job")
    pid = site.began(run)
    child = int((site.files / f"child-{run.run_id}").read_text())
    kill(pid)
    site.reaches(run, DagsterRunStatus.FAILURE)
    assert any("was lost" in message for message in site.messages(run))
    eventually(lambda: not alive(child), what="the end of what it had started")
    take = fleet.take_of(site.database, run.run_id)
    assert take is not None
    assert "lost" in str(take.ending)
    assert site.run_launcher.check_run_worker_health(run).status is WorkerStatus.FAILED
    site.reaches(site.launch_job("quick_job"), DagsterRunStatus.SUCCESS)


def test_a_job_whose_process_was_killed_is_back_in_the_queue_at_once(site: FleetSite, model: SandboxThread) -> None:
    model.fault("hang", seconds=600)
    project = make_project(site.database, email=None)
    job_id = site.enqueue(JOB_TYPE, project, {"ownerClerkId": OWNER})
    run = site.launch(job_id)
    site.run_of(job_id)
    eventually(lambda: model.requests(), PATIENCE, "a question to the model")
    take = fleet.take_of(site.database, run.run_id)
    assert take is not None
    assert take.pid is not None
    kill(take.pid)
    job = site.becomes(job_id, "queued")
    # Long before its lease of half a minute would have ended, and without a burnt attempt.
    assert (job.attempts, job.interruptions) == (0, 1)
    assert site.ends(run) is DagsterRunStatus.FAILURE
    model.clear()
    queue.cancel(site.database, job_id)


def test_a_worker_that_is_killed_is_followed_by_another_one(site: FleetSite, worker: Process) -> None:
    run = site.launch_job("waiting_job")
    pid = site.began(run)
    node = node_of(worker, pid)
    before = {w.worker_id: w.started_at for w in site.workers()}
    kill(node)
    site.reaches(run, DagsterRunStatus.FAILURE)
    eventually(lambda: not alive(pid), what="the end of its run")

    def followed() -> bool:
        # The killed one's last heartbeat counts for a while yet.
        return all(w.started_at > before[w.worker_id] for w in site.workers() if w.worker_id == "standard@here")

    eventually(followed, PATIENCE, "another worker of its name")
    site.takes_runs(worker, "standard@here")
    site.go()
    site.reaches(site.launch_job("waiting_job"), DagsterRunStatus.SUCCESS)


def test_a_process_that_was_made_later_has_no_connection_to_the_broker(site: FleetSite, worker: Process) -> None:
    # It would keep the connection of a killed node open, and what the broker sends there is read by nobody.
    run = site.launch_job("waiting_job")
    pid = site.began(run)
    node = psutil.Process(node_of(worker, pid))
    kill(pid)
    site.reaches(run, DagsterRunStatus.FAILURE)
    site.go()
    site.reaches(site.launch_job("quick_job"), DagsterRunStatus.SUCCESS)

    def to_broker(process: psutil.Process) -> bool:
        return any(one.raddr and one.raddr.port == site.broker.port for one in process.net_connections("tcp"))

    def made_again() -> list[psutil.Process]:
        children = node.children()
        return children if len(children) == 2 and pid not in [child.pid for child in children] else []

    children = eventually(made_again, PATIENCE, "another process")
    assert to_broker(node)
    eventually(lambda: not any(map(to_broker, children)), what="processes without a connection to the broker")


def test_a_killed_reporter_is_followed_by_another_one(site: FleetSite, worker: Process) -> None:
    reporter = min(child.pid for child in psutil.Process(worker.pid).children())
    kill(reporter)
    worker.says("The reporter")
    eventually(lambda: all(w.lives for w in site.workers()), what="heartbeats")
    run = site.launch_job("waiting_job")
    kill(site.began(run))
    site.reaches(run, DagsterRunStatus.FAILURE)


def test_a_broker_that_loses_everything_costs_what_nobody_had_taken(site: FleetSite, worker: Process) -> None:
    going = [site.launch_job("waiting_job"), site.launch_job("waiting_job")]
    for run in going:
        site.began(run)
    lost = site.launch_job("quick_job")
    site.broker.kill()
    eventually(lambda: {w.status for w in site.workers()} == {"error"}, PATIENCE, "workers without a broker")
    assert fleet.offered_slots(site.database, "standard", HEARTBEAT_SECONDS) == 0, (
        "they offer themselves without a broker"
    )
    site.broker.start()
    site.takes_runs(worker, "standard@here")
    site.go()
    for run in going:
        site.reaches(run, DagsterRunStatus.SUCCESS)
        assert site.starts(run) == 1
    # What it had is gone; the claim of its job would end by itself, and its run then be ended by the watcher.
    site.reaches(site.launch_job("quick_job"), DagsterRunStatus.SUCCESS)
    assert site.starts(lost) == 0


def test_a_process_that_has_carried_out_enough_is_replaced(site: FleetSite) -> None:
    seen = set()
    for _ in range(8):
        run = site.launch_job("quick_job", "heavy")
        site.reaches(run, DagsterRunStatus.SUCCESS)
        take = fleet.take_of(site.database, run.run_id)
        assert take is not None
        seen.add(take.pid)
    assert len(seen) >= 2


def test_a_signal_of_the_terminal_reaches_no_run(site: FleetSite, worker: Process) -> None:
    run = site.launch_job("waiting_job")
    pid = site.began(run)
    assert os.getpgid(pid) != os.getpgid(worker.pid)
    assert os.getsid(pid) != os.getsid(worker.pid)
    site.go()
    site.reaches(run, DagsterRunStatus.SUCCESS)
