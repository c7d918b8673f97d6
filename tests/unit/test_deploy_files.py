"""What the deployment files say is so: every variable is a setting, every command one of ours, every file there.

An engine is not needed. How the image is built and runs is in `tests/chaos/test_image.py`, the proxy in
`tests/integration/deploy/test_proxy.py`.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import click
import pytest
import typer
import yaml

from greenlight_dagster.cli.main import app
from studio.paths import ROOT
from studio.settings import Settings
from web.__main__ import arguments

sys.path.insert(0, str(ROOT / "scripts"))
import dockerfile

DEPLOY = ROOT / "deploy"
COMPOSE = ("compose.yaml", "compose.fleet.yaml", "compose.worker.yaml")
HEALTH = "/srv/greenlight/app/deploy/health.py"
# What others than the studio read: Caddy's file, PostgreSQL and its tools, Redis, Compose, Render.
OTHERS = {
    *("CADDY_GLOBAL", "CADDY_IMAGE", "CADDY_TLS", "DAGSTER_PORT", "PAGES_HOST", "STUDIO_HOST"),
    *("PGHOST", "PGPASSWORD", "PGUSER", "POSTGRES_CONNECTIONS", "POSTGRES_DB", "POSTGRES_IMAGE"),
    *("POSTGRES_INITDB_ARGS", "POSTGRES_PASSWORD", "POSTGRES_USER"),
    *("REDISCLI_AUTH", "REDIS_IMAGE", "REDIS_PASSWORD"),
    *(
        "ARTIFACTS_DIR",
        "BACKUP_DIR",
        "BACKUP_HOURS",
        "BACKUP_KEEP",
        "KEEP",
        "FRONT_RANGE",
        "FRONT_SUBNET",
        "GREENLIGHT_IMAGE",
        "GREENLIGHT_MEMORY",
    ),
    *("PRIVATE_ADDRESS", "PROXY_ADDRESS", "WORKER_LANES", "WORKER_NAME"),
    "PORT",
}
# Of the Celery profile.
FLEET_SETTINGS = {"GREENLIGHT_BROKER_URL"}
FLEET_COMMANDS = {"worker", "workers"}
FLEET_FILES = {
    "docs/fleet.md",
    "deploy/kubernetes/",
    "deploy/postgres",
    "deploy/postgres/backup.sh",
    "deploy/postgres/pgbouncer.ini",
    "deploy/postgres/restore.sh",
}
SETTINGS = {str(field.validation_alias or name).upper() for name, field in Settings.model_fields.items()}


def text(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def services() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in COMPOSE:
        for service, told in loaded(DEPLOY / name)["services"].items():
            yield f"{name}: {service}", told


RENDER: dict[str, Any] = loaded(ROOT / "render.yaml")
IMAGE = dockerfile.parse(text("Dockerfile"))
LAST = {one.name: one.rest for one in IMAGE.stages[-1].instructions}


# --- variables


def named_variables() -> Iterator[tuple[str, str]]:
    """Yield every variable that a deployment file sets or asks for, with where."""
    for place, told in services():
        for name in told.get("environment", {}):
            yield place, name
    for name in COMPOSE:
        # With two dollars it is a shell's.
        for found in re.finditer(r"(?<!\$)\$\{(\w+)", text(name)):
            yield name, found[1]
    for name in ("env.example", "new-env.sh", "worker-env.sh"):
        for found in re.finditer(r"^([A-Z][A-Z0-9_]+)=", text(name), re.MULTILINE):
            yield name, found[1]
    for service in (*RENDER["services"], *RENDER["envVarGroups"]):
        for variable in service["envVars"]:
            if "key" in variable:
                yield f"render.yaml: {service['name']}", variable["key"]
    for stage in IMAGE.stages:
        for instruction in stage.instructions:
            if instruction.name == "ENV":
                yield from (("Dockerfile", name) for name in dockerfile.pairs(instruction.rest, {}))


def test_every_variable_is_a_setting_or_somebody_elses() -> None:
    of_image = {"DAGSTER_HOME", "DEBIAN_FRONTEND", "LANG", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
    known = SETTINGS | OTHERS | FLEET_SETTINGS | of_image
    unknown = sorted({(place, name) for place, name in named_variables() if name not in known})
    assert unknown == []
    assert len(set(named_variables())) > 60, "they are really found"


def test_no_secret_stands_in_a_file() -> None:
    secret = re.compile(r"(PASSWORD|SECRET|KEY|TOKEN)$")
    for place, told in services():
        for name, value in told.get("environment", {}).items():
            assert not secret.search(name) or str(value).startswith("${"), (place, name)
    for line in text("env.example").splitlines():
        name, _, value = line.partition("=")
        assert not (secret.search(name) and value), line
    for service in (*RENDER["services"], *RENDER["envVarGroups"]):
        assert not [one for one in service["envVars"] if "value" in one and secret.search(one["key"])]


# --- commands


def words_of(command: str | list[str]) -> list[str]:
    plain = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", command) if isinstance(command, str) else command
    return shlex.split(plain) if isinstance(plain, str) else list(plain)


def commands() -> Iterator[tuple[str, list[str]]]:
    """Yield every command of ours that a file has run, with where."""
    found: list[tuple[str, str | list[str]]] = [("Dockerfile", dockerfile.exec_form(LAST["CMD"]))]
    for place, told in services():
        found += [(place, told["command"])] if "command" in told else []
        test = told.get("healthcheck", {}).get("test", ["CMD"])
        found.append((place, test[1:]))
    for service in RENDER["services"]:
        found += [(service["name"], service[key]) for key in ("dockerCommand", "preDeployCommand") if key in service]
    for name in ("deploy/README.md", "docs/supabase.md"):
        told = (ROOT / name).read_text(encoding="utf-8")
        for block in re.findall(r"```sh\n(.*?)```", told, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line, comments=True)
                if "greenlight" in words and ("exec" in words or words[0] == "greenlight"):
                    begin = words.index("exec") + 2 if "exec" in words else 0
                    found.append((name, words[begin:]))
    for place, command in found:
        words = words_of(command)
        if words[:2] == ["sh", "-c"]:
            yield from ((place, shlex.split(part)) for part in words[2].split("&&"))
        elif words:
            yield place, words


def test_every_command_is_one_of_ours() -> None:
    seen = set()
    root = typer.main.get_command(app)
    for place, words in commands():
        if words[:3] == ["python", "-m", "web"]:
            assert arguments(words[3:]).host == "0.0.0.0", place
            seen.add("web")
        elif words[0] == "greenlight":
            seen.add(words[1])
            if words[1] not in FLEET_COMMANDS:
                check(root, words[1:], place)
    assert {"web", "up", "db", "nightshift", "traces", "doctor", "sign-in"} | FLEET_COMMANDS <= seen


def check(root: Any, words: list[str], place: str) -> None:
    """Parse a command as the program does, without carrying it out."""
    context = click.Context(root, info_name="greenlight")
    command = root
    while isinstance(command, click.Group) or hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"{place}: there is no command {name}"
        command = command.commands[name]
    parser = command.make_parser(context) if hasattr(command, "make_parser") else command
    _, left, _ = parser.parse_args(list(words))
    assert not [word for word in left if word.startswith("-")], place


# --- files


def test_every_file_that_is_named_is_there() -> None:
    named: set[str] = set()
    for _, told in services():
        for volume in told.get("volumes", []):
            source = volume.partition(":")[0]
            named |= {f"deploy/{source.removeprefix('./')}"} if source.startswith("./") else set()
        for option in told.get("security_opt", []):
            named |= {f"deploy/{option.partition('=./')[2]}"} if "=./" in option else set()
        if "build" in told:
            assert (DEPLOY / told["build"]["context"]).resolve() == ROOT
            named.add(told["build"]["dockerfile"])
    for service in RENDER["services"]:
        assert service["dockerContext"] == "."
        named.add(service["dockerfilePath"].removeprefix("./"))
    for page in (DEPLOY / "README.md", ROOT / "docs" / "supabase.md"):
        told = page.read_text(encoding="utf-8")
        for link in re.findall(r"\]\(([^)#]+)", told):
            if "://" not in link:
                named.add((page.parent / link).resolve().relative_to(ROOT).as_posix())
        named |= set(re.findall(r"`((?:deploy|docs|scripts|tests)/[\w./-]+)`", told))
    # Made by a person, in the course of it.
    made = {"deploy/.env", "deploy/worker.env"}
    missing = {name for name in named - made - FLEET_FILES if not (ROOT / name).exists()}
    assert missing == set()
    assert len(named) > 12


def test_the_image_holds_what_runs_and_nothing_else() -> None:
    files = set(dockerfile.context_files(ROOT))
    assert {"requirements.lock", "dagster.yaml", "deploy/health.py", "web/static/base.css"} <= files
    assert {path.relative_to(ROOT).as_posix() for path in (ROOT / "supabase" / "migrations").glob("*.sql")} <= files
    outside = ("tests/", "docs/", "benchmarks/", ".git", "deploy/.env", "deploy/compose", "deploy/postgres")
    assert [name for name in files if name.startswith(outside) or name.endswith((".pyc", ".env"))] == []
    for instruction in (one for stage in IMAGE.stages for one in stage.instructions if one.name == "COPY"):
        source = instruction.rest.split()[-2]
        assert source in {".", "/srv/greenlight"} or source in files, instruction.rest


def test_what_is_ignored_is_told_as_an_engine_tells_it() -> None:
    ignored = dockerfile.Ignored("*\n!a\n!b/c\na/x\n**/*.pyc\n# a comment\n\n!deep/keep.txt\n")
    kept = [path for path in ("a/y", "a/b/y", "b/c", "b/c/d", "deep/keep.txt") if not ignored(path)]
    assert kept == ["a/y", "a/b/y", "b/c", "b/c/d", "deep/keep.txt"]
    assert all(map(ignored, ("z", "a/x", "a/x/y", "a/y.pyc", "a/b/c/y.pyc", "b/d", "deep/other.txt")))


def test_an_instruction_that_would_be_passed_over_is_an_error() -> None:
    for wrong in ("FROM a\nADD b c", "RUN a", "FROM a AS", "FROM --platform=x a"):
        with pytest.raises(ValueError, match="line"):
            dockerfile.parse(wrong)


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

    return re.sub(r"\$\{(\w+)(:[-?])?([^}]*)\}", one, value)


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
    assert "one place for artifacts" in ran(folder, "worker-env.sh", "10.0.0.1").stderr
    with (folder / ".env").open("a") as env:
        env.write("ARTIFACTS_DIR=/mnt/artifacts\nANTHROPIC_API_KEY=key\nPRIVATE_ADDRESS=10.0.0.1\n")
    made = ran(folder, "worker-env.sh", "10.0.0.1")
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
