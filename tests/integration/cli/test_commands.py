"""`greenlight` does what it says, prints JSON that a program can read, and tells a person what to do about an error."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any
from uuid import UUID

import pytest
import typer

from greenlight_dagster.cli import main, output
from studio.database.connection import Database
from studio.secrets import new_key
from tests.support.cli import DEADLINE, IDEA, NOBODY, Greenlight, bring_to, findings, process
from tests.support.postgres import TestServer
from tests.support.queue import (
    enqueue,
    make_project,
)
from tests.support.traces import make_trace

# --- every command


def _commands() -> dict[tuple[str, ...], Any]:
    found: dict[tuple[str, ...], Any] = {}

    def walk(path: tuple[str, ...], command: Any) -> None:
        inner = getattr(command, "commands", None)
        if inner is None:
            found[path] = command
            return
        for name, sub in inner.items():
            walk((*path, name), sub)

    walk((), typer.main.get_command(main.app))
    return found


COMMANDS = _commands()
GROUPS = sorted({path[:-1] for path in COMMANDS if len(path) > 1})


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "up",
        "demo",
        "launch",
        "enqueue",
        "env",
        "sign-in",
        "chat",
        "doctor",
        "limits",
        "projects create",
        "projects list",
        "projects show",
        "projects budget",
        "projects permissions",
        "projects mail",
        "projects files",
        "projects audit",
        "projects share",
        "projects shares",
        "projects unshare",
        "projects export",
        "projects pause",
        "projects resume",
        "projects kill",
        "projects integrations list",
        "projects integrations set",
        "projects integrations on",
        "projects integrations off",
        "projects integrations remove",
        "approvals list",
        "approvals show",
        "approvals approve",
        "approvals deny",
        "approvals revise",
        "outbox list",
        "outbox show",
        "outbox send",
        "outbox resolve",
        "pages list",
        "pages rollback",
        "nightshift run",
        "nightshift show",
        "nightshift on",
        "nightshift off",
        "jobs list",
        "jobs show",
        "jobs tail",
        "jobs cancel",
        "jobs retry",
        "code generate",
        "code list",
        "code show",
        "report generate",
        "report list",
        "report show",
        "report download",
        "check page",
        "check list",
        "check show",
        "traces list",
        "traces show",
        "traces slow",
        "traces compare",
        "traces cost",
        "traces errors",
        "traces health",
        "traces test",
        "db migrate",
        "db status",
        "db reset",
        "db after-restore",
        "db partitions",
        "bench latency",
        "bench chats",
        "bench burst",
        "worker",
        "workers",
    }


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_help_says_what_a_command_does_with_an_example(greenlight: Greenlight, path: tuple[str, ...]) -> None:
    ran = greenlight(*path, "--help")
    assert ran.code == 0
    assert ran.err == ""
    assert "Usage:" in ran.out
    summary = (COMMANDS[path].help or "").strip()
    assert summary.endswith("."), "the command says nothing about itself"
    assert summary.split(".")[0] in ran.said
    example = ran.said.partition("Example: ")[2]
    assert " ".join(("greenlight", *path)) in example
    for parameter in COMMANDS[path].params:
        assert parameter.help, f"{parameter.name} says nothing about itself"


@pytest.mark.parametrize("group", [(), *GROUPS], ids=" ".join)
def test_a_group_alone_lists_its_commands(greenlight: Greenlight, group: tuple[str, ...]) -> None:
    ran = greenlight(*group, "--help")
    assert ran.code == 0
    inside = {path[len(group)] for path in COMMANDS if path[: len(group)] == group}
    assert all(name in ran.out for name in inside)
    assert greenlight(*group).code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["projects", "nonsense"],
        ["jobs", "list", "--nonsense"],
        ["jobs", "list", "--limit", "many"],
        ["jobs", "list", "--limit", "0"],
        ["jobs", "show"],
        ["jobs", "tail", NOBODY, "--after", "-1"],
        ["projects", "create"],
        ["projects", "list", "--limit", "1001"],
        ["projects", "budget", NOBODY, "--calls", "-1"],
        ["enqueue", "phase0.generate_packet"],
        ["launch", NOBODY, "surplus"],
        ["doctor", "--debug"],
        ["bench", "burst", "--jobs", "0"],
        ["bench", "latency", "--jobs", "1000000"],
        ["bench", "chats", "--per-second", "many"],
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_exit_code_2(greenlight: Greenlight, arguments: list[str]) -> None:
    greenlight(*arguments).fails(code=2)


# --- JSON


def test_every_json_is_one_line_alone(
    greenlight: Greenlight, db: Database, finished: tuple[UUID, UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROJECT_INTEGRATION_ENCRYPTION_KEY", new_key())
    monkeypatch.setenv("MY_TOKEN", "abc")
    monkeypatch.setenv("GREENLIGHT_PAGES_URL", "https://pages.example.org")
    project, done = finished
    failed = enqueue(
        db, project, job_type="phase0.generate_packet", payload={"ownerClerkId": "o", "projectId": str(project)}
    )
    bring_to(db, failed, "failed")
    other = make_project(db)
    trace = make_trace(db, project_id=project).trace_id
    calls: dict[str, list[object]] = {
        "db migrate": [],
        "db status": [],
        "db after-restore": ["--nothing-lost"],
        "projects create": [IDEA],
        "projects list": [],
        "projects show": [project],
        "projects budget": [project],
        "projects permissions": [project],
        "projects mail": [project],
        "projects files": [project],
        "projects integrations set": [project, "github", "--env", "token=MY_TOKEN"],
        "projects integrations list": [project],
        "projects integrations off": [project, "github"],
        "projects integrations on": [project, "github"],
        "projects integrations remove": [project, "github"],
        "projects audit": [project],
        "projects share": [project, "--phase", "0"],
        "projects shares": [project],
        "projects pause": [other],
        "projects resume": [other],
        "projects kill": [other, "--yes"],
        "approvals list": [],
        "outbox list": [],
        "outbox send": [],
        "pages list": [project],
        "nightshift run": ["--project", project],
        "nightshift show": [project],
        "nightshift off": [project],
        "nightshift on": [project],
        "launch": [project],
        "enqueue": [
            "phase0.generate_packet",
            "--project",
            project,
            "--payload",
            '{"ownerClerkId": "o"}',
            "--key",
            "k1",
        ],
        "traces list": [],
        "traces show": [trace],
        "traces slow": [],
        "traces compare": [trace],
        "traces cost": [],
        "traces errors": [],
        "traces health": [],
        "traces test": ["--list"],
        "workers": [],
        "code generate": [project, "A list of tools"],
        "code list": [project],
        "report generate": [project, "Who borrows tools"],
        "report list": [project],
        "check page": [project, "https://example.org/"],
        "check list": [project],
        "jobs list": [],
        "jobs show": [done],
        "jobs retry": [failed],
        "jobs cancel": [failed],
        "chat": [project],
        "doctor": [],
        "limits": [],
        "db partitions": [],
    }
    elsewhere = {"jobs tail", "db reset", "env", "up", "sign-in", "bench latency", "bench chats", "bench burst"}
    # They need something to decide, settle or take back.
    elsewhere |= {f"approvals {name}" for name in ("show", "approve", "deny", "revise")}
    elsewhere |= {"outbox show", "outbox resolve", "pages rollback"}
    # They need something that was made.
    elsewhere |= {"code show", "report show", "report download", "check show"}
    with_json = {" ".join(path) for path, command in COMMANDS.items() if "as_json" in {p.name for p in command.params}}
    assert with_json == set(calls) | elsewhere, "a command with --json is not tested"
    for name, arguments in calls.items():
        ran = greenlight(*name.split(), *arguments, "--json")
        assert ran.code == 0, name
        assert isinstance(ran.json, dict | list), name


def test_json_is_not_bent_by_a_narrow_terminal(finished: tuple[UUID, UUID]) -> None:
    project, _ = finished
    ran = process("projects", "show", project, "--json", COLUMNS="20", TERM="xterm-256color", FORCE_COLOR="1")
    assert ran.code == 0
    shown = ran.json
    assert shown["project"]["idea_description"] in ran.out
    assert shown["packet"]["packet"]["market_sizing"]["tam"] in ran.out
    assert "\x1b" not in ran.out


def test_commands_to_copy_stay_whole_on_a_narrow_terminal(
    greenlight: Greenlight, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(output.out, "_width", 24)
    for arguments in (
        ["projects", "create", IDEA],
        ["projects", "show", project],
        ["launch", project],
        ["jobs", "cancel", job],
        ["jobs", "retry", job],
    ):
        ran = greenlight(*arguments)
        assert ran.code == 0, arguments
        assert re.search(r"(greenlight (launch|jobs tail) |Job )[0-9a-f-]{36}\b", ran.out), f"folded: {ran.out}"


def test_ids_stay_whole_on_an_ordinary_terminal(
    greenlight: Greenlight, db: Database, project: UUID, job: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_to(db, job, "failed")
    monkeypatch.setattr(output.out, "_width", 80)
    assert str(project) in greenlight("projects", "list").out
    listed = greenlight("jobs", "list", "--project", project)
    assert str(job) in listed.out
    assert all(len(line) <= 80 for line in listed.out.splitlines())


# --- errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["projects", "show", "my-project"], ["PROJECT 'my-project' is not a UUID", "list command"]),
        (["projects", "show", NOBODY], [f"no project {NOBODY}", "greenlight projects list"]),
        (["projects", "budget", NOBODY], [f"no project {NOBODY}"]),
        (["projects", "create", " "], ["idea is empty", "Describe it"]),
        (["projects", "create", "x" * 20_000], ["20,000 characters; at most 3,600", "essence"]),
        (["projects", "create", "Tools \udcff"], ["lone surrogate at position 6", "Remove it"]),
        (["projects", "create", IDEA, "--domain", "localhost"], ["localhost", "example.com"]),
        (["projects", "create", IDEA, "--name", "x" * 81], ["81 characters", "Shorten it"]),
        (["launch", NOBODY], [f"no project {NOBODY}"]),
        (["launch", "\udcff"], ["is not a UUID"]),
        (["jobs", "show", "1"], ["JOB '1' is not a UUID"]),
        (["jobs", "show", NOBODY], [f"no job {NOBODY}", "greenlight jobs list"]),
        (["jobs", "tail", NOBODY], [f"no job {NOBODY}"]),
        (["jobs", "cancel", NOBODY], [NOBODY]),
        (["jobs", "retry", NOBODY], [f"no job {NOBODY}"]),
        (["jobs", "list", "--status", "done"], ["no status 'done'", "queued, running"]),
        (["jobs", "list", "--project", "x"], ["--project 'x' is not a UUID"]),
        (
            ["enqueue", "phase0.generate", "--project", NOBODY],
            ["no job type 'phase0.generate'", "phase0.generate_packet"],
        ),
        (["db", "reset"], ["--force"]),
        (["env"], ["No stack runs on", "greenlight up"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
@pytest.mark.parametrize("as_json", [False, True], ids=["plain", "json"])
def test_an_error_is_one_sentence_with_its_remedy(
    greenlight: Greenlight, arguments: list[str], said: list[str], as_json: bool
) -> None:
    greenlight(*arguments, *(["--json"] if as_json else [])).fails(*said)


def test_a_traceback_is_shown_only_on_demand() -> None:
    quiet, loud = process("jobs", "show", NOBODY), process("--debug", "jobs", "show", NOBODY)
    quiet.fails(NOBODY)
    assert loud.code == 1
    assert "Traceback (most recent call last)" in loud.err
    assert loud.err.rstrip().splitlines()[-1].startswith("Error: ")


def test_a_reader_that_goes_away_is_no_error_to_tell(db: Database) -> None:
    for number in range(40):
        make_project(db, idea_description=f"{number} " + "x" * 2_000)
    for arguments in (["projects", "list", "--json"], ["projects", "list"]):
        command = [sys.executable, "-c", "from greenlight_dagster.cli.main import main; main()", *arguments]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert child.stdout is not None
        child.stdout.close()
        assert child.stderr is not None
        told = child.stderr.read()
        child.stderr.close()
        assert child.wait(DEADLINE) == 1
        assert told == ""


@pytest.mark.parametrize(
    "command", [["projects", "list"], ["jobs", "list", "--json"], ["launch", NOBODY], ["db", "status"]]
)
@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("postgresql://me:secret@127.0.0.1:1/studio", ["127.0.0.1:1/studio cannot be reached", "greenlight doctor"]),
        ("postgresql://me:sec/ret@127.0.0.1/studio", ["DATABASE_URL is not the URL"]),
        ("nonsense", ["DATABASE_URL is not the URL", "postgresql://"]),
    ],
)
def test_without_its_database_it_says_so_at_once(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, command: list[str], broken: str, said: list[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", broken)
    ran = greenlight(*command)
    ran.fails(*said)
    assert "sec" not in ran.err


def test_a_database_that_is_not_there_is_named(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, postgres: TestServer
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres.url("never_created"))
    greenlight("jobs", "list").fails("never_created", "does not exist")


def test_a_database_without_the_schema_says_what_to_run(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, postgres: TestServer
) -> None:
    with postgres.temporary() as name:
        monkeypatch.setenv("DATABASE_URL", postgres.url(name))
        greenlight("projects", "list").fails("lacks a part of its schema", "greenlight db migrate")
        assert "pending" in greenlight("db", "status").out
        found = greenlight("doctor", "--json")
        assert found.code == 1
        assert {"what": "schema", "state": "problem"}.items() <= findings(found)["schema"].items()


def test_settings_that_cannot_be_read_are_named(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_CONCURRENCY", "many")
    monkeypatch.setenv("GREENLIGHT_MODEL_PRICES", "{")
    greenlight("projects", "list").fails("Error: ")


def test_without_a_stack_and_a_database_it_says_how_to_get_one(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    greenlight("projects", "list").fails("No stack runs on", "No DATABASE_URL is set", "greenlight up")
