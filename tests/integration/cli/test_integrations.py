"""`greenlight projects integrations` saves a project's own accounts, and never shows what is secret in them."""

from __future__ import annotations

import io
from uuid import UUID

import pytest

from studio import integrations
from studio.database.connection import Database
from studio.secrets import new_key
from studio.settings import Settings, get_settings
from tests.support.cli import NOBODY, Greenlight

KEY = "re_secret_0123456789"
HOOK = "https://hooks.example.com/deploy/secret-path-42"
SENDER = "Tools <me@example.org>"


@pytest.fixture(autouse=True)
def encryption_key(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECT_INTEGRATION_ENCRYPTION_KEY", new_key())


def stored(db: Database, project: UUID, provider: str) -> dict[str, str] | None:
    get_settings.cache_clear()
    found = integrations.own_credentials(db, Settings(), project, provider)
    return None if found is None else dict(found)


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_values_come_from_the_command_the_environment_and_standard_input(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed(monkeypatch, f"{KEY}\n")
    ran = greenlight("projects", "integrations", "set", project, "resend", f"from_email={SENDER}", "--stdin", "api_key")
    assert ran.code == 0
    assert "own resend account is on: api_key re_…89, from_email Too…g>" in ran.said
    assert stored(db, project, "resend") == {"api_key": KEY, "from_email": SENDER}
    monkeypatch.setenv("MY_TOKEN", "EAAtoken=with=signs")
    saved = greenlight(
        "projects", "integrations", "set", project, "meta", "--env", "access_token=MY_TOKEN", "ad_account_id=4711",
        "--json",
    )  # fmt: skip
    assert saved.json["config_masked"] == {"access_token": "EAA…ns", "ad_account_id": "****"}
    assert stored(db, project, "meta") == {"access_token": "EAAtoken=with=signs", "ad_account_id": "4711"}
    typed(monkeypatch, "one-token-012345\r\nanother line\n")
    assert greenlight("projects", "integrations", "set", project, "github", "--stdin", "token").code == 0
    assert stored(db, project, "github") == {"token": "one-token-012345"}
    events = db.fetch_all(
        "select data from public.project_events where project_id = %s and event_type = 'integration.updated'", [project]
    )
    assert {row["data"]["by"] for row in events} == {"local-owner"}


def test_a_terminal_asks_without_showing_what_is_typed(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, bool]] = []

    def prompt(text: str, *, hide_input: bool, err: bool) -> str:
        asked.append((text, hide_input and err))
        return KEY

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("typer.prompt", prompt)
    assert greenlight("projects", "integrations", "set", project, "github", "--stdin", "token").code == 0
    assert asked == [("github.token", True)]
    assert stored(db, project, "github") == {"token": KEY}


@pytest.mark.parametrize(
    ("provider", "field"),
    [("resend", "api_key"), ("meta", "access_token"), ("github", "token"), ("vercel", "deploy_hook_url")],
)
def test_a_secret_is_not_taken_from_the_command_itself(
    greenlight: Greenlight, db: Database, project: UUID, provider: str, field: str
) -> None:
    ran = greenlight("projects", "integrations", "set", project, provider, f"{field}=https://x.test/{KEY}")
    ran.fails(f"{provider}.{field} is a secret", f"--stdin {field}", f"--env {field}=VARIABLE")
    assert KEY not in ran.err
    assert integrations.find(db, project) == []


def test_they_are_listed_masked_switched_and_removed(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_HOOK", HOOK)
    run = ("projects", "integrations")
    assert greenlight(*run, "list", project, "--json").json == []
    assert greenlight(*run, "list", project).said.count("the installation's") == len(integrations.PROVIDERS)
    assert greenlight(*run, "set", project, "vercel", "--env", "deploy_hook_url=MY_HOOK").code == 0
    listed = greenlight(*run, "list", project)
    assert "vercel its own deploy_hook_url htt…42" in listed.said
    assert "needs api_key, from_email" in listed.said
    (row,) = greenlight(*run, "list", project, "--json").json
    assert (row["provider"], row["enabled"]) == ("vercel", True)
    assert "account is off" in greenlight(*run, "off", project, "vercel").out
    assert "its own, switched off" in greenlight(*run, "list", project).out
    assert greenlight(*run, "on", project, "vercel", "--json").json["enabled"] is True
    assert stored(db, project, "vercel") == {"deploy_hook_url": HOOK}
    assert "under the installation's account" in greenlight(*run, "remove", project, "vercel").said
    assert stored(db, project, "vercel") is None
    for command in ("remove", "on", "off"):
        greenlight(*run, command, project, "vercel").fails("no vercel integration of its own")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["smtp", f"password={KEY}"], ["no provider 'smtp'", "resend, meta, github, vercel"]),
        (["resend", f"secret={KEY}"], ["Value 1 names no field of resend", "api_key, from_email"]),
        (["resend", "from_email=a@b.c", KEY], ["Value 2 is not of the form KEY=VALUE", "api_key, from_email"]),
        (["resend", f"{KEY}=="], ["Value 1 names no field"]),
        (["resend", "--env", "api_key=GIVEN"], ["resend.from_email is missing", "api_key, from_email"]),
        (["github", "--env", "token=GIVEN", "--env", "token=GIVEN"], ["github.token is given twice"]),
        (["github", "--env", "token=BROKEN"], ["github.token holds white space"]),
        (["github", "--env", f"token={KEY}"], ["variable for github.token is not set", "not its value"]),
        (["github", "--env", KEY], ["--env number 1 is not of the form"]),
        (["github", "--env", f"{KEY}=HOME"], ["--env number 1 names no field"]),
        (["github", "--stdin", KEY], ["--stdin number 1 names no field"]),
        (["github", "--stdin", "token"], ["holds no line for github.token"]),
        (["github"], ["github.token is missing"]),
    ],
)
def test_what_cannot_be_used_is_named_and_never_repeated(
    greenlight: Greenlight,
    db: Database,
    project: UUID,
    monkeypatch: pytest.MonkeyPatch,
    given: list[str],
    said: list[str],
) -> None:
    typed(monkeypatch, "")
    monkeypatch.setenv("GIVEN", KEY)
    monkeypatch.setenv("BROKEN", f"{KEY} {KEY}")
    ran = greenlight("projects", "integrations", "set", project, *given)
    ran.fails(*said)
    assert KEY not in ran.err
    assert integrations.find(db, project) == []


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (f"http://hooks.example.com/{KEY}", ["not https"]),
        (f"https://127.0.0.1/{KEY}", ["127.0.0.1"]),
        (f"https://169.254.169.254/{KEY}", ["169.254.169.254"]),
        (f"https://localhost/{KEY}", []),
        (f"https://hooks.example.com:8443/{KEY}", ["port 8443"]),
    ],
)
def test_a_hook_that_would_not_be_visited_is_not_saved(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch, hook: str, said: list[str]
) -> None:
    typed(monkeypatch, f"{hook}\n")
    ran = greenlight("projects", "integrations", "set", project, "vercel", "--stdin", "deploy_hook_url")
    ran.fails(*said)
    assert KEY not in ran.err
    assert integrations.find(db, project) == []


def test_without_an_encryption_key_the_variable_is_named(
    greenlight: Greenlight, db: Database, project: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PROJECT_INTEGRATION_ENCRYPTION_KEY")
    typed(monkeypatch, f"{KEY}\n")
    ran = greenlight("projects", "integrations", "set", project, "github", "--stdin", "token")
    ran.fails("PROJECT_INTEGRATION_ENCRYPTION_KEY is not set", "openssl rand")
    assert KEY not in ran.err
    assert integrations.find(db, project) == []


@pytest.mark.parametrize(
    "command", [["list"], ["set", "meta", "ad_account_id=4711"], ["remove", "github"], ["off", "github"]]
)
def test_there_must_be_such_a_project(greenlight: Greenlight, command: list[str]) -> None:
    name, *rest = command
    greenlight("projects", "integrations", name, NOBODY, *rest).fails("There is no project")
    greenlight("projects", "integrations", name, "x", *rest).fails("not a UUID")
