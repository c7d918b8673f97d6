"""A run that is a pod: launched by Dagster's launcher for Kubernetes, and back in the queue however its pod ends.

The launcher posts a real Job to a server that stands in for Kubernetes; the test then does what a node would: it starts
the pod's own command, and sends it what a node that is drained, a user who cancels, or a lack of memory would send.
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from jobs.pods import pod_tags
from resources import run_tags
from sensors.pickup import claim_for_launch
from sensors.watcher import watch_once
from studio import queue
from studio.database.connection import Database
from studio.job_types import JOB_TYPES
from studio.paths import ROOT
from studio.settings import get_settings
from tests.support.dagster import (
    DAGSTER_WARNINGS,
    JOB_NAME,
    JOB_TYPE,
    SYNTHESIS,
    DagsterHome,
    defs,
    enqueue,
    events,
    make_project,
    run_of,
    steps,
    wait_for,
    wait_for_call,
)
from tests.support.forks import Command
from tests.support.job_execute import LONG, SHORT_LEASE
from tests.support.kubernetes import (
    EXAMPLE,
    NAMESPACE,
    ApiServer,
    Manifests,
    api_server,
    launcher_outside,
    require_valid,
    write_kubeconfig,
)
from tests.support.postgres import TestServer
from tests.support.queue import expire_lease, statuses
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

pytest_plugins = ["tests.support.dagster_fixtures"]
pytestmark = DAGSTER_WARNINGS

IMAGE = "greenlight:1"
KUBECONFIG = "kubeconfig"


@pytest.fixture
def project(database: Database) -> UUID:
    return make_project(database)


@pytest.fixture
def kubernetes() -> Iterator[ApiServer]:
    with api_server() as running:
        yield running


@pytest.fixture
def manifests(home: DagsterHome, kubernetes: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Manifests:
    """The chart's manifests; the home has their dagster.yaml, and this process their settings."""
    made = Manifests(EXAMPLE)
    kubeconfig = write_kubeconfig(home.folder / KUBECONFIG, kubernetes.url)
    sections = {**made.dagster, "run_launcher": launcher_outside(made.dagster["run_launcher"], kubeconfig)}
    # Captured output has tests of its own.
    sections.pop("compute_logs")
    home.configure(**sections)
    given = {name: value for name, value in made.settings.items() if name not in home.variables}
    home.variables |= given
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    return made


class FreshPod:
    """What a node has of a run: its command in a process that has imported nothing before."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dagster", *arguments], env=environment, cwd=ROOT, stdout=output, stderr=output
            )

    def send(self, number: int) -> None:
        self._process.send_signal(number)

    def wait(self, timeout: float) -> int:
        return self._process.wait(timeout)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Cluster:
    """Takes up jobs as the sensors do, launches their runs, and starts the pods that were asked for."""

    def __init__(self, home: DagsterHome, instance: DagsterInstance, database: Database, api: ApiServer) -> None:
        self.home, self.instance, self.database, self.api = home, instance, database, api

    def launch(self) -> DagsterRun:
        """Claim what is due, which is one job, and launch its run."""
        [request] = claim_for_launch(self.database, JOB_TYPES[JOB_TYPE].lane, get_settings())
        repository = ReconstructableRepository.for_module(
            # The image that the code server says it is of.
            *("greenlight_dagster.definitions", "defs", str(ROOT)),
            container_image=IMAGE,
        )
        run = self.instance.create_run_for_job(
            defs.resolve_job_def(JOB_NAME),
            # Of the code location's jobs, which this process has loaded without the settings of a cluster.
            tags={
                **pod_tags(JOB_TYPES[JOB_TYPE], get_settings()),
                **request.tags,
                run_tags.RUN_KEY: str(request.run_key),
            },
            job_code_origin=repository.get_reconstructable_job(JOB_NAME).get_python_origin(),
        )
        self.instance.run_launcher.launch_run(LaunchRunContext(run, workspace=None))
        # This process has its launcher; a pod has no token, and could not build one.
        (self.home.folder / KUBECONFIG).unlink(missing_ok=True)
        return run

    def start(self, job: dict[str, Any] | None = None, **settings: str) -> Command:
        """Start the pod of `job`, or of the Job that was created last, forked from a process that has imported all."""
        arguments, given = self._command(job or self.api.jobs[-1])
        return self.home.dagster(*arguments, **given, **settings)

    @contextlib.contextmanager
    def starting_anew(self) -> Iterator[FreshPod]:
        """Start the pod of the Job that was created last as a node does."""
        arguments, given = self._command(self.api.jobs[-1])
        pod = FreshPod(arguments, self.home.environment(**given), self.home.folder / "pod.log")
        try:
            yield pod
        finally:
            pod.end()

    def _command(self, job: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
        [container] = job["spec"]["template"]["spec"]["containers"]
        program, *arguments = container["args"]
        assert (program, *arguments[:2]) == ("dagster", "api", "execute_run")
        # The home's dagster.yaml is the same file at another place; a run is told of its instance on the command line.
        given = {entry["name"]: entry["value"] for entry in container["env"]}
        return arguments, {**given, "DAGSTER_HOME": str(self.home.folder)}


@pytest.fixture
def cluster(
    manifests: Manifests, home: DagsterHome, instance: DagsterInstance, database: Database, kubernetes: ApiServer
) -> Cluster:
    return Cluster(home, instance, database, kubernetes)


def held(cluster: Cluster, model: SandboxThread, project: UUID, **settings: str) -> tuple[UUID, DagsterRun, Command]:
    """Launch a run whose process waits for the model."""
    model.fault("hang", match=SYNTHESIS, seconds=LONG)
    job_id = enqueue(cluster.database, project)
    run = cluster.launch()
    pod = cluster.start(**settings)
    wait_for_call(model, SYNTHESIS)
    return job_id, run, pod


def test_a_drained_node_gives_the_job_back_and_burns_no_attempt(
    cluster: Cluster, database: Database, project: UUID, model_server: SandboxThread, kubernetes: ApiServer
) -> None:
    model_server.fault("hang", match=SYNTHESIS, seconds=LONG)
    job_id = enqueue(database, project)
    run = cluster.launch()
    [posted] = kubernetes.jobs
    require_valid(posted)
    assert kubernetes.asked[0].path == f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"
    assert posted["metadata"]["name"] == f"dagster-run-{run.run_id}"
    assert posted["spec"]["template"]["spec"]["containers"][0]["image"] == IMAGE

    with cluster.starting_anew() as pod:
        wait_for_call(model_server, SYNTHESIS)
        assert run_of(cluster.instance, database, job_id).run_id == run.run_id
        pod.send(signal.SIGTERM)
        job = wait_for(database, job_id, "queued")
        assert (job.attempts, job.interruptions, job.last_error) == (0, 1, "The run was interrupted.")
        # A failed run is a failed pod, for whoever looks at the cluster.
        assert pod.wait(posted["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]) == 1
    assert run_of(cluster.instance, database, job_id).status is DagsterRunStatus.FAILURE
    assert statuses(database, job_id) == ["queued", "running", "queued"]
    # What the run had to say came through the handler of dagster.yaml, which its instance brought along.
    assert any(event["message"].startswith("Started execution of step") for event in events(database, job_id, "log"))

    # The next pod, on whatever node it is, takes over what is finished.
    done = set(steps(database, job_id))
    model_server.clear()
    cluster.launch()
    assert cluster.start().wait(LONG) == 0
    assert queue.get(database, job_id).status == "completed"
    assert done
    assert {step for step, claim in steps(database, job_id).items() if claim == 1} == done


def test_a_cancel_in_dagster_deletes_the_pod_and_cancels_the_job(
    cluster: Cluster, database: Database, project: UUID, model_server: SandboxThread, kubernetes: ApiServer
) -> None:
    job_id, run, pod = held(cluster, model_server, project)
    assert cluster.instance.run_launcher.terminate(run.run_id)
    assert kubernetes.deleted == [f"jobs/dagster-run-{run.run_id}", f"pods/dagster-run-{run.run_id}-pod"]
    # What a node does with a pod that is deleted.
    pod.send(signal.SIGTERM)
    job = wait_for(database, job_id, "canceled")
    assert job.last_error == "Canceled in Dagster."
    pod.wait(LONG)
    assert run_of(cluster.instance, database, job_id).status is DagsterRunStatus.CANCELED


def test_a_pod_that_says_nothing_any_more_is_known_by_its_lease(
    cluster: Cluster, database: Database, project: UUID, model_server: SandboxThread, kubernetes: ApiServer
) -> None:
    """A lack of memory, or a node that is gone: nobody asks Kubernetes, and nobody has to."""
    job_id, run, pod = held(cluster, model_server, project, **SHORT_LEASE)
    pod.kill()
    before = len(kubernetes.asked)
    eventually(lambda: watch_once(database, cluster.instance), what="the watcher finding it")
    job = queue.get(database, job_id)
    assert (job.status, job.attempts, job.interruptions) == ("queued", 0, 1)
    # Said by whoever came first: of the run, or of the lease.
    assert job.last_error in (
        f"The lease of run {run.run_id} ran out: its process is lost.",
        "The lease ran out: the worker is lost.",
    )
    assert run_of(cluster.instance, database, job_id).status is DagsterRunStatus.FAILURE
    assert len(kubernetes.asked) == before


def test_a_pod_that_comes_too_late_does_nothing(
    cluster: Cluster, database: Database, project: UUID, kubernetes: ApiServer
) -> None:
    """It waited for a node for longer than its claim: by then another run has the job, or had it."""
    job_id = enqueue(database, project)
    run = cluster.launch()
    expire_lease(database, job_id)
    assert watch_once(database, cluster.instance)
    assert queue.get(database, job_id).status == "queued"
    assert cluster.start(kubernetes.jobs[0]).wait(LONG) == 0
    job = queue.get(database, job_id)
    assert (job.status, job.dagster_run_id, job.attempts) == ("queued", None, 0)
    found = cluster.instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.status is DagsterRunStatus.FAILURE


def test_the_migration_of_the_chart_brings_an_empty_database_up_to_date(
    home: DagsterHome, postgres: TestServer, tmp_path: Path
) -> None:
    """As the hook runs it: with its own dagster.yaml, which it cannot write, and without Kubernetes."""
    config_map = Manifests(EXAMPLE).of("ConfigMap")["greenlight-migration-dagster"]
    (tmp_path / "dagster.yaml").write_text(config_map["data"]["dagster.yaml"])
    with postgres.temporary() as name:
        url = postgres.sqlalchemy_url(name)
        settings = {"GREENLIGHT_DAGSTER_DATABASE_URL": url, "DAGSTER_HOME": str(tmp_path)}
        command = home.dagster("instance", "migrate", **settings)
        assert command.wait(LONG) == 0, command.output()
        with psycopg.connect(postgres.url(name)) as conn:
            row = conn.execute("select count(*) from pg_tables where tablename in ('runs', 'event_logs')").fetchone()
    assert row == (2,)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["dagster.yaml"]
