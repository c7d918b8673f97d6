"""`greenlight code`: have an agent write code on a branch, list what was written, show it."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

import typer

from greenlight_dagster.cli.asking import (
    LimitOption,
    WatchFlag,
    ask,
    heading,
    job_json,
    job_named,
    job_rows,
    open_project,
    say,
    tell,
    watch,
)
from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import builders
from studio.database.connection import Database
from studio.model.spend import usd
from studio.operations.wording import several
from studio.settings import Settings
from studio.text import clip
from studio.views import builders_code as views
from studio.views.builders_code import Code, Generation, Where

app = typer.Typer(no_args_is_help=True, help="Have code written, and see what was written.")

# What fits on a few screens; the rest is in the repository.
FILES_SHOWN = 60
OUTPUT_CHARS = 4000
TITLE_CHARS = 60


@app.command(
    epilog='Example: greenlight code generate 7b0e1c9a-… "A list of tools, who has them, and a button" --watch'
)
def generate(
    project: ProjectArgument,
    description: Annotated[str, typer.Argument(help="What is to be written, in up to 20,000 characters.")],
    repo: Annotated[
        str | None, typer.Option(help="The repository on GitHub; by default the project's, else the studio's own.")
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option(
            help="The new branch; by default greenlight/mvp-v1. An existing name gets a number: main becomes main-2."
        ),
    ] = None,
    watching: WatchFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Have an agent write code on a new branch; nothing is merged."""
    with open_project(project) as (db, settings, found):
        asked = ask(
            db,
            lambda conn: builders.ask_code(
                conn, found.id, description, repo_url=repo, branch=branch, settings=settings
            ),
        )
        if watching:
            watch(db, settings, asked, lambda: _show(db, settings, asked.job_id, as_json), as_json)
        else:
            tell(asked, "code show", as_json)


@app.command("list", epilog="Example: greenlight code list 7b0e1c9a-…")
def list_code(project: ProjectArgument, limit: LimitOption = 30, as_json: JsonFlag = False) -> None:
    """List what agents have written for a project, newest first."""
    with open_project(project) as (db, settings, found):
        listed = views.generations(db, found.id, limit)
    if as_json:
        print_json([_json(one, views.where(settings, one)) for one in listed])
        return
    print_table(
        ("id", "what", "status", "branch", "files", "cost", "asked"),
        [
            (
                one.job.id,
                clip(one.title, TITLE_CHARS),
                _status(one),
                None if one.code is None else one.code.branch,
                None if one.code is None else len(one.code.files),
                f"${usd(one.cost_micros)}",
                one.job.created_at,
            )
            for one in listed
        ],
        empty=f'Nothing has been written yet. Begin: greenlight code generate {found.id} "What to write"',
        below=("branch", "files", "cost", "asked"),
    )


@app.command(epilog="Example: greenlight code show 0f3c5a7e-…")
def show(
    generation: Annotated[str, typer.Argument(metavar="ID", help="The id of its job.")], as_json: JsonFlag = False
) -> None:
    """Show what an agent has written: its branch, how to get it, its files and what its tests say."""
    with open_database() as (db, settings):
        _show(db, settings, job_named(generation), as_json)


def _show(db: Database, settings: Settings, job_id: UUID, as_json: bool) -> None:
    made = views.generation(db, None, job_id)
    where = views.where(settings, made)
    if as_json:
        print_json(_json(made, where, whole=True))
        return
    rows = [*job_rows(made.job), ("what", clip(made.title, TITLE_CHARS)), ("cost", f"${usd(made.cost_micros)}")]
    code = made.code
    if code is not None:
        based = " ".join(filter(None, (code.base_branch, code.base_commit and code.base_commit[:12])))
        rows += [
            ("repository", code.repository if where is None or where.web is None else where.web),
            ("branch", code.branch),
            ("commit", code.commit_sha),
            ("based on", based or None),
            ("pull request", code.pull_request_url),
            ("finished", "yes" if code.finished else f"no: {code.unfinished_reason}"),
            ("ran in", f"{'no sandbox' if code.sandbox == 'none' else code.sandbox}, {several(code.turns, 'turn')}"),
        ]
    print_table(("", ""), rows, empty="")
    if code is None:
        return
    if code.summary:
        heading("What the agent says:")
        say(code.summary)
    _show_checks(code)
    _show_files(code)
    if where is not None and where.clone is not None:
        heading("Get it:")
        say(where.clone)


def _show_checks(code: Code) -> None:
    heading("Its own build and tests:")
    print_table(
        ("name", "command", "outcome", "exit", "seconds"),
        [
            (
                check.name,
                check.command,
                check.outcome,
                check.exit_code,
                None if check.seconds is None else f"{check.seconds:.1f}",
            )
            for check in code.checks
        ],
        empty="It declares none, so nothing was run.",
    )
    for check in code.checks:
        if check.outcome != "passed" and check.output.strip():
            heading(f"What {check.name} printed:")
            # What went wrong stands at the end.
            say(check.output.rstrip()[-OUTPUT_CHARS:])


def _show_files(code: Code) -> None:
    heading(f"{several(len(code.files), 'file')}:")
    print_table(
        ("path", "change", "bytes"),
        [(file.path, file.status, file.size) for file in code.files[:FILES_SHOWN]],
        empty="The commit changes nothing.",
    )
    if len(code.files) > FILES_SHOWN:
        out.print(f"And {len(code.files) - FILES_SHOWN:,} more; --json lists them all.", highlight=False)
    if code.left_out:
        heading("Written, and left out:")
        print_table(("path", "why"), [(entry.path, entry.reason) for entry in code.left_out[:FILES_SHOWN]], empty="")
        if len(code.left_out) > FILES_SHOWN:
            out.print(f"And {len(code.left_out) - FILES_SHOWN:,} more; --json lists them all.", highlight=False)


def _status(made: Generation) -> str:
    code = made.code
    if code is None or not made.job.ended:
        return made.job.status
    if not code.finished:
        return "unfinished"
    return f"{several(code.failed_checks, 'check')} not passed" if code.failed_checks else made.job.status


def _json(made: Generation, where: Where | None, *, whole: bool = False) -> dict[str, Any]:
    said = {**job_json(made.job), "description": made.description, "cost_micros": made.cost_micros}
    if made.code is None:
        return {**said, "code": None}
    code = plain(made.code)
    if not whole:
        code = {name: value for name, value in code.items() if name not in ("files", "left_out", "checks")}
    counts = {"files_changed": len(made.code.files), "checks_failed": made.code.failed_checks}
    return {**said, "code": {**code, **counts, "where": plain(where)}}
