"""What the chart renders is what Kubernetes takes, hangs together, and lets nobody in who should stay out.

The manifests are those that Helm made of the chart (`make kubernetes`); the first test says whether they still are.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from studio.settings import Settings
from tests.support.kubernetes import EVERY_OPTION, EXAMPLE, Manifests, rendering, require_valid

# What an operator makes by hand (README.md of deploy/kubernetes, step 2).
SECRETS = {"greenlight", "greenlight-sign-in", "greenlight-dagster-postgresql", "studio-secrets"}
CERTIFICATES = {"studio-tls", "pages-tls", "dagster-tls"}
DAGSTER_PODS = {
    "web server": {"app.kubernetes.io/name": "dagster", "component": "dagster-webserver"},
    "daemon": {"app.kubernetes.io/name": "dagster", "component": "dagster-daemon"},
    "code server": {"app.kubernetes.io/name": "dagster-user-deployments", "component": "user-deployments"},
    "run": {"app.kubernetes.io/name": "dagster", "app.kubernetes.io/component": "run_worker"},
}


@pytest.fixture(params=[EXAMPLE, EVERY_OPTION])
def manifests(request: pytest.FixtureRequest) -> Manifests:
    return Manifests(request.param)


@pytest.fixture
def example() -> Manifests:
    return Manifests(EXAMPLE)


def containers(manifests: Manifests) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Yield each container with its pod's specification and the name of what makes it."""
    for name, pod in manifests.pods().items():
        for container in pod["spec"]["containers"]:
            yield name, pod["spec"], container


def selected(policy: dict[str, Any], labels: dict[str, str]) -> bool:
    """Say whether a network policy is about pods with these labels."""
    wanted = policy["spec"]["podSelector"].get("matchLabels", {})
    return all(labels.get(name) == value for name, value in wanted.items())


def policies_for(manifests: Manifests, labels: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {name: policy for name, policy in manifests.of("NetworkPolicy").items() if selected(policy, labels)}


def sources(manifests: Manifests, labels: dict[str, str]) -> list[dict[str, Any]]:
    """Return everybody who may reach pods with these labels."""
    rules = [rule for policy in policies_for(manifests, labels).values() for rule in policy["spec"].get("ingress", [])]
    assert all("from" in rule for rule in rules), "a rule without sources lets everybody in"
    return [source for rule in rules for source in rule["from"]]


def test_the_manifests_are_made_of_the_chart_as_it_is() -> None:
    assert rendering.outdated() == [], "run `make kubernetes`"


def test_helm_renders_them_so(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = rendering.INSTALLED / "helm" / "helm"
    program = (
        os.environ.get("GREENLIGHT_HELM") or shutil.which("helm") or (str(installed) if installed.exists() else "")
    )
    if not program:
        pytest.skip("Helm is not on this machine (`make kubernetes` installs it)")
    for name, values in rendering.VALUES.items():
        made = rendering.rendered(name).read_text(encoding="utf-8").partition("\n")[2]
        assert rendering.render(Path(program), values) == made


def test_kubernetes_takes_each_of_them(manifests: Manifests) -> None:
    for manifest in manifests.all:
        require_valid(manifest)
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in manifests.all]
    assert len(set(names)) == len(names)


def test_what_a_pod_names_is_there(manifests: Manifests) -> None:
    config_maps, accounts = manifests.of("ConfigMap"), manifests.of("ServiceAccount")
    for name, pod, container in containers(manifests):
        for source in container.get("envFrom", []):
            if "configMapRef" in source:
                assert source["configMapRef"]["name"] in config_maps, name
            else:
                assert source["secretRef"]["name"] in SECRETS, name
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == set(volumes), name
        for volume in volumes.values():
            assert volume.get("configMap", {"name": "greenlight-dagster"})["name"] in config_maps, name
            assert volume.get("secret", {"secretName": "greenlight"})["secretName"] in SECRETS, name
        assert pod.get("serviceAccountName", "greenlight-web") in accounts, name


def test_what_runs_before_an_installation_needs_nothing_of_it(manifests: Manifests) -> None:
    hooks = {
        manifest["metadata"]["name"]
        for manifest in manifests.all
        if "helm.sh/hook" in manifest["metadata"].get("annotations", {})
    }
    job = manifests.of("Job")["greenlight-migration"]
    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    pod = job["spec"]["template"]["spec"]
    named = {source["configMapRef"]["name"] for source in pod["containers"][0]["envFrom"] if "configMapRef" in source}
    named |= {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    assert named == hooks
    assert "serviceAccountName" not in pod
    # It sees what the rest will see.
    data = manifests.of("ConfigMap")
    assert data["greenlight-migration"]["data"] == data["greenlight-settings"]["data"]
    dagster = yaml.safe_load(data["greenlight-migration-dagster"]["data"]["dagster.yaml"])
    assert dagster["storage"] == manifests.dagster["storage"]
    # Dagster's command builds the launcher to name it, and that one cannot be built without a token.
    assert "run_launcher" not in dagster


def test_services_and_ingresses_lead_somewhere(manifests: Manifests) -> None:
    pods, services = manifests.pods(), manifests.of("Service")
    for name, service in services.items():
        [port] = service["spec"]["ports"]
        found = [
            pod
            for pod in pods.values()
            if all(pod["metadata"]["labels"].get(key) == value for key, value in service["spec"]["selector"].items())
        ]
        assert len(found) == 1, name
        assert port["targetPort"] in {given["name"] for given in found[0]["spec"]["containers"][0]["ports"]}, name
    for name, ingress in manifests.of("Ingress").items():
        [rule] = ingress["spec"]["rules"]
        [path] = rule["http"]["paths"]
        assert path["backend"]["service"]["name"] in services, name
        [tls] = ingress["spec"]["tls"]
        assert tls["hosts"] == [rule["host"]]
        assert tls.get("secretName", "studio-tls") in CERTIFICATES
    assert set(services) == {"greenlight-studio", "greenlight-pages", "greenlight-sign-in"}


def test_nobody_is_root_or_can_become_more_than_he_is(manifests: Manifests) -> None:
    for name, pod, container in containers(manifests):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert container["securityContext"]["allowPrivilegeEscalation"] is False, name
        assert container["securityContext"]["capabilities"]["drop"] == ["ALL"], name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert "memory" in container["resources"]["limits"], name


def test_no_secret_stands_in_a_manifest(manifests: Manifests) -> None:
    secret = {str(field.validation_alias) for field in Settings.model_fields.values() if "SecretStr" in str(field)}
    secret |= {"DATABASE_URL", "GREENLIGHT_DAGSTER_DATABASE_URL"}
    given = {name for found in manifests.of("ConfigMap").values() for name in found["data"]}
    given |= {variable["name"] for _, _, container in containers(manifests) for variable in container.get("env", [])}
    assert "ANTHROPIC_API_KEY" in secret
    assert given & secret == set()
    assert manifests.of("Secret") == {}


def test_what_serves_is_probed_under_a_name_that_it_answers_to(manifests: Manifests) -> None:
    for name, deployment in manifests.of("Deployment").items():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        assert {"readinessProbe", "livenessProbe"} <= container.keys(), name
        for probe in ("startupProbe", "readinessProbe"):
            asked = container.get(probe, {}).get("httpGet")
            if asked is not None and name != "greenlight-sign-in":
                # The web applications answer under their own names alone, and to probes on loopback's.
                assert asked["httpHeaders"] == [{"name": "Host", "value": "localhost"}], (name, probe)


@pytest.mark.parametrize("name", ["greenlight-studio", "greenlight-pages"])
def test_no_process_is_started_anew_because_the_database_is_away(manifests: Manifests, name: str) -> None:
    [container] = manifests.of("Deployment")[name]["spec"]["template"]["spec"]["containers"]
    for probe in ("startupProbe", "livenessProbe"):
        assert "tcpSocket" in container[probe], "every path answers 503 then"
    assert container["readinessProbe"]["httpGet"]["path"] in ("/readyz", "/healthz")


def test_the_dagster_ui_is_reached_through_the_sign_in_alone(manifests: Manifests) -> None:
    ours = {"app.kubernetes.io/instance": "dagster"}
    [source] = sources(manifests, {**ours, **DAGSTER_PODS["web server"]})
    assert source == {
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "greenlight",
                "app.kubernetes.io/instance": "greenlight",
                "app.kubernetes.io/component": "sign-in",
            }
        }
    }
    backends = {
        path["backend"]["service"]["name"]
        for ingress in manifests.of("Ingress").values()
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    }
    assert backends == {"greenlight-studio", "greenlight-pages", "greenlight-sign-in"}
    # The code server runs what it is asked to: it is nobody's but Dagster's own.
    allowed = sources(manifests, {**ours, **DAGSTER_PODS["code server"]})
    assert [source["podSelector"]["matchLabels"]["component"] for source in allowed] == [
        "dagster-daemon",
        "dagster-webserver",
    ]


def test_whoever_is_not_named_is_reached_by_nobody(manifests: Manifests) -> None:
    stranger = policies_for(manifests, {"app": "somebody"})
    assert list(stranger) == ["greenlight-nobody"]
    assert stranger["greenlight-nobody"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    for pod in ("daemon", "run"):
        assert sources(manifests, {"app.kubernetes.io/instance": "dagster", **DAGSTER_PODS[pod]}) == []


def test_a_certificate_can_be_fetched(manifests: Manifests) -> None:
    """cert-manager makes a certificate where a Secret is named, and proves the name by a pod that has to be reached."""
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    assert sources(manifests, solver) == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress-nginx"}}}
    ]
    for ingress in manifests.of("Ingress").values():
        if "cert-manager.io/cluster-issuer" in ingress["metadata"].get("annotations", {}):
            assert [tls["secretName"] for tls in ingress["spec"]["tls"]], ingress["metadata"]["name"]


def test_a_run_cannot_ask_the_cloud_who_it_is(example: Manifests) -> None:
    labels = {"app.kubernetes.io/instance": "dagster", **DAGSTER_PODS["run"]}
    [policy] = [
        policy for policy in policies_for(example, labels).values() if "Egress" in policy["spec"]["policyTypes"]
    ]
    blocks = [to["ipBlock"] for rule in policy["spec"]["egress"] for to in rule["to"] if "ipBlock" in to]
    assert {block["cidr"]: block["except"] for block in blocks} == {
        "0.0.0.0/0": ["169.254.169.254/32"],
        "::/0": ["fd00:ec2::254/128"],
    }


def test_the_settings_are_those_that_the_studio_knows(manifests: Manifests, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}
    of_dagster = {"DAGSTER_GRPC_MAX_WORKERS", "DAGSTER_CODE_SERVER_MAX_WORKERS"}
    assert {name for name in manifests.settings if name not in known} == of_dagster
    for name, value in manifests.settings.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert settings.kubernetes_lanes is not None
    assert settings.kubernetes_lanes.keys() == {"realtime", "standard", "heavy"}
    assert settings.launch_lease_seconds > Settings.model_fields["launch_lease_seconds"].default


def test_what_scales_by_itself_is_not_told_how_many_there_are() -> None:
    manifests = Manifests(EVERY_OPTION)
    scaled = {found["spec"]["scaleTargetRef"]["name"] for found in manifests.of("HorizontalPodAutoscaler").values()}
    assert scaled == {"greenlight-studio", "greenlight-pages"}
    for name in scaled:
        assert "replicas" not in manifests.of("Deployment")[name]["spec"]
