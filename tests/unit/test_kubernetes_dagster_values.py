"""What we tell Dagster's chart is in its vocabulary, and fits what our own chart makes.

Dagster's chart is not here. Its schema was read for chart 1.13: a value that it does not know is refused at the
installation, so each section that we use stands here with the names that it has there.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from studio.settings import get_settings
from tests.support.kubernetes import EXAMPLE, KUBERNETES, Manifests, require_valid

# What a process of Dagster's chart can be told.
_PROCESS = {
    *("image", "env", "envConfigMaps", "envSecrets", "annotations", "labels", "resources", "schedulerName"),
    *("nodeSelector", "affinity", "tolerations", "podSecurityContext", "securityContext", "volumes", "volumeMounts"),
    *("readinessProbe", "livenessProbe", "startupProbe"),
}
_KNOWN: dict[str, set[str]] = {
    "global": {"postgresqlSecretName", "dagsterHome", "serviceAccountName", "celeryConfigSecretName"},
    "postgresql": {
        *("enabled", "image", "postgresqlHost", "postgresqlUsername", "postgresqlPassword", "postgresqlDatabase"),
        *("postgresqlParams", "postgresqlScheme", "service"),
    },
    "dagsterWebserver": _PROCESS
    | {
        *("replicaCount", "nameOverride", "pathPrefix", "service", "workspace", "deploymentLabels"),
        *("enableReadOnly", "dbStatementTimeout", "dbPoolRecycle", "logLevel"),
    },
    "dagsterDaemon": _PROCESS
    | {
        *("enabled", "runCoordinator", "heartbeatTolerance", "deploymentLabels", "runMonitoring", "runRetries"),
        *("sensors", "schedules"),
    },
    "dagster-user-deployments": {"enabled", "enableSubchart", "imagePullSecrets", "deployments"},
    "ingress": {"enabled"},
    "migrate": {"enabled"},
    "rabbitmq": {"enabled"},
    "redis": {"enabled"},
    "flower": {"enabled"},
    "telemetry": {"enabled"},
}
_CODE_SERVER = _PROCESS | {"name", "dagsterApiGrpcArgs", "codeServerArgs", "port", "includeConfigInLaunchedRuns"}
_SWITCHES = {"generatePostgresqlPasswordSecret"}


@pytest.fixture
def values() -> dict[str, Any]:
    return dict(yaml.safe_load((KUBERNETES / "dagster-values.yaml").read_text(encoding="utf-8")))


@pytest.fixture
def processes(values: dict[str, Any]) -> dict[str, dict[str, Any]]:
    [code_server] = values["dagster-user-deployments"]["deployments"]
    return {"web server": values["dagsterWebserver"], "daemon": values["dagsterDaemon"], "code server": code_server}


def test_the_chart_knows_every_value(values: dict[str, Any], processes: dict[str, dict[str, Any]]) -> None:
    assert values.keys() - _KNOWN.keys() == _SWITCHES
    for section, known in _KNOWN.items():
        assert values[section].keys() <= known, section
    assert processes["code server"].keys() <= _CODE_SERVER


def test_kubernetes_takes_what_they_say_of_pods(processes: dict[str, dict[str, Any]]) -> None:
    for name, given in processes.items():
        probes = {
            probe: {key: value for key, value in given[probe].items() if key != "enabled"}
            | ({} if name != "code server" else {"exec": {"command": ["dagster", "api", "grpc-health-check"]}})
            for probe in ("readinessProbe", "livenessProbe", "startupProbe")
            if probe in given
        }
        container = {
            "name": "dagster",
            "image": "greenlight:1",
            "env": given["env"],
            "envFrom": [{"configMapRef": source} for source in given["envConfigMaps"]]
            + [{"secretRef": source} for source in given["envSecrets"]],
            "resources": given["resources"],
            "securityContext": given["securityContext"],
            "volumeMounts": given["volumeMounts"],
            **probes,
        }
        spec = {
            "containers": [container],
            "securityContext": given["podSecurityContext"],
            "volumes": given["volumes"],
        }
        require_valid({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "dagster"}, "spec": spec})
        assert given["podSecurityContext"]["runAsUser"] == 10001
        assert given["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def test_each_process_reads_the_dagster_yaml_of_our_chart(processes: dict[str, dict[str, Any]]) -> None:
    manifests = Manifests(EXAMPLE)
    config_maps = manifests.of("ConfigMap")
    launcher = manifests.dagster["run_launcher"]["config"]
    for name, given in processes.items():
        variables = {variable["name"]: variable["value"] for variable in given["env"]}
        mounts = {mount["name"]: mount["mountPath"] for mount in given["volumeMounts"]}
        # As a run has it: what a process says of its home is true in the others.
        assert variables == {"DAGSTER_HOME": launcher["dagster_home"]}, name
        assert mounts["dagster"] == variables["DAGSTER_HOME"], name
        assert mounts["data"] == manifests.settings["GREENLIGHT_DATA_DIR"], name
        named = {volume["configMap"]["name"] for volume in given["volumes"] if "configMap" in volume}
        named |= {source["name"] for source in given["envConfigMaps"]}
        assert named == {"greenlight-dagster", "greenlight-settings"}, name
        assert named <= config_maps.keys()
        assert [source["name"] for source in given["envSecrets"]] == launcher["env_secrets"], name


def test_ports_and_names_are_those_of_our_chart(processes: dict[str, dict[str, Any]]) -> None:
    ours = yaml.safe_load((KUBERNETES / "greenlight" / "values.yaml").read_text(encoding="utf-8"))["dagster"]
    web, code = processes["web server"], processes["code server"]
    assert web["service"]["port"] == ours["webserver"]["port"]
    assert f"{ours['release']}-{web['nameOverride']}" == ours["webserver"]["service"]
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        assert web[probe]["httpGet"]["port"] == web["service"]["port"]
    assert code["port"] == ours["codeServer"]["port"]
    # Cursors and schedules are kept under the location's name.
    [location] = yaml.safe_load((KUBERNETES.parent.parent / "workspace.yaml").read_text())["load_from"]
    assert code["name"] == location["python_module"]["location_name"]
    assert location["python_module"]["module_name"] in code["dagsterApiGrpcArgs"]
    # A Service of that name: ours are called otherwise.
    assert code["name"] not in Manifests(EXAMPLE).of("Service")


def test_a_code_server_has_room_for_every_waiting_sensor(monkeypatch: pytest.MonkeyPatch) -> None:
    from sensors import code_server
    from sensors.relays import SENSORS

    for name, value in Manifests(EXAMPLE).settings.items():
        monkeypatch.setenv(name, value)
    get_settings.cache_clear()
    assert code_server.threads() >= len(SENSORS) + 8
    assert Manifests(EXAMPLE).dagster["sensors"]["num_workers"] >= len(SENSORS) + 8
