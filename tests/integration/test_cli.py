"""`greenlight` does what it says, prints JSON that a program can read, and tells a person what to do about an error.

Commands run in the test's own process on a real database, as `greenlight_dagster.cli.main.run` runs them; what
only a process of its own can show (tracebacks, narrow terminals, a closed pipe) is shown by one.
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import typer
from rich.console import Console

from greenlight_dagster.cli import main, output
from greenlight_dagster.cli.packet_view import packet_panels
from greenlight_dagster.cli.tailing import follow_job
from studio import claims, lanes, projects, queue
from studio.claims import Claim
from studio.database.connection import Database
from studio.database.migrations import read_folder
from studio.event_writer import EventWriter
from studio.events import NewEvent
from studio.job_types import JOB_TYPES
from studio.model import spend
from studio.model.spend import Spent
from studio.packets import versions
from studio.paths import MIGRATIONS
from studio.settings import Settings, get_settings
from tests.support.model import model_settings, open_model, scripted_model
from tests.support.phase0 import Studio, run_steps, write_corpus
from tests.support.postgres import TestServer
from tests.support.queue import (
    LEASE,
    InBackground,
    enqueue,
    make_project,
    separate_connection,
    statuses,
    wait_until_blocked,
)
from tests.support.sandbox import SandboxThread
from tests.support.waiting import eventually

IDEA = "A tool library for neighbours."
NOBODY = "00000000-0000-4000-8000-000000000000"
WITHOUT_HANDLER = sorted(name for name, kind in JOB_TYPES.items() if not kind.has_handler)
DEADLINE = 60.0
RIVAL = {"name": "Acme", "positioning": "p", "gap": "g", "pricing": "free", "unsourced_fields": []}


# --- running commands


@dataclass
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one line of JSON that was printed, alone."""
        assert self.err == ""
        assert self.out.endswith("\n")
        assert self.out.count("\n") == 1, f"not one line: {self.out!r}"
        return json.loads(self.out)

    @property
    def said(self) -> str:
        """Standard output with its line breaks taken out, for texts that a table or a panel may fold."""
        return " ".join(self.out.split())

    def fails(self, *said: str, code: int = 1) -> None:
        """Require an error of one line without a traceback, which says all of `said`."""
        assert self.code == code, self
        assert self.out == ""
        assert "Traceback" not in self.err
        assert all(text in self.err for text in said), self.err
        if code == 1:
            assert self.err.startswith("Error: ")
            assert self.err.count("\n") == 1, f"not one line: {self.err!r}"


Greenlight = Callable[..., Ran]


@pytest.fixture(scope="module")
def url(postgres: TestServer, database_template: str) -> Iterator[str]:
    """One database for the module: each test has projects of its own in it."""
    with postgres.temporary(database_template) as name:
        yield postgres.url(name)


@pytest.fixture(scope="module")
def db(url: str) -> Iterator[Database]:
    with Database(url) as db:
        lanes.prepare_database(db, Settings())
        yield db


@pytest.fixture(autouse=True)
def environment(url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The database of the module, and a data folder on which no stack runs."""
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.setenv("GREENLIGHT_DATA_DIR", str(tmp_path / "data"))
    # Wide enough that no table folds what a test looks for; narrow terminals have a test of their own.
    monkeypatch.setattr(output.out, "_width", 300)
    monkeypatch.setattr(output.err, "_width", 300)


@pytest.fixture
def greenlight(db: Database, capsys: pytest.CaptureFixture[str]) -> Greenlight:
    """Runs a command in this process."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        get_settings.cache_clear()
        code = main.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


def process(*arguments: object, **environment: str) -> Ran:
    """Run a command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "from greenlight_dagster.cli.main import main; main()", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, **environment},
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


# --- projects and jobs


@pytest.fixture
def project(db: Database) -> UUID:
    with db.transaction() as conn:
        return projects.create(conn, Settings(), owner_clerk_id="local-owner", idea=IDEA)


@pytest.fixture
def job(db: Database, project: UUID) -> UUID:
    """A queued Phase 0 job."""
    with db.transaction() as conn:
        return queue.enqueue(
            conn, queue.NewJob("phase0.generate_packet", project, {"ownerClerkId": "local-owner"})
        ).job_id


def claimed(db: Database, job_id: UUID) -> Claim:
    with db.transaction() as conn:
        return claims.claim_by_id(conn, db, job_id, "worker", f"run-{uuid4()}", LEASE)


def bring_to(db: Database, job_id: UUID, status: str) -> None:
    if status == "queued":
        return
    claim = claimed(db, job_id)
    if status == "completed":
        claim.complete()
    elif status == "failed":
        claim.fail("The model refuses the key.", permanent=True, retry_base=timedelta(0))
    elif status == "canceled":
        claim.cancel("Not wanted.")


@pytest.fixture(scope="module")
def finished(db: Database, tmp_path_factory: pytest.TempPathFactory) -> tuple[UUID, UUID]:
    """A project whose Phase 0 has really run, and its job."""
    corpus = write_corpus(tmp_path_factory.mktemp("corpus"))
    with SandboxThread(corpus=corpus) as sandbox, open_model(sandbox.url, db) as model:
        studio = Studio(db, model_settings(sandbox.url), model)
        project_id = studio.project()
        claim = studio.launched(project_id)
        run_steps(studio.phase0(claim))
        claim.complete()
    return project_id, claim.job_id


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


def test_these_are_the_commands() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        "up",
        "demo",
        "launch",
        "enqueue",
        "env",
        "doctor",
        "projects create",
        "projects list",
        "projects show",
        "projects budget",
        "jobs list",
        "jobs show",
        "jobs tail",
        "jobs cancel",
        "jobs retry",
        "db migrate",
        "db status",
        "db reset",
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


@pytest.mark.parametrize("group", [(), ("projects",), ("jobs",), ("db",)], ids=" ".join)
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
    ],
    ids=" ".join,
)
def test_a_wrong_call_is_exit_code_2(greenlight: Greenlight, arguments: list[str]) -> None:
    greenlight(*arguments).fails(code=2)


# --- JSON


def test_every_json_is_one_line_alone(greenlight: Greenlight, db: Database, finished: tuple[UUID, UUID]) -> None:
    project, done = finished
    failed = enqueue(
        db, project, job_type="phase0.generate_packet", payload={"ownerClerkId": "o", "projectId": str(project)}
    )
    bring_to(db, failed, "failed")
    calls: dict[str, list[object]] = {
        "db migrate": [],
        "db status": [],
        "projects create": [IDEA],
        "projects list": [],
        "projects show": [project],
        "projects budget": [project],
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
        "jobs list": [],
        "jobs show": [done],
        "jobs retry": [failed],
        "jobs cancel": [failed],
        "doctor": [],
    }
    elsewhere = {"jobs tail", "db reset", "env", "up"}
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


# --- projects


def test_a_project_is_created_listed_and_shown(greenlight: Greenlight) -> None:
    made = greenlight("projects", "create", IDEA, "--domain", "Example.org", "--email", "me@example.org", "--json").json
    assert made["name"] == "example.org"
    assert made["phase"] == 0
    listed = greenlight("projects", "list", "--json").json
    assert listed[0]["id"] == made["project_id"], "the newest does not come first"
    assert listed[0]["owner_clerk_id"] == "local-owner"
    shown = greenlight("projects", "show", made["project_id"], "--json").json
    assert shown["project"]["idea_description"] == IDEA
    assert shown["packet"] is None
    assert shown["budget"]["cap_micros"] == 60_000_000
    plain = greenlight("projects", "show", made["project_id"])
    assert "No packet yet." in plain.out
    assert "Spent $0.00 of $60.00" in plain.out


def test_the_owner_of_new_projects_is_a_setting(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GREENLIGHT_OWNER", "user_2x")
    made = greenlight("projects", "create", IDEA, "--name", "Tools", "--json").json
    shown = greenlight("projects", "show", made["project_id"], "--json").json
    assert (shown["project"]["owner_clerk_id"], shown["project"]["name"]) == ("user_2x", "Tools")


def test_lists_are_bounded(greenlight: Greenlight, db: Database) -> None:
    for _ in range(3):
        make_project(db)
    assert len(greenlight("projects", "list", "--limit", "2", "--json").json) == 2
    assert len(greenlight("projects", "list", "--limit", "2").out.strip().splitlines()) == 3


def test_text_of_a_project_is_not_taken_for_markup(greenlight: Greenlight, db: Database) -> None:
    name = "[red]Tools[/red] [/] \x1b[2J"
    project = make_project(db, name=name)
    for arguments in (["projects", "list"], ["projects", "show", project]):
        ran = greenlight(*arguments)
        assert ran.code == 0
        assert "[red]Tools[/red] [/]" in ran.out
        assert "\x1b[2J" not in ran.out
    assert greenlight("projects", "show", project, "--json").json["project"]["name"] == name


def test_a_project_of_another_client_without_a_budget_is_shown(greenlight: Greenlight, db: Database) -> None:
    project = make_project(db)
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    assert "No budget" in ran.out
    assert greenlight("projects", "show", project, "--json").json["budget"] is None
    greenlight("projects", "budget", project).fails("has no budget")
    assert greenlight("projects", "budget", project, "--usd", "3", "--json").json["cap_micros"] == 3_000_000


def test_a_packet_of_another_client_is_shown_as_it_is_stored(
    greenlight: Greenlight, db: Database, project: UUID
) -> None:
    stored = {"tagline": "Their own shape", "recommendation": "maybe"}
    db.execute(
        "insert into public.phase_packets (project_id, phase, packet, confidence, synopsis)"
        " values (%s, 0, %s::jsonb, 50, '{}')",
        [project, json.dumps(stored)],
    )
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    assert "shown as it is stored" in ran.said
    assert '"tagline": "Their own shape"' in ran.said
    assert greenlight("projects", "show", project, "--json").json["packet"]["packet"] == stored


@pytest.mark.parametrize(
    "odd",
    [
        {"confidence_breakdown": {"market": "85", "competition": 1, "feasibility": 1, "timing": 1}},
        {"confidence_breakdown": {"market": 1, "competition": 1, "feasibility": 1, "timing": 1, "overall": "high"}},
        {"market_sizing": {"tam": "a", "sam": "b", "som": "c", "figures": {}, "notes": []}},
        {"competitor_note": "", "competitor_analysis": [{**RIVAL, "sourced": True, "sources": []}]},
        {"recommendation": "Greenlight"},
    ],
)
def test_a_packet_that_is_nearly_ours_is_shown(odd: dict[str, Any], db: Database) -> None:
    with SandboxThread() as sandbox, open_model(sandbox.url, db) as model:
        studio = Studio(db, model_settings(sandbox.url), model)
        owner = studio.project()
        studio.run(owner)
    console = Console(file=io.StringIO(), width=80)
    for panel in packet_panels({**studio.packet(owner).packet, **odd}):
        console.print(panel)
    assert console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [60, 80, 100, 120])
def test_a_table_keeps_what_is_to_be_copied(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    written = io.StringIO()
    monkeypatch.setattr(output, "out", Console(file=written, width=width))
    ids = [str(uuid4()) for _ in range(2)]
    names = ["Tool library for blocks and for the cities around them", "Tea"]
    now = datetime.now(UTC)
    output.print_table(
        ("id", "name", "phase", "status", "domain", "created"),
        [(ids[n], names[n], n, "completed", "toollibrary.example", now) for n in range(2)],
        empty="",
    )
    lines = written.getvalue().splitlines()
    assert all(len(line) <= width for line in lines)
    assert all(any(found in line for line in lines) for found in ids)
    if width >= 80:
        assert sum("completed" in line for line in lines) == 2
        assert "created" in lines[0]


def test_a_budget_is_shown_and_set(greenlight: Greenlight, project: UUID) -> None:
    assert greenlight("projects", "budget", project, "--json").json["cap_calls"] == 2000
    changed = greenlight("projects", "budget", project, "--usd", "0.50", "--calls", "7", "--json").json
    assert (changed["cap_micros"], changed["cap_calls"], changed["cap_tokens"]) == (500_000, 7, 60_000_000)
    plain = greenlight("projects", "budget", project, "--tokens", "0")
    assert plain.code == 0
    assert "0.50" in plain.out
    assert greenlight("projects", "budget", project, "--json").json["cap_tokens"] == 0


def test_two_who_set_a_budget_do_not_undo_each_other(db: Database, project: UUID) -> None:
    settings = Settings()
    with separate_connection(db) as other, other.transaction():
        projects.set_budget(other, settings, project, usd=Decimal(5))

        sessions: list[int] = []

        def set_tokens() -> None:
            with db.transaction() as conn:
                sessions.append(conn.info.backend_pid)
                projects.set_budget(conn, settings, project, tokens=7)

        second = InBackground(set_tokens)
        eventually(lambda: sessions, what="the second one")
        wait_until_blocked(db, sessions[0])
    second.result()
    budget = spend.budget(db, project)
    assert (budget.cap_micros, budget.cap_tokens, budget.cap_calls) == (5_000_000, 7, settings.project_call_cap)


@pytest.mark.parametrize("amount", ["much", "-1", "NaN", "Infinity", "1e400", "99999999999999"])
def test_an_odd_amount_is_no_budget(greenlight: Greenlight, project: UUID, amount: str) -> None:
    greenlight("projects", "budget", project, f"--usd={amount}").fails()
    assert greenlight("projects", "budget", project, "--json").json["cap_micros"] == 60_000_000


def test_an_odd_number_of_tokens_is_no_budget(greenlight: Greenlight, project: UUID) -> None:
    greenlight("projects", "budget", project, "--tokens", 10**30).fails("is a slip")


def test_a_packet_is_shown_in_words(greenlight: Greenlight, finished: tuple[UUID, UUID], db: Database) -> None:
    project, _ = finished
    ran = greenlight("projects", "show", project)
    assert ran.code == 0
    packet = versions.latest(db, project, 0)
    assert packet is not None
    assert packet.packet["recommendation"].upper() in ran.out
    assert f"confidence {packet.confidence} of 100" in ran.out
    assert "version 1 of 1, by model sandbox" in ran.said
    for section in ("Why", "For whom", "First version", "Competitors", "Market", "Evidence", "Risks", "Next"):
        assert f"\n{section}\n" in ran.out
    assert "“Lendly is a tool library that lends power tools to neighbours.” https://lendly.test/about" in ran.said
    assert "unsourced" in ran.out
    spent = spend.budget(db, project)
    assert f"{spent.spent_tokens:,} tokens in 5 model calls" in ran.said


def test_an_older_version_of_a_packet_can_be_shown(
    greenlight: Greenlight, db: Database, finished: tuple[UUID, UUID]
) -> None:
    project, job_id = finished
    first = versions.latest(db, project, 0)
    assert first is not None
    second = {**first.packet, "tagline": "A newer line"}
    fresh = make_copy(db, first.packet)
    with db.transaction() as conn:
        versions.save(
            conn,
            fresh,
            0,
            second,
            synopsis=first.synopsis,
            job_id=job_id,
            claim_no=1,
            model="m",
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={},
        )
    assert greenlight("projects", "show", fresh, "--json").json["packet"]["version"] == 2
    old = greenlight("projects", "show", fresh, "--version", "1")
    assert first.packet["tagline"] in old.said
    assert "version 1 of 2" in old.said
    greenlight("projects", "show", fresh, "--version", "3").fails("no version 3", "It has: 2, 1.")


def make_copy(db: Database, packet: dict[str, Any]) -> UUID:
    project = make_project(db)
    with db.transaction() as conn:
        versions.save(
            conn,
            project,
            0,
            packet,
            synopsis=packet["reasoning_synopsis"],
            job_id=None,  # type: ignore[arg-type]
            claim_no=1,
            model="m",
            prompt_version="p",
            spent=Spent(0, 0, 0, 0, 0),
            provenance={},
        )
    return project


# --- launch


def test_a_launch_says_what_became_of_it(greenlight: Greenlight, db: Database, project: UUID) -> None:
    first = greenlight("launch", project, "--json").json
    assert (first["started"], first["outcome"], first["status"]) == (True, "created", "queued")
    again = greenlight("launch", project)
    assert "Already there" in again.out
    assert f"greenlight jobs tail {first['job_id']}" in again.out
    greenlight("launch", project, "--guidance", "Aim it at schools.").fails("already queued", "jobs tail")
    bring_to(db, UUID(first["job_id"]), "failed")
    assert greenlight("launch", project, "--json").json["outcome"] == "revived"
    bring_to(db, UUID(first["job_id"]), "completed")
    assert "Give --guidance for a revision" in greenlight("launch", project).said
    assert greenlight("launch", project, "--force-new-approval", "--json").json["started"]


def test_guidance_is_checked_at_launch(greenlight: Greenlight, project: UUID) -> None:
    greenlight("launch", project, "--guidance", "x" * 2001).fails("revisionGuidance")
    greenlight("launch", project, "--guidance", "\udcff").fails("lone surrogate")


def test_a_paused_project_is_not_launched(greenlight: Greenlight, db: Database) -> None:
    greenlight("launch", make_project(db, status="paused")).fails("is paused", "Make it active")


# --- enqueue


def test_a_job_is_enqueued_as_asked(greenlight: Greenlight, db: Database, project: UUID, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_text('{"ownerClerkId": "local-owner", "revisionGuidance": "Für Schulen"}', encoding="utf-8")
    later = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    made = greenlight(
        *("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}"),
        *("--key", "my-key", "--priority", "-7", "--run-after", later.isoformat(), "--json"),
    ).json
    assert made["outcome"] == "created"
    job = queue.get(db, UUID(made["job_id"]))
    assert (job.idempotency_key, job.priority, job.run_after) == ("my-key", -7, later)
    assert job.payload["revisionGuidance"] == "Für Schulen"
    again = greenlight(
        *("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}", "--key", "my-key")
    )
    assert again.code == 0
    assert f"Already there: job {job.id} (queued)" in again.said


def test_the_keys_and_priorities_of_the_registry_are_the_default(
    greenlight: Greenlight, db: Database, project: UUID
) -> None:
    made = greenlight(
        "enqueue",
        "phase0.generate_packet",
        "--project",
        project,
        "--payload",
        '{"ownerClerkId": "local-owner"}',
        "--json",
    ).json
    job = queue.get(db, UUID(made["job_id"]))
    assert job.priority == 100
    assert job.idempotency_key.startswith(f"phase0:{project}:")


@pytest.mark.parametrize("name", WITHOUT_HANDLER)
def test_a_type_that_nothing_can_run_yet_says_so(greenlight: Greenlight, project: UUID, name: str) -> None:
    greenlight("enqueue", name, "--project", project).fails(
        f"Job type '{name}' has no handler yet.", "Can be enqueued today: phase0.generate_packet."
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--payload", "{"], ["--payload is not JSON", "line 1, column 2"]),
        (["--payload", ""], ["--payload is not JSON"]),
        (["--payload", "[1]"], ["--payload is not a JSON object"]),
        (["--payload", '{"ownerClerkId": ' + "1" * 5_000 + "}"], ["--payload holds a number that is too long"]),
        (["--payload", "null"], ["--payload is not a JSON object"]),
        (["--payload", "{}"], ["does not fit phase0.generate_packet", "ownerClerkId", "Its fields:"]),
        (["--payload", '{"ownerClerkId": "o", "surprise": 1}'], ["surprise"]),
        (["--payload", '{"ownerClerkId": "\\u0000"}'], ["NUL"]),
        (["--payload", f'{{"ownerClerkId": "o", "projectId": "{NOBODY}"}}'], [f"names project {NOBODY}"]),
        (["--payload", "[" * 100_000], ["--payload"]),
        (["--payload", "@/nowhere/payload.json"], ["/nowhere/payload.json cannot be read", "Check its path"]),
        (["--payload", "@/tmp"], ["/tmp cannot be read"]),
        (["--key", ""], ["idempotency key has 1 to 500 characters"]),
        (["--key", "x" * 501], ["501"]),
        (["--priority", str(10**9)], ["A priority lies between"]),
        (["--run-after", "tomorrow"], ["--run-after 'tomorrow' is not a moment", "2026-03-01T09:00:00Z"]),
        (["--run-after", "2026-03-01T09:00:00"], ["has no time zone", "trailing Z"]),
        (["--run-after", "0001-01-01T00:00:00+14:00"], ["is not a moment"]),
        (["--run-after", "9999-12-31T23:59:59-14:00"], ["is not a moment"]),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, list) else None,
)
def test_what_cannot_be_enqueued_is_refused(
    greenlight: Greenlight, db: Database, project: UUID, options: list[str], said: list[str]
) -> None:
    if "--payload" not in options:
        options = [*options, "--payload", '{"ownerClerkId": "local-owner"}']
    greenlight("enqueue", "phase0.generate_packet", "--project", project, *options).fails(*said)
    assert queue.find(db, project_id=project) == []


def test_a_file_that_is_not_text_is_refused(greenlight: Greenlight, project: UUID, tmp_path: Path) -> None:
    file = tmp_path / "payload.json"
    file.write_bytes(b"\xff\xfe{}")
    greenlight("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}").fails(
        "cannot be read"
    )
    file.write_text("nope", encoding="utf-8")
    greenlight("enqueue", "phase0.generate_packet", "--project", project, "--payload", f"@{file}").fails(
        f"file {file} is not JSON"
    )


def test_a_job_for_no_project_is_refused(greenlight: Greenlight) -> None:
    greenlight("enqueue", "phase0.generate_packet", "--project", NOBODY, "--payload", '{"ownerClerkId": "o"}').fails(
        "no such project"
    )


# --- jobs


def test_jobs_are_listed_by_project_and_status(greenlight: Greenlight, db: Database, project: UUID, job: UUID) -> None:
    other = enqueue(db, project)
    bring_to(db, other, "failed")
    listed = greenlight("jobs", "list", "--project", project, "--json").json
    assert [row["id"] for row in listed] == [str(other), str(job)]
    failed = greenlight("jobs", "list", "--project", project, "--status", "failed")
    assert str(other) in failed.out
    assert str(job) not in failed.out
    assert "The model refuses the key." in failed.out
    assert "No jobs." in greenlight("jobs", "list", "--project", project, "--status", "canceled").out


def test_a_job_is_shown_with_its_steps_and_model_calls(greenlight: Greenlight, finished: tuple[UUID, UUID]) -> None:
    _, job_id = finished
    shown = greenlight("jobs", "show", job_id, "--json").json
    assert shown["job"]["status"] == "completed"
    assert {"load_context", "research", "research/market", "synthesize", "announce"} <= {
        s["step"] for s in shown["steps"]
    }
    assert len(shown["model_calls"]) == shown["spent"]["calls"] == 5
    assert shown["spent"]["cost_micros"] == sum(call["cost_micros"] for call in shown["model_calls"])
    plain = greenlight("jobs", "show", job_id)
    assert plain.code == 0
    assert "research/market" in plain.out
    assert "ceo_phase0" in plain.out


def test_a_job_without_steps_is_shown_too(greenlight: Greenlight, job: UUID) -> None:
    ran = greenlight("jobs", "show", job)
    assert ran.code == 0
    assert "No finished steps." in ran.out
    assert "No model calls." in ran.out


@pytest.mark.parametrize(
    ("status", "answer", "said"),
    [
        ("queued", "canceled", "is canceled."),
        ("running", "cancel_requested", "is being stopped."),
        ("completed", "completed", "is not canceled: it had completed before."),
        ("failed", "failed", "is not canceled: it had failed before."),
    ],
)
def test_a_cancel_says_what_it_did(
    greenlight: Greenlight, db: Database, project: UUID, status: str, answer: str, said: str
) -> None:
    first, second = enqueue(db, project), enqueue(db, project)
    bring_to(db, first, status)
    bring_to(db, second, status)
    assert said in greenlight("jobs", "cancel", first).out
    assert greenlight("jobs", "cancel", second, "--json").json == {"job_id": str(second), "status": answer}
    assert queue.get(db, first).status == ("canceled" if status == "queued" else status)


@pytest.mark.parametrize("status", ["failed", "canceled"])
def test_a_job_that_did_not_succeed_can_be_retried(
    greenlight: Greenlight, db: Database, job: UUID, status: str
) -> None:
    bring_to(db, job, status)
    assert f"Job {job} is queued again." in greenlight("jobs", "retry", job).out
    assert queue.get(db, job).status == "queued"


@pytest.mark.parametrize(
    ("status", "remedy"), [("queued", "Cancel it first"), ("running", "Cancel it first"), ("completed", "new key")]
)
def test_other_jobs_cannot_be_retried(
    greenlight: Greenlight, db: Database, job: UUID, status: str, remedy: str
) -> None:
    bring_to(db, job, status)
    greenlight("jobs", "retry", job).fails(f"is {status}", remedy)


# --- tail

FOLLOWERS = (
    "select 1 from pg_stat_activity where datname = current_database() and application_name = 'greenlight-cli'"
    " and query like '%%agent_job_events%%'"
)


def drive(db: Database, job_id: UUID, *, error: str | None = None) -> None:
    """Do what a run does to a job's events, and end it."""
    claim = claimed(db, job_id)
    writer = EventWriter(claim, f"run-{job_id}", flush_seconds=0.01)
    step = {"op": "research", "dagster_run_id": f"run-{job_id}"}
    writer.emit(NewEvent("log", "Started", {**step, "step_event": "STEP_START"}))
    writer.emit(NewEvent("tool_call", "web_search ← tools", {**step, "tool": "web_search"}))
    for word in ("The ", "market ", "is [bold]large[/bold]."):
        writer.delta(word, {"step": "research"})
    writer.emit(NewEvent("log", "ceo: …", {**step, "cost_micros": 5, "input_tokens": 10, "output_tokens": 2}))
    writer.emit(NewEvent("log", "Done", {**step, "step_event": "STEP_SUCCESS", "duration_ms": 1500}))
    writer.emit(NewEvent("artifact", "Phase 0 packet, version 1", step))
    writer.flush()
    if error is None:
        claim.complete()
    else:
        claim.fail(error, permanent=True, retry_base=timedelta(0))
    writer.close()


@pytest.mark.parametrize("listen", ["true", "false"])
def test_a_job_is_followed_until_it_completes(
    greenlight: Greenlight, db: Database, job: UUID, monkeypatch: pytest.MonkeyPatch, listen: str
) -> None:
    monkeypatch.setenv("GREENLIGHT_DB_LISTEN", listen)
    monkeypatch.setenv("WORKER_POLL_MS", "50")
    tail = InBackground(lambda: greenlight("jobs", "tail", job, "--json"))
    eventually(lambda: db.fetch_one(FOLLOWERS), what="the tail looking at the events")
    drive(db, job)
    ran = tail.result(DEADLINE)
    assert (ran.code, ran.err) == (0, "")
    told = [json.loads(line) for line in ran.out.splitlines()]
    assert [event["seq"] for event in told] == sorted({event["seq"] for event in told})
    assert {event["job_id"] for event in told} == {str(job)}
    assert [e["message"] for e in told if e["type"] == "status"] == ["queued", "running", "completed"]
    assert "".join(e["message"] for e in told if e["type"] == "delta") == "The market is [bold]large[/bold]."
    assert [e["type"] for e in told][-1] == "status"


def test_a_tail_reads_as_lines(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job)
    ran = greenlight("jobs", "tail", job)
    assert ran.code == 0
    lines = [line.split(maxsplit=1)[1] for line in ran.out.splitlines()]
    assert lines == [
        "queued",
        "running (attempt 1)",
        "▸ research",
        "web_search ← tools",
        "ceo: …",
        "✓ research 1.50 s",
        "◆ Phase 0 packet, version 1",
        "completed (attempt 1)",
    ]


def test_a_tail_of_a_job_that_failed_is_exit_code_1(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job, error="The model [red]refuses[/red] the key.")
    ran = greenlight("jobs", "tail", job)
    assert ran.code == 1
    assert ran.err == ""
    assert "failed (attempt 1)  The model [red]refuses[/red] the key." in ran.out


def test_a_tail_may_begin_later(greenlight: Greenlight, db: Database, job: UUID) -> None:
    drive(db, job)
    everything = [json.loads(line) for line in greenlight("jobs", "tail", job, "--json").out.splitlines()]
    middle = everything[3]["seq"]
    rest = greenlight("jobs", "tail", job, "--after", middle, "--json")
    assert [json.loads(line) for line in rest.out.splitlines()] == everything[4:]
    beyond = greenlight("jobs", "tail", job, "--after", everything[-1]["seq"] + 100)
    assert (beyond.code, beyond.out) == (0, "")


def test_other_jobs_of_the_project_do_not_hold_a_tail_open(
    greenlight: Greenlight, db: Database, project: UUID, job: UUID
) -> None:
    drive(db, job)
    later = enqueue(db, project)
    drive(db, later)
    ran = InBackground(lambda: greenlight("jobs", "tail", job)).result(DEADLINE)
    assert ran.code == 0
    assert statuses(db, later)[-1] == "completed"


def test_a_live_tail_draws_the_same_story(db: Database, job: UUID, capsys: pytest.CaptureFixture[str]) -> None:
    drive(db, job)
    view = follow_job(db, job, settings=Settings(), live=True)
    assert (view.status, view.attempt, view.calls, view.tokens) == ("completed", 1, 1, 12)
    assert view.steps["research"].state == "done"
    picture = capsys.readouterr().out
    assert "◆ Phase 0 packet, version 1" in picture
    assert "The market is [bold]large[/bold]." in picture


# --- the database


def test_migrations_are_shown_and_applied_once(greenlight: Greenlight) -> None:
    states = greenlight("db", "status", "--json").json
    assert {row["state"] for row in states} == {"applied"}
    assert greenlight("db", "migrate", "--json").json == []
    assert "The schema is up to date." in greenlight("db", "migrate").out
    table = greenlight("db", "status")
    assert all(row["name"] in table.out for row in states)


def test_an_empty_database_is_migrated_and_reset(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, postgres: TestServer
) -> None:
    with postgres.temporary() as name:
        monkeypatch.setenv("DATABASE_URL", postgres.url(name))
        applied = greenlight("db", "migrate", "--json").json
        assert [row["name"] for row in applied] == [migration.name for migration in read_folder(MIGRATIONS)]
        made = greenlight("projects", "create", IDEA, "--json").json
        assert len(greenlight("db", "reset", "--force", "--json").json) == len(applied)
        assert greenlight("projects", "list", "--json").json == []
        greenlight("projects", "show", made["project_id"]).fails("no project")
        # The job types are there again, for rows that other clients insert.
        with Database(postgres.url(name)) as fresh:
            known = fresh.fetch_all("select job_type from public.agent_job_types")
        assert {row["job_type"] for row in known} >= set(JOB_TYPES)


# --- doctor


def findings(ran: Ran) -> dict[str, dict[str, str]]:
    return {finding["what"]: finding for finding in json.loads(ran.out)}


def test_a_healthy_studio_is_said_to_be_healthy(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    with SandboxThread() as sandbox:
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", sandbox.url)
        monkeypatch.setenv("CLAUDE_DIRECT_MODEL", "sandbox")
        monkeypatch.setenv("APP_BASE_URL", "https://studio.test")
        ran, plain = greenlight("doctor", "--json"), greenlight("doctor")
        assert sandbox.requests() == [], "doctor called the model"
    assert ran.code == plain.code == 0
    found = findings(ran)
    assert {finding["state"] for finding in found.values()} == {"ok"}
    assert "PostgreSQL" in found["database"]["detail"]
    assert sandbox.url in found["model"]["detail"]
    assert "sk-secret" not in ran.out + plain.out
    assert "✓ model" in plain.out


def test_what_is_only_missing_is_a_warning(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("GREENLIGHT_OUTBOUND", "false")
    ran = greenlight("doctor", "--json")
    assert ran.code == 0
    found = findings(ran)
    for what in ("stack", "database", "model", "outbound requests", "page links"):
        assert found[what]["state"] == "warning", what


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        ({"DATABASE_URL": "postgresql://me:secret@127.0.0.1:1/studio"}, "database"),
        ({"DATABASE_URL": "postgresql://me:sec/ret@127.0.0.1/studio"}, "database"),
        ({"ANTHROPIC_API_KEY": "k", "CLAUDE_DIRECT_MODEL": "nobody-prices-this"}, "model"),
    ],
)
def test_what_is_broken_is_a_problem_and_exit_code_1(
    greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], what: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    ran = greenlight("doctor", "--json")
    assert ran.code == 1
    assert [name for name, finding in findings(ran).items() if finding["state"] == "problem"] == [what]
    assert "sec" not in ran.out
    plain = greenlight("doctor")
    assert plain.code == 1
    assert f"✗ {what}" in plain.out


def test_a_model_that_cannot_be_reached_is_a_problem(greenlight: Greenlight, monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted_model(lambda _request: None) as (gone, _):
        pass
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", gone)
    monkeypatch.setenv("CLAUDE_DIRECT_MODEL", "sandbox")
    ran = greenlight("doctor", "--json")
    assert ran.code == 1
    assert gone in findings(ran)["model"]["detail"]


# --- printing


def test_every_kind_of_value_is_json() -> None:
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    value = {1: [(UUID(int=7), Decimal("0.10"))], "when": moment, "where": Path("/tmp"), "set": {1}, "text": "ä\n\x1b"}
    made = json.loads(json.dumps(output.plain(value)))
    assert made == {
        "1": [["00000000-0000-0000-0000-000000000007", "0.10"]],
        "when": "2026-03-01T00:00:00+00:00",
        "where": "/tmp",
        "set": [1],
        "text": "ä\n\x1b",
    }


@pytest.mark.parametrize(
    ("ago", "said"),
    [
        (timedelta(seconds=5), "5 s ago"),
        (timedelta(minutes=3), "3 m ago"),
        (timedelta(hours=5), "5 h ago"),
        (timedelta(days=40), "40 d ago"),
        (timedelta(minutes=-90), "in 1 h|in 2 h"),
    ],
)
def test_moments_are_told_in_their_largest_unit(ago: timedelta, said: str) -> None:
    assert output.since(datetime.now(UTC) - ago) in said.split("|")
