"""`greenlight projects pause|resume|kill`: the life of a project."""

from __future__ import annotations

import sys
import time
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, err, out, print_json
from greenlight_dagster.cli.projects import ProjectArgument, ReasonOption
from studio import lifecycle, projects
from studio.errors import Conflict, InvalidInput
from studio.lifecycle import LifeChange
from studio.projects import Project
from studio.text import printable

# A run notices that it is to stop within seconds.
RESUME_POLL_SECONDS = 1.0


def pause(project: ProjectArgument, reason: ReasonOption = None, as_json: JsonFlag = False) -> None:
    """Stop a project's jobs, and start nothing in it until it is resumed."""
    with open_database() as (db, settings):
        made = lifecycle.set_status(db, parse_id(project, "PROJECT"), "paused", settings.owner_clerk_id, reason)
    _say_life(made, as_json=as_json)


def resume(
    project: ProjectArgument,
    reason: ReasonOption = None,
    wait: Annotated[int, typer.Option(min=0, help="How many seconds to wait for runs that still stop.")] = 90,
    as_json: JsonFlag = False,
) -> None:
    """Make a paused project active again, and revive the jobs that the pause stopped."""
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        deadline = time.monotonic() + wait
        while True:
            try:
                made = lifecycle.set_status(db, project_id, "active", settings.owner_clerk_id, reason)
                break
            except Conflict as exc:
                if projects.get(db, project_id).status != "paused" or time.monotonic() >= deadline:
                    raise
                err.print(f"Waiting: {exc.message}", style="dim", highlight=False)
                time.sleep(RESUME_POLL_SECONDS)
    _say_life(made, as_json=as_json)


def kill(
    project: ProjectArgument,
    reason: ReasonOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """End a project for good: its jobs, what is pending in it, and its mails. It cannot be undone."""
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, settings):
        found = projects.get(db, project_id)
        if not yes and not _confirmed(found):
            raise Conflict("Nothing was changed.", "Say yes, or give --yes.")
        made = lifecycle.set_status(db, project_id, "killed", settings.owner_clerk_id, reason)
    _say_life(made, as_json=as_json)


def _confirmed(project: Project) -> bool:
    if not sys.stdin.isatty():
        raise InvalidInput("A kill is final, and nobody can be asked here.", "Give --yes.")
    return typer.confirm(f"Kill {printable(project.name)!r} for good?", err=True)


def _say_life(made: LifeChange, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    if made.outcome == "unchanged":
        out.print(f"The project is {made.status} already.")
        return
    counts = (
        (made.jobs_canceled, "job", "canceled"),
        (made.jobs_stopping, "running job", "told to stop"),
        (made.jobs_revived, "job", "queued again"),
        (made.approvals_denied, "approval", "denied"),
        (made.mails_stopped, "mail", "stopped"),
    )
    done = ", ".join(f"{count} {what}{'' if count == 1 else 's'} {how}" for count, what, how in counts if count)
    out.print(f"The project is {made.status} now{f': {done}' if done else ''}.", highlight=False, soft_wrap=True)
