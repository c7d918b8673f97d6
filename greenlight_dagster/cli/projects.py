"""`greenlight projects`: create, list, show, budget."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.packet_view import packet_panels
from studio import projects as studio_projects
from studio.errors import InvalidInput, NotFound
from studio.job_types import SYSTEM_PROJECT_ID
from studio.model import spend
from studio.model.spend import usd
from studio.packets import versions

app = typer.Typer(no_args_is_help=True, help="Create projects and look at them.")

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id.")]


@app.command(epilog='Example: greenlight projects create "A tool library for neighbours" --domain example.org')
def create(
    idea: Annotated[str, typer.Argument(help="The idea, in up to 3,600 characters.")],
    name: Annotated[str | None, typer.Option(help="A name; by default the domain or the idea's first words.")] = None,
    domain: Annotated[str | None, typer.Option(help="The project's domain, for instance example.org.")] = None,
    repo: Annotated[str | None, typer.Option(help="The address of its repository.")] = None,
    email: Annotated[str | None, typer.Option(help="Where the owner gets mail.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Create a project from an idea, with every permission off."""
    with open_database() as (db, settings):
        with db.transaction() as conn:
            project_id = studio_projects.create(
                conn,
                settings,
                owner_clerk_id=settings.owner_clerk_id,
                idea=idea,
                name=name,
                domain=domain,
                repo_url=repo,
                email=email,
            )
        project = studio_projects.get(db, project_id)
    if as_json:
        print_json({"project_id": project.id, "name": project.name, "phase": project.phase})
    else:
        out.print(
            f"Created [bold]{project.id}[/]. Launch it with: greenlight launch {project.id}",
            highlight=False,
            soft_wrap=True,
        )


@app.command("list", epilog="Example: greenlight projects list --json")
def list_projects(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50, as_json: JsonFlag = False
) -> None:
    """List the newest projects."""
    with open_database() as (db, _):
        found = studio_projects.find(db, limit=limit)
    if as_json:
        print_json(found)
        return
    print_table(
        ("id", "name", "phase", "status", "created"),
        [(p.id, p.name, p.phase, p.status, p.created_at) for p in found],
        empty="No projects yet. Create one with: greenlight projects create IDEA",
    )


@app.command(epilog="Example: greenlight projects show 7b0e1c9a-… --version 1")
def show(
    project: ProjectArgument,
    version: Annotated[int | None, typer.Option(help="A version of the packet other than the latest.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a project, what it has spent, and its Phase 0 packet."""
    with open_database() as (db, _):
        found = studio_projects.get(db, parse_id(project, "PROJECT"))
        history = versions.history(db, found.id, 0)
        try:
            budget = spend.budget(db, found.id)
        except NotFound:
            budget = None  # a project that another client made has none until somebody sets one
    chosen = next((v for v in history if version in (None, v.version)), None)
    if version is not None and chosen is None:
        have = ", ".join(str(v.version) for v in history) or "none"
        raise NotFound(f"The packet has no version {version}.", f"It has: {have}.")
    if as_json:
        print_json({"project": found, "budget": budget, "packet": chosen})
        return
    print_table(
        ("id", "name", "phase", "status", "domain", "created"),
        [(found.id, found.name, found.phase, found.status, found.domain, found.created_at)],
        empty="",
    )
    if budget is None or budget.cap_micros is None:
        spent = f"No budget, so no model can be called. Set one with: greenlight projects budget {found.id} --usd 25"
    else:
        spent = (
            f"Spent ${usd(budget.spent_micros)} of ${usd(budget.cap_micros)}, reserved ${usd(budget.reserved_micros)};"
            f" {budget.spent_tokens:,} tokens in {budget.calls} model calls."
        )
    out.print(spent, highlight=False, soft_wrap=True)
    if chosen is None and found.id == SYSTEM_PROJECT_ID:
        out.print("It carries the jobs that belong to no project, and has no packet.")
        return
    if chosen is None:
        out.print(f"No packet yet. Launch Phase 0 with: greenlight launch {found.id}", highlight=False, soft_wrap=True)
        return
    out.print(
        f"Phase 0 packet, version {chosen.version} of {history[0].version}"
        + (f", by model {chosen.model}" if chosen.model else ""),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for panel in packet_panels(chosen.packet):
        out.print(panel)


@app.command(epilog="Example: greenlight projects budget 7b0e1c9a-… --usd 40")
def budget(
    project: ProjectArgument,
    usd_cap: Annotated[str | None, typer.Option("--usd", help="The cap in dollars.")] = None,
    tokens: Annotated[int | None, typer.Option(min=0, help="The cap in tokens.")] = None,
    calls: Annotated[int | None, typer.Option(min=0, help="The cap in model calls.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a project's spend caps, or set them; what is not given stays as it is."""
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        studio_projects.get(db, project_id)
        if any(value is not None for value in (usd_cap, tokens, calls)):
            dollars = None if usd_cap is None else _dollars(usd_cap)
            with db.transaction() as conn:
                studio_projects.set_budget(conn, settings, project_id, usd=dollars, tokens=tokens, calls=calls)
        found = spend.budget(db, project_id)
    if as_json:
        print_json(found)
        return
    rows = [
        ("dollars", _money(found.cap_micros), _money(found.spent_micros), _money(found.reserved_micros)),
        ("tokens", found.cap_tokens, found.spent_tokens, found.reserved_tokens),
        ("calls", found.cap_calls, found.calls, None),
    ]
    print_table(("", "cap", "spent", "reserved"), rows, empty="")


def _money(micros: int | None) -> str | None:
    return None if micros is None else usd(micros)


def _dollars(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation as exc:
        raise InvalidInput(f"{text!r} is not an amount of dollars.", "Give a number like 25 or 0.50.") from exc
    if not amount.is_finite() or amount < 0:
        raise InvalidInput(f"{text!r} is not an amount of dollars.", "Give a number like 25 or 0.50.")
    return amount
