"""What the guide says can be pasted: its commands are read by a shell, and name what there is."""

from __future__ import annotations

import re
import shlex
import subprocess

import click
import pytest
import typer
import yaml

from greenlight_dagster.cli.main import app
from tests.support.kubernetes import KUBERNETES, ROOT, Manifests

GUIDE = (KUBERNETES / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```sh\n(.*?)^```", GUIDE, re.M | re.S)
# What a shell has by itself, or a block sets for its own next line.
OWN = {"USER", "HOME", "EDITOR", "PASSWORD", "HASH"}


def test_a_shell_can_read_every_block() -> None:
    assert len(BLOCKS) > 15
    for block in BLOCKS:
        read = subprocess.run(["bash", "-n"], input=block.encode(), stderr=subprocess.PIPE, check=False)
        assert read.returncode == 0, f"{read.stderr.decode()}\n{block}"


def test_the_script_installs_what_the_guide_has_variables_for() -> None:
    script = (KUBERNETES / "install.sh").read_text(encoding="utf-8")
    subprocess.run(["sh", "-n", str(KUBERNETES / "install.sh")], check=True)
    used = set(re.findall(r"\$\{?([A-Z_]+)", script))
    assert used <= {name for block in BLOCKS for name in re.findall(r"([A-Z_]+)=", block)}
    # Each one is asked for before anything is changed; without Supabase its address is nothing.
    assert used == set(re.findall(r"\$\{([A-Z_]+):?\?\}", script))
    assert set(re.findall(r"\$\{([A-Z_]+)\?\}", script)) == {"SUPABASE_URL"}


def test_every_variable_is_set_before_it_is_used() -> None:
    known = set(OWN)
    for block in BLOCKS:
        for line in block.splitlines():
            if line.startswith("export "):
                known |= {word.partition("=")[0] for word in shlex.split(line)[1:]}
            used = set(re.findall(r"\$\{?([A-Z_]+)", line))
            assert used <= known, f"{used - known} in: {line}"


def test_files_are_where_the_guide_says() -> None:
    for name in set(re.findall(r"\$KUBE/([\w.-]+)", GUIDE)):
        assert (KUBERNETES / name).exists(), name
    for link in re.findall(r"\]\(([^)#]+)\)", GUIDE):
        assert (KUBERNETES / link).exists(), link
    assert (ROOT / "jobs" / "pods.py").exists()


def test_commands_of_the_studio_exist_with_their_options() -> None:
    root = typer.main.get_command(app)
    lines = [line for block in BLOCKS for line in block.splitlines() if line.startswith("gl ")]
    assert lines
    for line in lines:
        command, words = root, shlex.split(line)[1:]
        while isinstance(command, click.Group) or hasattr(command, "commands"):
            name = words.pop(0)
            assert name in command.commands, line
            command = command.commands[name]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= known, line


def test_the_secrets_are_those_that_the_chart_reads() -> None:
    manifests = Manifests("example")
    read = {
        source["secretRef"]["name"]
        for pod in manifests.pods().values()
        for container in pod["spec"]["containers"]
        for source in container.get("envFrom", [])
        if "secretRef" in source
    }
    read |= {
        volume["secret"]["secretName"]
        for pod in manifests.pods().values()
        for volume in pod["spec"]["volumes"]
        if "secret" in volume
    }
    values = yaml.safe_load((KUBERNETES / "dagster-values.yaml").read_text(encoding="utf-8"))
    read.add(values["global"]["postgresqlSecretName"])
    made = set(re.findall(r"kubectl create secret generic (\S+)", GUIDE))
    assert made == read


@pytest.mark.parametrize("name", ["greenlight-studio", "greenlight-migration"])
def test_what_is_asked_about_has_that_name(name: str) -> None:
    assert name in GUIDE
    assert name in Manifests("example").pods()
