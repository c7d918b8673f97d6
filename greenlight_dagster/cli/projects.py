"""`greenlight projects`: create, list, show; see also `cli.limits` and `cli.life`."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.phase_view import NAMES, change_panels, phase_panels, phase_word
from studio import projects as studio_projects
from studio.database.connection import Database
from studio.errors import NotFound
from studio.job_types import SYSTEM_PROJECT_ID
from studio.model import spend
from studio.model.spend import usd
from studio.packets import versions
from studio.packets.diff import changes
from studio.packets.versions import PacketVersion
from studio.projects import Project

app = typer.Typer(no_args_is_help=True, help="Create projects and look at them.")

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id.")]
ReasonOption = Annotated[str | None, typer.Option(help="Why; kept in the audit log.")]


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
        [(p.id, p.name, phase_word(p.phase), p.status, p.created_at) for p in found],
        empty="No projects yet. Create one with: greenlight projects create IDEA",
    )


@app.command(epilog="Example: greenlight projects show 7b0e1c9a-… --phase 1 --version 1 --diff")
def show(
    project: ProjectArgument,
    phase: Annotated[
        int | None,
        typer.Option(min=0, max=3, help="Whose packet: 0 pitch, 1, 2, 3 go live; by default of the latest there is."),
    ] = None,
    version: Annotated[int | None, typer.Option(help="A version of the packet other than the latest.")] = None,
    diff: Annotated[
        bool,
        typer.Option("--diff", help="What changed from the version to the latest; by default from the one before."),
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show a project, what it has spent, and the packet of a phase, or what changed in it."""
    with open_database() as (db, _):
        found = studio_projects.get(db, parse_id(project, "PROJECT"))
        phases = _phases(db, found.id)
        if phase is None:
            phase = phases[-1] if phases else 0
        history = versions.history(db, found.id, phase)
        try:
            budget = spend.budget(db, found.id)
        except NotFound:
            budget = None  # a project that another client made has none until somebody sets one
    if diff:
        _show_diff(history, version, phase, as_json=as_json)
        return
    chosen = _chosen(history, version)
    if as_json:
        print_json({"project": found, "budget": budget, "phases": phases, "packet": chosen})
        return
    print_table(
        ("id", "name", "phase", "status", "domain", "created"),
        [(found.id, found.name, phase_word(found.phase), found.status, found.domain, found.created_at)],
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
    if phases:
        have = ", ".join(f"{number} {NAMES[number]}" for number in phases)
        other = " See another with --phase." if set(phases) - {phase} else ""
        out.print(f"Packets: phase {have}.{other}", highlight=False, soft_wrap=True)
    if chosen is None:
        out.print(_without_packet(found, phase), highlight=False, soft_wrap=True)
        return
    out.print(
        f"Phase {phase} packet, version {chosen.version} of {history[0].version}"
        + (f", by model {chosen.model}" if chosen.model else ""),
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for panel in phase_panels(phase, chosen.packet):
        out.print(panel)


def _phases(db: Database, project_id: UUID) -> list[int]:
    rows = db.fetch_all("select phase from public.phase_packets where project_id = %s order by phase", [project_id])
    return [row["phase"] for row in rows]


def _chosen(history: list[PacketVersion], version: int | None) -> PacketVersion | None:
    chosen = next((v for v in history if version in (None, v.version)), None)
    if version is not None and chosen is None:
        have = ", ".join(str(v.version) for v in history) or "none"
        raise NotFound(f"The packet has no version {version}.", f"It has: {have}.")
    return chosen


def _without_packet(found: Project, phase: int) -> str:
    if found.id == SYSTEM_PROJECT_ID:
        return "It carries the jobs that belong to no project, and has no packet."
    if phase == 0:
        return f"No packet yet. Launch Phase 0 with: greenlight launch {found.id}"
    return f"No packet of phase {phase} yet. Approving the gate of phase {phase - 1} generates it."


def _show_diff(history: list[PacketVersion], version: int | None, phase: int, *, as_json: bool) -> None:
    if version is None and len(history) > 1:
        version = history[1].version
    older = _chosen(history, version)
    if older is None or len(history) == 1:
        raise NotFound(f"The packet of phase {phase} has fewer than two versions.", "There is nothing to compare.")
    latest = history[0]
    found = changes(older.packet, latest.packet)
    if as_json:
        print_json({"phase": phase, "from": older.version, "to": latest.version, "changes": found})
        return
    out.print(f"Phase {phase} packet, from version {older.version} to {latest.version}", highlight=False)
    for panel in change_panels(found):
        out.print(panel)
    if not found:
        out.print("Nothing has changed.")
