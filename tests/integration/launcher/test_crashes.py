"""Whatever part of the launcher dies, its runs end, are reported lost, or begin later: none is lost or done twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import replace

import psutil
import pytest
from dagster import DagsterRun, DagsterRunStatus

from greenlight_dagster.launcher.client import LauncherClient
from greenlight_dagster.launcher.records import Process, Records
from tests.integration.launcher.conftest import Make
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.launcher import Launching, alive, kill, processes_on
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS


def starts(warm: Launching, run: object) -> int:
    """Return how many processes have begun the run."""
    return sum("Started process for run" in message for message in warm.messages(run))


def given_to_a_sleeping_worker(warm: Launching) -> tuple[DagsterRun, int]:
    """Launch a run that is given to a stopped worker: told of it, and not awake to it. Return both."""
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    [spare] = warm.spares(1)
    os.kill(spare, signal.SIGSTOP)
    run = warm.launch("waiting_job")
    eventually(lambda: warm.client.status(run.run_id)["pid"] == spare, what="the run being given to it")
    return run, spare


def test_a_killed_server_is_followed_by_one_that_knows_its_runs(make: Make) -> None:
    warm = make(spares=1, max_concurrent_runs=1)
    going = warm.launch("waiting_job")
    pid = warm.began(going)
    waits = warm.launch("waiting_job")
    before = warm.overview()["pid"]
    kill(before)
    eventually(lambda: warm.overview()["pid"] != before, what="the next server")
    assert warm.overview()["running"] == {going.run_id: pid}
    assert warm.overview()["waiting"] == [waits.run_id]
    assert alive(pid)
    warm.go()
    for run in (going, waits):
        warm.reaches(run, DagsterRunStatus.SUCCESS)
        assert starts(warm, run) == 1
    eventually(lambda: not list(warm.launcher.launcher_config.records.iterdir()), what="no record being left")


def test_a_run_that_died_with_its_server_is_reported(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    server = warm.overview()["pid"]
    os.kill(server, signal.SIGSTOP)
    kill(pid)
    kill(server)
    warm.reaches(run, DagsterRunStatus.FAILURE)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_canceled_run_goes_on_being_canceled_after_a_crash_of_the_server(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("waiting_job")
    warm.began(run)
    kill(warm.overview()["pid"])
    assert warm.launcher.terminate(run.run_id) is True
    warm.reaches(run, DagsterRunStatus.CANCELED)


def test_a_killed_template_is_replaced_and_its_runs_go_on(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    spare = warm.spares(1)
    template = warm.template()
    kill(template)
    eventually(lambda: warm.template() != template, what="another template")
    assert warm.spares(1) != spare
    eventually(lambda: not any(alive(left) for left in spare), what="the end of the old spare")
    assert warm.client.status(run.run_id) == {"is": "running", "pid": pid}
    later = warm.launch("quick_job")
    warm.reaches(later, DagsterRunStatus.SUCCESS)
    kill(pid)
    warm.reaches(run, DagsterRunStatus.FAILURE)


def test_killed_spares_are_replaced(make: Make) -> None:
    warm = make(spares=2)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    for spare in (killed := warm.spares(2)):
        kill(spare)
    assert not set(eventually(lambda: warm.spares(2) if warm.spares(2) != killed else None)) & set(killed)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)


def test_a_run_whose_worker_dies_before_touching_it_is_given_to_another(make: Make) -> None:
    warm = make(spares=1)
    run, spare = given_to_a_sleeping_worker(warm)
    kill(spare)
    assert warm.began(run) != spare
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    assert starts(warm, run) == 1


def test_a_run_that_ignores_its_cancel_is_killed_with_its_children(make: Make) -> None:
    warm = make(spares=1, terminate_grace_seconds=1)
    run = warm.launch("deaf_job")
    pid, child = warm.began(run), int(warm.read(f"child-{run.run_id}"))
    assert warm.launcher.terminate(run.run_id) is True
    warm.read(f"interrupted-{run.run_id}")
    warm.reaches(run, DagsterRunStatus.CANCELED)
    eventually(lambda: not alive(pid) and not alive(child), what="the end of both processes")


def test_a_server_that_is_told_to_stop_leaves_its_runs_to_the_next(make: Make) -> None:
    warm = make(spares=1, max_concurrent_runs=1)
    going = warm.launch("waiting_job")
    pid = warm.began(going)
    waits = warm.launch("waiting_job")
    server = warm.overview()["pid"]
    os.kill(server, signal.SIGTERM)
    eventually(lambda: not alive(server), what="the end of the server")
    home = warm.launcher.launcher_config.folder.parent
    eventually(lambda: [process.pid for process in processes_on(home)] == [pid], what="the end of all but the run")
    # Nobody starts another one until somebody needs it.
    assert warm.client.overview() is None
    assert warm.client.status(going.run_id) == {"is": "running", "pid": pid}
    warm.go()
    for run in (going, waits):
        warm.reaches(run, DagsterRunStatus.SUCCESS)
        assert starts(warm, run) == 1


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_run_that_ends_while_there_is_no_server_leaves_nothing(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    os.kill(warm.overview()["pid"], signal.SIGTERM)
    eventually(lambda: warm.client.overview() is None, what="the end of the server")
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    eventually(lambda: not alive(pid), what="the end of the worker")
    assert list(warm.launcher.launcher_config.records.iterdir()) == []


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_cancel_survives_the_server(make: Make) -> None:
    warm = make(spares=1, terminate_grace_seconds=3)
    run = warm.launch("deaf_job")
    pid = warm.began(run)
    assert warm.launcher.terminate(run.run_id) is True
    warm.read(f"interrupted-{run.run_id}")
    kill(warm.overview()["pid"])
    warm.reaches(run, DagsterRunStatus.CANCELED)
    eventually(lambda: not alive(pid), what="the end of the worker")


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_run_that_is_canceled_before_its_worker_wakes_up_is_canceled(make: Make) -> None:
    warm = make(spares=1)
    run, spare = given_to_a_sleeping_worker(warm)
    warm.instance.report_run_canceling(run)
    os.kill(spare, signal.SIGCONT)
    warm.reaches(run, DagsterRunStatus.CANCELED)
    assert not (warm.folder / f"began-{run.run_id}").exists()


def test_what_a_killed_worker_has_started_ends_with_it(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("deaf_job")
    pid, child = warm.began(run), int(warm.read(f"child-{run.run_id}"))
    kill(pid)
    warm.reaches(run, DagsterRunStatus.FAILURE)
    eventually(lambda: not alive(child), what="the end of the child")


def test_a_worker_that_dies_before_it_shows_up_is_replaced(make: Make) -> None:
    """With nothing else happening: the run that waits for it must not wait for ever."""
    warm = make(spares=1)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    [spare] = warm.spares(1)
    template = psutil.Process(warm.template())
    kill(spare)
    # Each is killed as soon as it is there. One that was quick enough to show up makes room for the next.
    struck = 0
    while struck < 3:
        for child in template.children():
            shown_up = child.pid in warm.overview()["spares"]
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
                struck += not shown_up
    warm.spares(1)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_template_ends_when_it_is_told_to(make: Make) -> None:
    warm = make(spares=1)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    template = warm.template()
    os.kill(template, signal.SIGTERM)
    eventually(lambda: not alive(template), what="its end")
    eventually(lambda: warm.template() != template, what="another one")


def test_reloaded_code_comes_from_a_new_template(make: Make) -> None:
    warm = make(spares=1)
    run = warm.create("quick_job")
    code = warm.code(run, version="first")
    warm.client.warm(code)
    first = warm.template()
    warm.client.warm(code)
    assert warm.template() == first
    warm.client.warm(replace(code, version="second"))
    assert warm.template() != first
    # A client that has not heard of the reload yet does not bring the old code back.
    second = warm.template()
    warm.client.warm(code)
    assert warm.template() == second
    eventually(lambda: not alive(first), what="the end of the old template")


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_run_goes_on_while_its_code_is_reloaded(make: Make) -> None:
    warm = make(spares=1)
    run = warm.launch("waiting_job")
    pid = warm.began(run)
    warm.client.warm(warm.code(run, version="new"))
    assert alive(pid)
    warm.go()
    warm.reaches(run, DagsterRunStatus.SUCCESS)
    assert starts(warm, run) == 1


def test_code_that_cannot_be_loaded_fails_the_launch_with_its_error(make: Make) -> None:
    warm = make(spares=1)
    run = warm.create("quick_job", module="tests.support.no_such_module")
    with pytest.raises(Exception, match=r"No module named 'tests\.support\.no_such_module'"):
        warm.submit(run)
    # The next one is tried afresh.
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_server_does_not_end_while_somebody_waits_for_code(make: Make) -> None:
    """Loading takes longer than it would stay for nobody."""
    warm = make(spares=1)
    hasty = LauncherClient(replace(warm.launcher.launcher_config, idle_seconds=0.1))
    hasty.warm(warm.code(warm.create("quick_job", module="tests.support.slow_launchables")))


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_template_that_has_grown_is_replaced(make: Make) -> None:
    warm = make(spares=1, recycle_after_growth_mb=-1000)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    before = warm.template()
    eventually(lambda: warm.template() != before, what="another template")
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    # Each one says that it has grown, and none is left over.
    eventually(lambda: not alive(before), what="the end of the first template")
    home = warm.launcher.launcher_config.folder.parent
    server = warm.overview()["pid"]

    def few() -> bool:
        return sum(psutil.Process(process.pid).ppid() == server for process in processes_on(home)) <= 2

    eventually(few, what="no more than a template and its successor")


def test_a_run_that_another_process_has_taken_is_left_to_it(make: Make) -> None:
    """A server that dies right after it has handed a run out leaves a worker that its successor does not know."""
    warm = make(spares=1)
    run, spare = given_to_a_sleeping_worker(warm)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as other:
        assert Records(warm.launcher.launcher_config.records).take(run.run_id, Process.of(other.pid))
        os.kill(spare, signal.SIGCONT)
        eventually(lambda: warm.client.status(run.run_id) == {"is": "running", "pid": other.pid}, what="its adoption")
        assert starts(warm, run) == 0
        other.kill()
    warm.reaches(run, DagsterRunStatus.FAILURE)


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more launcher")
def test_a_run_that_no_worker_can_begin_is_given_up(make: Make) -> None:
    warm = make(spares=1)
    warm.reaches(warm.launch("quick_job"), DagsterRunStatus.SUCCESS)
    run = warm.create("quick_job")
    # Where a worker writes its name lies something that names nobody.
    blocked = warm.launcher.launcher_config.records / f"{run.run_id}.pid"
    blocked.symlink_to("nowhere")
    warm.submit(run)
    warm.reaches(run, DagsterRunStatus.FAILURE)
