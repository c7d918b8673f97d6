"""`greenlight projects files`: what a project's phases have made, where it lies, and what is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import projects
from studio.deliverables import Deliverable, listed_in
from studio.errors import StudioError
from studio.storage import Storage, storage_from_settings

PHASES = range(4)
# Long enough to look at everything, short enough to be pasted somewhere by mistake.
LINK_HOURS = 24


def files(
    project: ProjectArgument,
    phase: Annotated[int | None, typer.Option(min=0, max=3, help="Only of this phase.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List the files of a project's packets with links that last a day, and what could not be made, with the reason."""
    with open_database() as (db, settings):
        found = projects.get(db, parse_id(project, "PROJECT"))
        with db.connection() as conn:
            entries = [
                (number, entry)
                for number in (PHASES if phase is None else [phase])
                for entry in listed_in(conn, found.id, number)
            ]
        storage = storage_from_settings(settings)
        listed = [(number, entry, _link(storage, entry)) for number, entry in entries]
    if as_json:
        print_json([{"phase": number, "link": link, **entry.model_dump(mode="json")} for number, entry, link in listed])
        return
    print_table(
        ("phase", "what", "status"),
        [(number, entry.label, entry.status) for number, entry, _ in listed],
        empty=f"No files yet. See: greenlight projects show {found.id}",
    )
    for number, entry, link in listed:
        where = link or entry.storage_path or entry.error or "no reason given"
        out.print(f"\nPhase {number}, {entry.label}:", style="bold", highlight=False, markup=False)
        out.print(where, highlight=False, soft_wrap=True, markup=False)


def _link(storage: Storage, entry: Deliverable) -> str | None:
    if entry.storage_path is None:
        return None
    try:
        return storage.signed_url(
            entry.storage_path, expires_seconds=round(timedelta(hours=LINK_HOURS).total_seconds())
        )
    except StudioError:
        # Without an address of the pages, or while the storage is away, the path says where it lies.
        return None
