"""What the deployment files name is there: every variable is a setting, every command one of ours, every file a file.

An engine is not needed. How the image is built and runs is in `tests/chaos/test_image.py`, the proxy in
`tests/integration/deploy/test_proxy.py`, what fits together in `tests/unit/test_deploy_fit.py`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import click
import pytest
import typer

from greenlight_dagster.cli.main import app
from studio.paths import ROOT
from tests.support.deploy import (
    COMPOSE,
    DEPLOY,
    IMAGE,
    LAST,
    OTHERS,
    RENDER,
    SETTINGS,
    dockerfile,
    loaded,
    services,
    text,
    words_of,
)
from web.__main__ import arguments

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
    known = SETTINGS | OTHERS | of_image
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
                if "greenlight" in words and {"exec", "run"} & set(words):
                    # Behind the service, which may be called the same.
                    service = words.index("exec") + 1 if "exec" in words else words.index("greenlight")
                    found.append((name, words[service + 1 :]))
                elif words[:1] == ["greenlight"]:
                    found.append((name, words))
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
            seen |= {words[1], " ".join(words[1:3])}
            check(root, words[1:], place)
    assert {"web", "up", "db after-restore", "nightshift", "traces", "doctor", "sign-in", "worker", "workers"} <= seen


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
    missing = {name for name in named - made if not (ROOT / name).exists()}
    assert missing == set()
    assert len(named) > 12


def test_what_is_restored_comes_back_where_it_was_copied_from() -> None:
    for name in ("compose.yaml", "compose.fleet.yaml"):
        told = loaded(DEPLOY / name)["services"]
        copying, restoring = told["backup"], told["restore"]
        assert restoring["environment"] == copying["environment"]
        # One reads what the other writes.
        assert {volume.removesuffix(":ro") for volume in restoring["volumes"]} == {
            volume.removesuffix(":ro") for volume in copying["volumes"]
        }
        folder = copying["environment"]["GREENLIGHT_DATA_DIR"]
        assert [volume for volume in restoring["volumes"] if f":{folder}" in volume and not volume.endswith(":ro")]
    one_box = loaded(DEPLOY / "compose.yaml")["services"]
    assert one_box["restore"]["profiles"] == ["restore"], "never by itself"
    assert one_box["restore"]["image"] == one_box["backup"]["image"] == one_box["postgres"]["image"]


def test_the_image_holds_what_runs_and_nothing_else() -> None:
    files = set(dockerfile.context_files(ROOT))
    assert {
        "requirements.lock",
        # It says which release this is: the image has the program as it is in the repository, and not installed.
        "pyproject.toml",
        "dagster.yaml",
        "dagster.celery.yaml",
        "deploy/health.py",
        "web/static/base.css",
    } <= files
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
