"""On an installation, either daemon picks jobs up, a click cancels a run, and what a killed worker had comes back."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml
from dagster import DagsterEventType, DagsterRun, DagsterRunStatus

from greenlight_dagster.stack import probes
from greenlight_dagster.stack.folders import CODE_LOCATION
from greenlight_dagster.stack.ports import LOOPBACK, free_port
from resources import run_tags
from studio import queue
from studio.settings import Settings
from tests.support.dagster import DAGSTER_WARNINGS, JOB_TYPE, OWNER, events, make_project
from tests.support.dagster_ui import Clicks
from tests.support.launcher import alive
from tests.support.postgres import TestServer
from tests.support.sandbox import SandboxThread
from tests.support.site import PATIENCE, Process, Site, installed
from tests.support.size import FULL
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

SENSOR_WAIT_SECONDS = Settings().pickup_wait_seconds
CANCELING, CANCELED = DagsterEventType.RUN_CANCELING, DagsterEventType.RUN_CANCELED
INTERRUPTED = DagsterEventType.STEP_FAILURE


@pytest.fixture(scope="module")
def model(corpus: object) -> Iterator[SandboxThread]:
    """The sandbox model, slow enough for a run to be met at its work."""
    with SandboxThread(chunk_delay_ms=200) as running:
        yield running


@pytest.fixture(scope="module")
def site(postgres: TestServer, database_template: str, dagster_template: str, model: SandboxThread) -> Iterator[Site]:
    with installed(postgres, database_template, dagster_template, spares=1) as made:
        made.variables |= {
            "ANTHROPIC_BASE_URL": model.url,
            "ANTHROPIC_API_KEY": "sandbox",
            "CLAUDE_DIRECT_MODEL": "sandbox",
        }
        yield made


@pytest.fixture(scope="module")
def daemon(site: Site) -> Process:
    """Our daemon, once its sensors wait."""
    started = site.start("-m", "greenlight_dagster.daemon", "--workspace", "workspace.yaml")
    site.sensors_wait(started)
    return started


@pytest.fixture(scope="module")
def clicks(site: Site, daemon: Process) -> Clicks:
    """Clicks in a Dagster UI on the site."""
    port = free_port()
    site.start("-m", "dagster_webserver", "--host", LOOPBACK, "--port", str(port), "--workspace", "workspace.yaml")
    eventually(lambda: probes.http_answers(port, "/server_info"), PATIENCE, "the UI")
    return Clicks.at(f"http://{LOOPBACK}:{port}")


@pytest.fixture
def bare(postgres: TestServer, database_template: str, dagster_template: str) -> Iterator[Site]:
    """An installation on which nothing runs."""
    with installed(postgres, database_template, dagster_template, spares=1, idle_seconds=2) as made:
        yield made


# --- our own


@pytest.mark.usefixtures("daemon")
def test_our_daemon_launches_what_is_enqueued(site: Site) -> None:
    project = site.project()
    for sample in range(5):
        began = time.monotonic()
        job_id = site.enqueue("bench.standard", project, {"sample": sample})
        assert site.becomes(job_id, "completed").attempts == 1
        print(f"enqueued to completed: {time.monotonic() - began:.3f} s")
        assert site.ends(site.run_of(job_id)) is DagsterRunStatus.SUCCESS
    assert not site.ticks("FAILURE")


def test_a_click_cancels_a_run_that_the_ui_has_launched(site: Site, clicks: Clicks, model: SandboxThread) -> None:
    project = make_project(site.database)
    model.clear()
    run_id = clicks.launch({"project_id": project, "payload": {"ownerClerkId": OWNER}})
    eventually(model.requests, PATIENCE, "its first question to the model")
    process = (site.launcher.overview() or {})["running"][run_id]
    [job] = site.database.fetch_all("select id from public.agent_jobs where project_id = %s", [project])

    began = time.monotonic()
    clicks.terminate(run_id)
    site.becomes(job["id"], "canceled")
    print(f"click to job canceled: {time.monotonic() - began:.3f} s")
    run = site.instance.get_run_by_id(run_id)
    assert run is not None
    assert site.ends(run) is DagsterRunStatus.CANCELED
    print(f"click to run canceled: {time.monotonic() - began:.3f} s")

    eventually(lambda: not alive(process), what="the end of its process")
    assert said(site, job["id"]) == ["queued", "running", "canceled"]
    logged = [entry.dagster_event_type for entry in site.instance.all_logs(run_id) if entry.dagster_event_type]
    # In this order: it was told, its op was interrupted, it ended.
    ends = [kind for kind in logged if kind in (CANCELING, INTERRUPTED, CANCELED)]
    assert ends == [CANCELING, INTERRUPTED, CANCELED]


@pytest.mark.usefixtures("daemon")
def test_a_job_whose_worker_was_killed_is_queued_again(site: Site, model: SandboxThread) -> None:
    project = make_project(site.database)
    model.clear()
    job_id = site.enqueue(JOB_TYPE, project, {"ownerClerkId": OWNER})
    eventually(model.requests, PATIENCE, "its first question to the model")
    run = site.run_of(job_id)

    began = time.monotonic()
    os.kill((site.launcher.overview() or {})["running"][run.run_id], signal.SIGKILL)
    eventually(lambda: "queued" in said(site, job_id)[1:], PATIENCE, "the job being queued again")
    print(f"kill to queued: {time.monotonic() - began:.3f} s")
    assert site.ends(run) is DagsterRunStatus.FAILURE
    # The daemon takes it up at once, under another claim; no attempt was burnt.
    next_run = eventually(lambda: another(site.run_of(job_id), run), PATIENCE, "the next run")
    assert next_run is not None
    assert next_run.tags[run_tags.ATTEMPT] == "1"
    assert said(site, job_id)[:4] == ["queued", "running", "queued", "running"]
    queue.cancel(site.database, job_id, "The test is over.")
    site.becomes(job_id, "canceled")
    assert site.ends(next_run) is DagsterRunStatus.CANCELED


def test_ctrl_c_ends_our_daemon_while_its_sensors_wait(site: Site, daemon: Process) -> None:
    """The last test on it. It takes its code server along, which nobody had to announce the stop to."""
    took = daemon.interrupt()
    print(f"Ctrl-C on the daemon: {took:.1f} s")
    assert took < SENSOR_WAIT_SECONDS / 2
    eventually(lambda: not daemon.family(), what="the end of all that it had started")
    assert not site.ticks("FAILURE")


WRONG_LAUNCHERS: list[tuple[dict[str, Any], str]] = [
    ({"spares": 0}, "run_launcher.config.spares must be at least 1."),
    ({"terminate_grace_seconds": -1}, "run_launcher.config.terminate_grace_seconds is negative."),
    ({"idle_seconds": -1}, "run_launcher.config.idle_seconds is negative."),
    ({"max_concurrent_runs": "many"}, 'Invalid scalar at path root:max_concurrent_runs. Value "many"'),
    ({"spare": 3}, 'Received unexpected config entry "spare"'),
    ({"spares": {"env": "NOT_SET"}}, "NOT_SET"),
    ({"socket_path": "launcher.sock"}, "No socket can lie at launcher.sock"),
    ({"socket_path": f"/tmp/{'long' * 30}.sock"}, "a whole and short path"),
    ({"socket_path": "/dev/null/launcher.sock"}, "No socket can lie at /dev/null/launcher.sock"),
]
# One program for all of them: most of a daemon's start is importing.
ONE_AFTER_THE_OTHER = """
import json, os, sys
from greenlight_dagster import daemon
homes, sys.argv[1:] = sys.argv[1:], ["--workspace", "workspace.yaml"]
for home in homes:
    os.environ["DAGSTER_HOME"] = home
    try:
        daemon.main()
    except SystemExit as exc:
        print(json.dumps(exc.code))
"""


def test_a_launcher_that_could_launch_nothing_is_refused_at_the_start(bare: Site) -> None:
    configuration = (bare.home / "dagster.yaml").read_text()
    homes = []
    for number, (wrong, _) in enumerate(WRONG_LAUNCHERS):
        changed = yaml.safe_load(configuration)
        changed["run_launcher"]["config"].update(wrong)
        home = bare.folder / f"wrong-{number}"
        home.mkdir()
        (home / "dagster.yaml").write_text(yaml.safe_dump(changed))
        homes.append(str(home))
    daemons = bare.start("-c", ONE_AFTER_THE_OTHER, *homes)
    assert daemons.wait() == 0, daemons.output()
    said = [json.loads(line) for line in daemons.output().splitlines() if line.startswith('"')]
    assert len(said) == len(WRONG_LAUNCHERS), daemons.output()
    for words, (_, what) in zip(said, WRONG_LAUNCHERS, strict=True):
        assert what in words
        assert "dagster.yaml" in words


def test_a_launcher_whose_socket_others_could_reach_is_refused_at_the_start(
    postgres: TestServer, database_template: str, dagster_template: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    socket = str(tmp_path / "launcher.sock")
    with installed(postgres, database_template, dagster_template, socket_path=socket) as site:
        daemon = site.start("-m", "greenlight_dagster.daemon", "--workspace", "workspace.yaml")
        assert daemon.wait() == 1
        assert f"{tmp_path} is open to others" in daemon.output()
        assert "Traceback" not in daemon.output()
        assert "Stack Trace" not in daemon.output()


# --- Dagster's own, and none


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: one more daemon")
def test_the_stock_daemon_does_as_well(bare: Site) -> None:
    daemon = bare.start("-m", "dagster._daemon", "run", "--workspace", "workspace.yaml")
    bare.sensors_wait(daemon)
    project = bare.project()
    # More than sensors wait in the lane: the stock daemon looks for them again after five seconds.
    jobs = [bare.enqueue("bench.standard", project, {"sample": sample}) for sample in range(6)]
    for job_id in jobs:
        assert bare.becomes(job_id, "completed").attempts == 1
    assert not bare.ticks("FAILURE")
    print(f"Ctrl-C on the stock daemon: {daemon.interrupt():.1f} s")
    eventually(lambda: not daemon.family(), what="the end of all that it had started")


@pytest.mark.chaos
@pytest.mark.skipif(not FULL, reason="part of `make chaos`: a code server and a launcher of its own")
def test_a_launch_from_a_shell_needs_no_daemon(bare: Site) -> None:
    project = bare.project()
    config = bare.folder / "run.yaml"
    config.write_text(json.dumps({"project_id": str(project), "payload": {"sample": 1}}))
    where = ("--workspace", "workspace.yaml", "--location", CODE_LOCATION)
    shell = bare.start("-m", "dagster", "job", "launch", *where, "--job", "bench_standard", "--config", str(config))
    assert shell.wait() == 0, shell.output()
    [run] = eventually(bare.instance.get_runs, PATIENCE, "a run")
    assert bare.ends(run) is DagsterRunStatus.SUCCESS
    [job] = bare.database.fetch_all("select id from public.agent_jobs where project_id = %s", [project])
    bare.becomes(job["id"], "completed")
    # Nobody needs the server any more.
    bare.launcher_ends()
    assert "did not end" not in (bare.home / "launcher" / "launcher.log").read_text()
    assert not shell.family()


def said(site: Site, job_id: UUID) -> list[str]:
    """Return the messages of the job's status events."""
    return [event["message"] for event in events(site.database, job_id, "status")]


def another(run: DagsterRun, before: DagsterRun) -> DagsterRun | None:
    return run if run.run_id != before.run_id else None
