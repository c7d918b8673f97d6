"""A run's pod is made of the registry and of what the installation says, and by Dagster's own launcher for Kubernetes.

The launcher is built from the chart's dagster.yaml and makes the Job of each job type; only the server that it would
post them to is another one.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster import DagsterInstance
from dagster._core.storage.compute_log_manager import ComputeLogManager
from dagster_k8s import K8sRunLauncher
from dagster_k8s.job import construct_dagster_k8s_job
from kubernetes.client import ApiClient

from jobs.factory import AgentOp, build_agent_job
from jobs.pods import CONFIG, LAST_WORDS_SECONDS, START_SECONDS, pod_tags
from resources import run_tags
from studio.errors import SettingsError
from studio.job_types import JOB_TYPES, LANES
from studio.paths import ROOT
from studio.settings import Settings, get_settings
from tests.support.dagster import DAGSTER_WARNINGS
from tests.support.kubernetes import (
    EVERY_OPTION,
    EXAMPLE,
    NAMESPACE,
    Manifests,
    launcher_outside,
    require_valid,
    write_kubeconfig,
)

pytestmark = DAGSTER_WARNINGS

IMAGE = "greenlight:1"
RUN_ID = "7e0a7d3c-4c52-4a4b-9a0e-1f3f3f0f0001"
PACKAGES = ("studio", "web", "jobs", "sensors", "schedules", "resources", "greenlight_dagster")


@pytest.fixture(params=[EXAMPLE, EVERY_OPTION])
def manifests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Manifests:
    """The chart's manifests; this process has the settings that they give to every process."""
    made = Manifests(request.param)
    for name, value in made.settings.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    return made


@pytest.fixture
def launcher(manifests: Manifests, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[K8sRunLauncher]:
    """The run launcher of an instance with the chart's dagster.yaml, which is opened as the daemon opens it."""
    # Storage connects when it is first asked, and here it is not.
    monkeypatch.setenv("GREENLIGHT_DAGSTER_DATABASE_URL", "postgresql+psycopg2://nobody@localhost/nothing")
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", "http://localhost:1")
    section = launcher_outside(manifests.dagster["run_launcher"], kubeconfig)
    config = {**manifests.dagster, "run_launcher": section, "storage": {"sqlite": {"base_dir": str(tmp_path)}}}
    (tmp_path / "dagster.yaml").write_text(yaml.safe_dump(config))
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert isinstance(instance.run_launcher, K8sRunLauncher)
        yield instance.run_launcher


def kubernetes_job(launcher: K8sRunLauncher, name: str, tags: dict[str, str]) -> dict[str, Any]:
    """Return the Job that the launcher would post for a run with these tags."""
    run = dg.DagsterRun(job_name=name, run_id=RUN_ID, tags=tags)
    context = launcher.get_container_context_for_run(run)
    job = construct_dagster_k8s_job(
        context.get_k8s_job_config(job_image=IMAGE, run_launcher=launcher),
        args=["dagster", "api", "execute_run", "{}"],
        job_name=f"dagster-run-{RUN_ID}",
        pod_name=f"dagster-run-{RUN_ID}",
        component="run_worker",
        user_defined_k8s_config=context.run_k8s_config,
    )
    return dict(ApiClient().sanitize_for_serialization(job))


def test_each_job_type_runs_in_a_pod_of_its_lane(manifests: Manifests, launcher: K8sRunLauncher) -> None:
    lanes = json.loads(manifests.settings["GREENLIGHT_KUBERNETES_LANES"])
    for kind in JOB_TYPES.values():
        job = kubernetes_job(launcher, kind.dagster_job, pod_tags(kind, get_settings()))
        require_valid(job)
        deadline = job["spec"]["activeDeadlineSeconds"]
        assert deadline == START_SECONDS + kind.timeout_seconds + LAST_WORDS_SECONDS, kind.name
        labels = job["spec"]["template"]["metadata"]["labels"]
        assert (labels["greenlight/lane"], labels["greenlight/job-type"]) == (kind.lane, kind.name)
        pod = job["spec"]["template"]["spec"]
        [container] = pod["containers"]
        wanted = lanes[kind.lane]
        require_within(wanted.get("pod", {}), pod)
        require_within(wanted.get("container", {}), container)


def require_within(wanted: Any, found: Any) -> None:
    """Fail where something that is wanted is not found; what every run has may stand beside it."""
    if isinstance(wanted, dict):
        for name, value in wanted.items():
            require_within(value, found[name])
    elif isinstance(wanted, list):
        assert all(item in found for item in wanted)
    else:
        assert wanted == found


def test_every_run_is_begun_once_and_leaves_nothing(manifests: Manifests, launcher: K8sRunLauncher) -> None:
    kind = JOB_TYPES["chat.reply"]
    job = kubernetes_job(launcher, kind.dagster_job, pod_tags(kind, get_settings()))
    spec = job["spec"]
    pod = spec["template"]["spec"]
    [container] = pod["containers"]
    # Nobody but the queue tries again, and no pod follows another while that may still be at it.
    assert (spec["backoffLimit"], pod["restartPolicy"], spec["podReplacementPolicy"]) == (0, "Never", "Failed")
    assert [rule["action"] for rule in spec["podFailurePolicy"]["rules"]] == ["FailJob"]
    assert spec["ttlSecondsAfterFinished"] == 21600
    # A run that is told to go has more time than its last words take.
    settings = get_settings()
    assert pod["terminationGracePeriodSeconds"] > settings.trace_shutdown_seconds + settings.drain_seconds
    annotations = spec["template"]["metadata"]["annotations"]
    assert annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"
    # Who it is, what it knows, and what it may write.
    assert (pod["serviceAccountName"], pod["automountServiceAccountToken"]) == ("greenlight-run", False)
    assert pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["image"] == IMAGE
    assert container["envFrom"] == [
        {"configMapRef": {"name": "greenlight-settings"}},
        {"secretRef": {"name": manifests.dagster["run_launcher"]["config"]["env_secrets"][0]}},
    ]
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/etc/greenlight/dagster"}
    assert spec["template"]["metadata"]["labels"]["app.kubernetes.io/component"] == "run_worker"


def test_lanes_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_KUBERNETES_LANES", Manifests(EXAMPLE).settings["GREENLIGHT_KUBERNETES_LANES"])
    settings = Settings()
    said = {lane: pod_tags(JOB_TYPES[f"bench.{lane}"], settings)[CONFIG] for lane in LANES}
    memory = {lane: json.loads(tag)["container_config"]["resources"]["limits"]["memory"] for lane, tag in said.items()}
    assert memory == {"realtime": "1Gi", "standard": "1Gi", "heavy": "5Gi"}
    # Generated code needs namespaces, and only this lane runs it.
    sandboxed = {lane for lane, tag in said.items() if json.loads(tag)["pod_spec_config"].get("hostUsers") is False}
    assert sandboxed == {"heavy"}


def test_one_time_limit_for_all_is_kubernetes_limit_too() -> None:
    settings = Settings(kubernetes_lanes={}, worker_job_timeout_ms=90_000)
    deadlines = {
        json.loads(pod_tags(kind, settings)[CONFIG])["job_spec_config"]["active_deadline_seconds"]
        for kind in JOB_TYPES.values()
    }
    assert deadlines == {START_SECONDS + 90 + LAST_WORDS_SECONDS}


def test_a_job_that_belongs_to_no_lane_has_a_pod_as_well(manifests: Manifests, launcher: K8sRunLauncher) -> None:
    job = kubernetes_job(launcher, "upkeep", {})
    require_valid(job)
    assert job["spec"]["activeDeadlineSeconds"] == 7200
    [container] = job["spec"]["template"]["spec"]["containers"]
    assert container["resources"] == {"requests": {"cpu": "100m", "memory": "512Mi"}, "limits": {"memory": "1Gi"}}


def test_the_definitions_carry_the_tag_where_runs_are_pods_and_nothing_where_they_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def tags() -> dict[str, str]:
        get_settings.cache_clear()
        job = build_agent_job(JOB_TYPES["bench.heavy"], [AgentOp("noop_heavy", "Do nothing.", lambda _: None)])
        return dict(job.run_tags)

    plain = tags()
    monkeypatch.setenv("GREENLIGHT_KUBERNETES_LANES", '{"heavy": {"pod": {"nodeSelector": {"pool": "heavy"}}}}')
    with_pods = tags()
    assert plain.keys() == {run_tags.JOB_TYPE, run_tags.LANE, run_tags.LAST_OP}
    assert with_pods.keys() - plain.keys() == {CONFIG}
    assert json.loads(with_pods[CONFIG])["pod_spec_config"] == {"nodeSelector": {"pool": "heavy"}}


@pytest.mark.parametrize("given", ['{"fast": {}}', '{"heavy": {"containers": []}}', "heavy"])
def test_lanes_that_there_are_not_are_refused(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_KUBERNETES_LANES", given)
    with pytest.raises((SettingsError, ValueError), match=r"(?i)kubernetes_lanes"):
        get_settings()


def test_the_instance_is_that_of_one_machine_but_for_the_runs(manifests: Manifests) -> None:
    at_home = yaml.safe_load((ROOT / "dagster.yaml").read_text())
    here = manifests.dagster
    assert here.keys() == at_home.keys()
    differ = {section for section in here if here[section] != at_home[section]}
    assert differ == {"run_launcher", "compute_logs"}
    assert here["run_launcher"]["config"]["job_namespace"] == NAMESPACE


def test_captured_output_goes_where_every_node_reads_it(manifests: Manifests) -> None:
    section = manifests.dagster["compute_logs"]
    manager = getattr(importlib.import_module(section["module"]), section["class"])
    assert issubclass(manager, ComputeLogManager)


def test_nothing_of_ours_needs_kubernetes_to_be_installed() -> None:
    imports = re.compile(r"^\s*(?:from|import) (?:dagster_k8s|kubernetes)\b", re.M)
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    assert files
    assert [file for file in files if imports.search(file.read_text(encoding="utf-8"))] == []
