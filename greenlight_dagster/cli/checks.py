"""`greenlight check`: have a browser look at a page, list the looks, show what one has found."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    write,
)
from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import assets, builders
from studio.database.connection import Database
from studio.errors import Conflict, InvalidInput
from studio.job_types import CHECKS
from studio.settings import Settings
from studio.storage import storage_from_settings
from studio.text import canonical_json, clip
from studio.views import builders_checks as views
from studio.views.builders import Stored
from studio.views.builders_checks import PageCheck

app = typer.Typer(no_args_is_help=True, help="Have pages looked at by a browser, and see what it found.")

URL_CHARS = 60
EVIDENCE_CHARS = 1200


@app.command("page", epilog="Example: greenlight check page 7b0e1c9a-… https://example.org --checks meta_tags --watch")
def check_page(
    project: ProjectArgument,
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The page's address; by default the published page.")
    ] = None,
    checks: Annotated[
        list[str] | None,
        typer.Option(help=f"Only these, by comma or given again: {', '.join(CHECKS)}."),
    ] = None,
    watching: WatchFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Have a browser look at a page, on a desk and on a phone; with --watch exit 1 also unless it passes."""
    wanted = None if checks is None else [name.strip() for given in checks for name in given.split(",") if name.strip()]
    with open_project(project) as (db, settings, found):
        asked = ask(db, lambda conn: builders.ask_check(conn, found.id, url, checks=wanted, settings=settings))
        if not watching:
            tell(asked, "check show", as_json)
            return
        watch(db, settings, asked, lambda: _show(views.page_check(db, None, asked.job_id), as_json), as_json)
        look = views.page_check(db, None, asked.job_id).look
    # Of a page to which none of the checks applies nothing is known.
    if look is None or not look.passed or not any(one.outcome == "passed" for one in look.results):
        raise typer.Exit(1)


@app.command("list", epilog="Example: greenlight check list 7b0e1c9a-…")
def list_checks(project: ProjectArgument, limit: LimitOption = 30, as_json: JsonFlag = False) -> None:
    """List the looks at a project's pages, newest first."""
    with open_project(project) as (db, _, found):
        listed = views.page_checks(db, found.id, limit)
    if as_json:
        print_json([_json(one) for one in listed])
        return
    print_table(
        ("id", "page", "status", "result", "publication", "asked"),
        [
            (
                one.job.id,
                clip(one.url, URL_CHARS),
                one.job.status,
                None if one.look is None else one.look.verdict,
                None if one.look is None else one.look.publication_no,
                one.job.created_at,
            )
            for one in listed
        ],
        empty=f"No page has been looked at yet. Begin: greenlight check page {found.id}",
        below=("result", "publication", "asked"),
    )


@app.command(epilog="Example: greenlight check show 0f3c5a7e-… -o pictures")
def show(
    check: Annotated[str, typer.Argument(metavar="ID", help="The id of its job.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", file_okay=False, help="Save the pictures in this folder as well."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show what a browser found on a page, check by check with its evidence."""
    with open_database() as (db, settings):
        found = views.page_check(db, None, job_named(check))
        saved = [] if output is None else _save(db, settings, found, output)
    _show(found, as_json, saved)


def _show(found: PageCheck, as_json: bool, saved: list[Path] | None = None) -> None:
    if as_json:
        print_json(_json(found, whole=True) | ({} if not saved else {"saved": plain(saved)}))
        return
    look = found.look
    rows = [*job_rows(found.job), ("page", found.url)]
    if look is not None:
        rows += [
            ("led to", look.final_url if look.final_url != found.url else None),
            ("publication", look.publication_no),
            ("looked at", look.checked_at),
            ("result", look.verdict),
        ]
    print_table(("", ""), [row for row in rows if row[1] is not None], empty="")
    if look is None:
        return
    heading("What was found:")
    print_table(
        ("check", "outcome", "what"), [(one.check, one.outcome, one.summary) for one in look.results], empty="Nothing."
    )
    for one in (*look.failed, *look.not_measured):
        if one.evidence:
            heading(f"Evidence of {one.check}:")
            say(clip(canonical_json(one.evidence), EVIDENCE_CHARS))
    if found.rollback is not None and found.rollback.status == "pending":
        heading("Going back to the page before waits for your yes:")
        say(f"greenlight approvals show {found.rollback.approval_id}")
    for path in saved or ():
        out.print(f"Wrote {path}", highlight=False, soft_wrap=True, markup=False)


def _save(db: Database, settings: Settings, found: PageCheck, folder: Path) -> list[Path]:
    look = found.look
    if look is None:
        raise Conflict(
            f"There are no pictures: the job is {found.job.status}.", f"See why: greenlight jobs show {found.job.id}"
        )
    pictures: dict[str, Stored] = {}
    if look.desktop is not None:
        pictures["desktop"] = look.desktop
    if look.mobile is not None:
        pictures["mobile"] = look.mobile
    for one in look.results:
        pictures |= {picture.name: picture.file for picture in one.pictures}
    if not pictures:
        raise Conflict("There are no pictures of this look.", f"See why: greenlight check show {found.job.id}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise InvalidInput(f"{folder} is no folder ({exc.strerror}).", "Give another place with -o.") from exc
    storage = storage_from_settings(settings)
    saved = []
    for name, picture in pictures.items():
        # Another client may have written the names.
        safe = "".join(char if char.isalnum() or char in "-_" else "_" for char in name)
        path = folder / f"{safe}{Path(picture.asset.filename).suffix or '.png'}"
        write(path, assets.content(storage, picture.asset))
        saved.append(path)
    return saved


def _json(found: PageCheck, *, whole: bool = False) -> dict[str, Any]:
    said = {**job_json(found.job), "url": found.url, "rollback": plain(found.rollback)}
    if found.look is None:
        return {**said, "look": None}
    look = {**plain(found.look), "failed": [one.check for one in found.look.failed]}
    look["not_measured"] = [one.check for one in found.look.not_measured]
    if not whole:
        del look["results"]
    return {**said, "look": look}
