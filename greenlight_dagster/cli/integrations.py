"""`greenlight projects integrations`: a project's own accounts at the services that the studio acts through."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import integrations as studio_integrations
from studio import projects
from studio.errors import InvalidInput
from studio.integrations import Integration

app = typer.Typer(
    no_args_is_help=True, help="A project's own accounts: without one it acts under the installation's account."
)

ProviderArgument = Annotated[
    str, typer.Argument(metavar="PROVIDER", help=f"One of {', '.join(studio_integrations.PROVIDERS)}.")
]


@app.command("list", epilog="Example: greenlight projects integrations list 7b0e1c9a-…")
def list_integrations(project: ProjectArgument, as_json: JsonFlag = False) -> None:
    """List a project's own accounts, their values masked, and which providers there are."""
    with open_database() as (db, _):
        found = studio_integrations.find(db, projects.get(db, parse_id(project, "PROJECT")).id)
    if as_json:
        print_json(found)
        return
    own = {entry.provider: entry for entry in found}
    print_table(
        ("provider", "account", "values", "saved"),
        [_row(provider, own.get(provider)) for provider in studio_integrations.PROVIDERS],
        empty="",
    )


def _row(provider: str, entry: Integration | None) -> tuple[object, ...]:
    fields = studio_integrations.PROVIDERS[provider]
    if entry is None:
        return provider, "the installation's", f"needs {', '.join(fields)}", None
    values = ", ".join(f"{name} {value}" for name, value in entry.config_masked.items())
    return provider, "its own" if entry.enabled else "its own, switched off", values, entry.updated_at


@app.command(
    "set",
    epilog="Example: greenlight projects integrations set 7b0e1c9a-… resend from_email=me@example.org --stdin api_key",
)
def set_integration(
    project: ProjectArgument,
    provider: ProviderArgument,
    values: Annotated[
        list[str] | None, typer.Argument(metavar="KEY=VALUE", help="What is no secret; the shell keeps it.")
    ] = None,
    stdin: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Read this value from standard input, a line for each; a terminal asks."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VARIABLE", help="Take this value from an environment variable."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Save a project's own account at a provider, encrypted; it takes the place of what was saved before."""
    project_id = parse_id(project, "PROJECT")
    studio_integrations.require_provider(provider)
    config = _gathered(provider, values or [], stdin or [], env or [])
    with open_database() as (db, settings):
        projects.get(db, project_id)
        with db.transaction() as conn:
            saved = studio_integrations.save(conn, settings, project_id, provider, config, by=settings.owner_clerk_id)
    _say(saved, as_json=as_json)


@app.command(epilog="Example: greenlight projects integrations on 7b0e1c9a-… resend")
def on(project: ProjectArgument, provider: ProviderArgument, as_json: JsonFlag = False) -> None:
    """Switch a project's own account on again."""
    _switch(project, provider, True, as_json=as_json)


@app.command(epilog="Example: greenlight projects integrations off 7b0e1c9a-… resend")
def off(project: ProjectArgument, provider: ProviderArgument, as_json: JsonFlag = False) -> None:
    """Switch a project's own account off: nothing is done at the provider until it is on again or removed."""
    _switch(project, provider, False, as_json=as_json)


@app.command(epilog="Example: greenlight projects integrations remove 7b0e1c9a-… resend")
def remove(project: ProjectArgument, provider: ProviderArgument, as_json: JsonFlag = False) -> None:
    """Forget a project's own account; from then on it acts under the installation's."""
    project_id = parse_id(project, "PROJECT")
    studio_integrations.require_provider(provider)
    with open_database() as (db, settings):
        projects.get(db, project_id)
        with db.transaction() as conn:
            studio_integrations.remove(conn, project_id, provider, by=settings.owner_clerk_id)
    if as_json:
        print_json({"project_id": project_id, "provider": provider, "removed": True})
        return
    out.print(f"Removed. The project acts at {provider} under the installation's account now.", highlight=False)


def _switch(project: str, provider: str, enabled: bool, *, as_json: bool) -> None:
    project_id = parse_id(project, "PROJECT")
    studio_integrations.require_provider(provider)
    with open_database() as (db, settings):
        projects.get(db, project_id)
        with db.transaction() as conn:
            changed = studio_integrations.set_enabled(conn, project_id, provider, enabled, by=settings.owner_clerk_id)
    _say(changed, as_json=as_json)


def _gathered(provider: str, values: list[str], stdin: list[str], env: list[str]) -> dict[str, str]:
    """Return the values by field, wherever each comes from. No error repeats what may be a value."""
    config: dict[str, str] = {}
    for name, value in _given(provider, values, stdin, env):
        if name in config:
            raise InvalidInput(f"{provider}.{name} is given twice.", "Give it once.")
        config[name] = value
    return config


def _given(provider: str, values: list[str], stdin: list[str], env: list[str]) -> Iterator[tuple[str, str]]:
    for number, text in enumerate(values, start=1):
        name, equals, value = text.partition("=")
        if not equals:
            raise InvalidInput(f"Value {number} is not of the form KEY=VALUE.", _fields(provider))
        name = _field(provider, name, f"Value {number}")
        if studio_integrations.PROVIDERS[provider][name].secret:
            raise InvalidInput(
                f"{provider}.{name} is a secret, which the shell's history and the list of processes would show.",
                f"Give it with --stdin {name}, or --env {name}=VARIABLE. If it was a real one, change it.",
            )
        yield name, value
    for number, text in enumerate(env, start=1):
        name, equals, variable = text.partition("=")
        if not equals or not variable:
            raise InvalidInput(f"The --env number {number} is not of the form KEY=VARIABLE.", _fields(provider))
        name = _field(provider, name, f"The --env number {number}")
        if not os.environ.get(variable):
            raise InvalidInput(
                f"The environment variable for {provider}.{name} is not set, or empty.",
                "Give the variable's name, not its value, and export it.",
            )
        yield name, os.environ[variable]
    for number, name in enumerate(stdin, start=1):
        yield _field(provider, name, f"The --stdin number {number}"), _line(provider, name)


def _line(provider: str, name: str) -> str:
    if sys.stdin.isatty():
        return str(typer.prompt(f"{provider}.{name}", hide_input=True, err=True))
    line = sys.stdin.readline()
    if not line.strip():
        raise InvalidInput(
            f"Standard input holds no line for {provider}.{name}.", "Send one line per --stdin, in their order."
        )
    return line.rstrip("\r\n")


def _field(provider: str, name: str, what: str) -> str:
    if name not in studio_integrations.PROVIDERS[provider]:
        raise InvalidInput(f"{what} names no field of {provider}.", _fields(provider))
    return name


def _fields(provider: str) -> str:
    return f"Its fields: {', '.join(studio_integrations.PROVIDERS[provider])}."


def _say(entry: Integration, *, as_json: bool) -> None:
    if as_json:
        print_json(entry)
        return
    values = ", ".join(f"{name} {value}" for name, value in entry.config_masked.items())
    out.print(
        f"The project's own {entry.provider} account is {'on' if entry.enabled else 'off'}: {values}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
