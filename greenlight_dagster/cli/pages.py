"""`greenlight pages`: what a project has published, and going back to it."""

from __future__ import annotations

from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import pages as studio_pages
from studio import projects
from studio.page_checks import asking

app = typer.Typer(no_args_is_help=True, help="A project's published page.")

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id.")]


@app.command("list", epilog="Example: greenlight pages list 7b0e1c9a-…")
def list_pages(project: ProjectArgument, as_json: JsonFlag = False) -> None:
    """List a project's publications, newest first."""
    with open_database() as (db, _):
        owner = projects.get(db, parse_id(project, "PROJECT"))
        found = studio_pages.history(db, owner.id)
        public = studio_pages.published(db, owner.id) is not None
    if as_json:
        print_json(found)
        return
    print_table(
        ("number", "state", "content", "restores", "by", "published"),
        [
            (
                page.publication_no,
                ("live" if public else "current") if page.current else "withdrawn",
                page.content_hash[:12],
                page.restores_no,
                page.published_by,
                page.published_at,
            )
            for page in found
        ],
        empty="Nothing has been published yet. Approve the landing page: greenlight approvals list",
    )
    if found and public:
        out.print(f"Live at {found[0].live_url}", highlight=False, soft_wrap=True)
    elif found:
        out.print(f"Nobody can see it: the project is {owner.status}.", highlight=False, soft_wrap=True)


@app.command(epilog="Example: greenlight pages rollback 7b0e1c9a-… --to 2")
def rollback(
    project: ProjectArgument,
    to: Annotated[
        int | None, typer.Option(min=1, help="The publication to go back to; by default what was live before.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Publish an earlier page again; by itself it never comes to one that was taken back."""
    with open_database() as (db, settings):
        found = projects.get(db, parse_id(project, "PROJECT"))
        with db.transaction() as conn:
            page = studio_pages.rollback(conn, found.id, to=to, by=settings.owner_clerk_id)
            asking.after_publication(conn, page)
    if as_json:
        print_json(page)
        return
    out.print(
        f"Publication {page.restores_no or page.publication_no} is live at {page.live_url}.",
        highlight=False,
        soft_wrap=True,
    )
