"""The deployment files fit together and have the form that their readers want; their scripts make what they ask for."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from studio.settings import Settings
from tests.support.deploy import (
    COMPOSE,
    DEPLOY,
    HEALTH,
    LAST,
    RENDER,
    SETTINGS,
    dockerfile,
    loaded,
    services,
    text,
    words_of,
)
from web.__main__ import arguments

# --- ports and health


def test_ports_agree_wherever_they_are_named() -> None:
    command = dockerfile.exec_form(LAST["CMD"])
    ports = {option: command[command.index(option) + 1] for option in ("--port", "--web-port", "--ui-port")}
    assert set(LAST["EXPOSE"].split()) == set(ports.values())
    greenlight = loaded(DEPLOY / "compose.yaml")["services"]["greenlight"]
    assert greenlight["command"] == command
    caddy = text("Caddyfile")
    for upstream, option in (("STUDIO", "--port"), ("PAGES", "--web-port"), ("DAGSTER", "--ui-port")):
        assert set(re.findall(rf"\{{\${upstream}_UPSTREAM:greenlight:(\d+)\}}", caddy)) == {ports[option]}
    studio, pages, ui = (ports[option] for option in ("--port", "--web-port", "--ui-port"))
    asked = [HEALTH, f"{studio}/readyz", f"{pages}/healthz"]
    assert dockerfile.health_command(LAST["HEALTHCHECK"])[-3:] == asked
    assert greenlight["healthcheck"]["test"][-4:] == [*asked, f"{ui}/server_info"]
    for service in RENDER["services"]:
        if service["type"] == "web":
            told = {one["key"]: one.get("value") for one in service["envVars"] if "key" in one}
            assert arguments(words_of(service["dockerCommand"])[3:]).port == int(told["PORT"])
            assert service["healthCheckPath"] in ("/readyz", "/healthz")


def test_the_proxy_that_is_trusted_is_the_one_that_is_there() -> None:
    told = loaded(DEPLOY / "compose.yaml")
    address = told["services"]["proxy"]["networks"]["front"]["ipv4_address"]
    assert told["services"]["greenlight"]["environment"]["GREENLIGHT_TRUSTED_PROXIES"] == address


def test_only_the_proxy_has_ports_and_only_it_and_the_studio_meet() -> None:
    told = loaded(DEPLOY / "compose.yaml")["services"]
    assert [name for name, service in told.items() if "ports" in service] == ["proxy"]
    assert [name for name, service in told.items() if "front" in service["networks"]] == ["proxy", "greenlight"]
    # In a fleet broker and database are reached too, at one private address.
    for service in loaded(DEPLOY / "compose.fleet.yaml")["services"].values():
        assert all(port.startswith("${PRIVATE_ADDRESS:?") for port in service.get("ports", []))


def test_a_stop_has_the_time_that_a_drain_takes() -> None:
    drain = Settings.model_fields["drain_seconds"].default
    for _, told in services():
        if "deploy/Dockerfile" in str(told.get("build")):
            # What a stop does beside: greenlight_dagster/stack/shutdown.py.
            assert int(told["stop_grace_period"].removesuffix("s")) >= drain + 30


# --- what the scripts make


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("new-env.sh", "worker-env.sh", "env.example"):
        shutil.copy(DEPLOY / name, tmp_path)
    return tmp_path


def ran(folder: Path, script: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["/bin/sh", str(folder / script), *words], capture_output=True, text=True, check=False)


def values(told: str) -> dict[str, str]:
    lines = (line for line in told.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def filled(value: str, known: dict[str, str]) -> str:
    """Return a value with its variables, as Compose fills them; one that must be set is."""

    def one(found: re.Match[str]) -> str:
        name, kind, rest = found[1], found[2] or "", found[3] or ""
        assert kind != ":?" or known.get(name), f"{name}: {rest}"
        return known.get(name) or (rest if kind == ":-" else "")

    # One may stand in another one's default: from within to without.
    while (inner := re.sub(r"\$\{(\w+)(:[-?])?([^${}]*)\}", one, value)) != value:
        value = inner
    return value


def test_one_script_makes_all_that_one_box_needs_and_never_again(folder: Path) -> None:
    assert ran(folder, "new-env.sh", "one.example").returncode == 2
    assert ran(folder, "new-env.sh", "one.example", "one.example").returncode == 2
    assert ran(folder, "new-env.sh", "studio.example", "pages.example", "me@example.org").returncode == 0
    made = (folder / ".env").read_text()
    assert (folder / ".env").stat().st_mode & 0o777 == 0o600
    assert ran(folder, "new-env.sh", "other.example", "pages.example").returncode == 1
    assert (folder / ".env").read_text() == made
    known = values(made)
    assert len(base64.b64decode(known["PROJECT_INTEGRATION_ENCRYPTION_KEY"], validate=True)) == 32
    assert known["CADDY_GLOBAL"] == "email me@example.org"
    told = loaded(DEPLOY / "compose.yaml")["services"]["greenlight"]["environment"]
    environment = {**known, **{name: filled(value, known) for name, value in told.items()}}
    settings = Settings.model_validate({k: v for k, v in environment.items() if k in SETTINGS and v})
    assert (settings.app_base_url, settings.pages_base_url) == ("https://studio.example", "https://pages.example")
    assert settings.dagster_ui_url == "https://studio.example:8443"
    assert known["POSTGRES_PASSWORD"] in str(settings.database_url)
    # Whatever else the files ask for is there, or has a default.
    for name in ("compose.yaml", "compose.fleet.yaml"):
        filled(text(name).replace("$$", ""), {**known, "PRIVATE_ADDRESS": "10.0.0.1"})


def test_a_workers_environment_is_the_control_hosts(folder: Path) -> None:
    assert ran(folder, "new-env.sh", "studio.example", "pages.example").returncode == 0
    assert ran(folder, "worker-env.sh", "10.0.0.1").returncode == 2
    assert "one place for artifacts" in ran(folder, "worker-env.sh", "10.0.0.1", "worker-1").stderr
    with (folder / ".env").open("a") as env:
        env.write("ARTIFACTS_DIR=/mnt/artifacts\nANTHROPIC_API_KEY=key\nPRIVATE_ADDRESS=10.0.0.1\n")
    made = ran(folder, "worker-env.sh", "10.0.0.1", "worker-1", "--lane heavy=2")
    assert made.returncode == 0, made.stderr
    here, theirs = values((folder / ".env").read_text()), values(made.stdout)
    password = here["POSTGRES_PASSWORD"]
    assert theirs["DATABASE_URL"] == f"postgresql://greenlight:{password}@10.0.0.1:5432/greenlight"
    assert theirs["GREENLIGHT_BROKER_URL"] == f"redis://:{here['REDIS_PASSWORD']}@10.0.0.1:6379/0"
    for name in ("GREENLIGHT_LINK_SECRET", "PROJECT_INTEGRATION_ENCRYPTION_KEY", "ANTHROPIC_API_KEY", "ARTIFACTS_DIR"):
        assert theirs[name] == here[name]
    assert not {"STUDIO_HOST", "POSTGRES_PASSWORD", "REDIS_PASSWORD", "CADDY_GLOBAL", "PRIVATE_ADDRESS"} & theirs.keys()
    assert (
        Settings.model_validate({k: v for k, v in theirs.items() if k in SETTINGS}).app_base_url
        == "https://studio.example"
    )
    # What is elsewhere is so for all of them.
    elsewhere = {
        "DATABASE_URL": "postgresql://greenlight@pooler.example:6432/greenlight",
        "GREENLIGHT_DAGSTER_DATABASE_URL": "postgresql+psycopg2://greenlight@pooler.example:6432/dagster",
        "GREENLIGHT_BROKER_URL": "amqps://greenlight@broker.example",
    }
    (folder / ".env").write_text("\n".join(f"{name}={value}" for name, value in {**here, **elsewhere}.items()))
    there = values(ran(folder, "worker-env.sh", "10.0.0.1", "worker-1").stdout)
    control: dict[str, str] = {}
    for name in ("compose.yaml", "compose.fleet.yaml"):
        control |= loaded(DEPLOY / name)["services"]["greenlight"]["environment"]
    for name, value in elsewhere.items():
        assert there[name] == value
        assert filled(control[name], {**here, **elsewhere}) == value, "what .env says counts"
    # The worker reads it, and so does Compose: whatever the file of the worker host asks for is there.
    worker = loaded(DEPLOY / "compose.worker.yaml")["services"]["worker"]
    assert (filled(worker["hostname"], theirs), filled(worker["command"], theirs)) == (
        "worker-1",
        "greenlight worker --lane heavy=2",
    )
    assert "/mnt/artifacts:/data/artifacts" in [filled(volume, theirs) for volume in worker["volumes"]]
    told = {line for line in text("README.md").splitlines() if "compose.worker.yaml" in line}
    assert {line for line in told if f"--env-file deploy/{worker['env_file']} " not in line} == set()
    assert len(told) > 2


# --- forms


def program(name: str) -> str:
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@pytest.mark.parametrize("name", COMPOSE)
def test_compose_files_have_the_form_of_the_specification(name: str) -> None:
    command = [program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(DEPLOY / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_dockerfile_is_free_of_known_faults() -> None:
    command = [program("hadolint"), "--no-color", "--failure-threshold", "style", str(DEPLOY / "Dockerfile")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


# Render publishes its schema on its own site alone. This is what its reference says of the fields that we use.
_OF_ALL = {"name", "type", "runtime", "plan", "dockerfilePath", "dockerContext", "dockerCommand", "envVars"}
_OF_TYPE = {
    "web": {"preDeployCommand", "healthCheckPath", "maxShutdownDelaySeconds"},
    "worker": {"numInstances", "maxShutdownDelaySeconds"},
    "cron": {"schedule"},
}
_PLANS = {"starter", "standard", "pro", "pro plus", "pro max", "pro ultra"}


def test_the_blueprint_has_the_form_of_renders_reference() -> None:
    assert set(RENDER) == {"previews", "services", "databases", "envVarGroups"}
    assert RENDER["previews"] == {"generation": "off"}
    by_name = {service["name"]: service for service in RENDER["services"]}
    databases = {one["name"] for one in RENDER["databases"]}
    groups = {one["name"] for one in RENDER["envVarGroups"]}
    assert sorted(service["type"] for service in by_name.values()) == ["cron", "web", "web", "worker"]
    for service in by_name.values():
        assert _OF_ALL - {"plan"} <= set(service) <= _OF_ALL | _OF_TYPE[service["type"]]
        assert (service["runtime"], service["plan"] in _PLANS) == ("docker", True)
        assert 1 <= service.get("maxShutdownDelaySeconds", 30) <= 300
        assert service["type"] != "cron" or len(service["schedule"].split()) == 5
        for variable in service["envVars"]:
            if "fromGroup" in variable:
                assert variable["fromGroup"] in groups
                continue
            (form,) = set(variable) - {"key"}
            told = variable[form]
            if form == "fromService":
                other = by_name[told["name"]]
                assert other["type"] == told["type"]
                assert told["envVarKey"] in {one.get("key") for one in other["envVars"]}
            elif form == "fromDatabase":
                assert (told["name"] in databases, told["property"]) == (True, "connectionString")
            else:
                # Anything but text is turned into text by YAML's own rules.
                assert (form, told) == ("sync", False) or (form == "value" and isinstance(told, str))
    for group in RENDER["envVarGroups"]:
        # Neither references nor prompts are allowed in groups.
        assert all(set(one) - {"key"} in ({"generateValue"}, {"value"}) for one in group["envVars"])


def test_the_filter_of_system_calls_is_one_that_can_be_told_in_full() -> None:
    told = json.loads(text("seccomp.json"))
    assert told["defaultAction"] == "SCMP_ACT_ALLOW"
    (rule,) = told["syscalls"]
    names = rule["names"]
    assert names == sorted(set(names), key=lambda name: name.removeprefix("_"))
    # What sandboxes are made of is not among it.
    assert not {"clone", "clone3", "unshare", "setns", "mount", "umount2", "pivot_root", "chroot", "seccomp"} & set(
        names
    )


# --- the health check


def test_a_health_check_tells_what_is_wrong_and_hides_nothing_behind_what_is_right() -> None:
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.headers['Host']}{self.path}")
            self.send_response(200 if self.path == "/well" else 503)
            self.end_headers()
            self.wfile.write(b"the reason")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, socket.create_server(("127.0.0.1", 0)) as reserved:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.server_port
        free = reserved.getsockname()[1]
        reserved.close()

        def health(*places: str) -> tuple[int, str]:
            command = [sys.executable, "-I", "-S", str(DEPLOY / "health.py"), *places]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

        assert health(f"{port}/well") == (0, "")
        assert health(f"{port}/well", f"{port}/ill") == (1, f"{port}/ill: 503 the reason")
        assert health(f"{free}/well")[0] == 1
        assert health() == (2, "")
        server.shutdown()
    # The name that the web applications allow for this, whatever their own is.
    assert set(asked) == {"localhost/well", "localhost/ill"}
