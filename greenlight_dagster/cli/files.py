"""`greenlight projects files`: what phases and builders have made for a project, where it lies, and what is missing."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import assets, projects
from studio.assets import Asset
from studio.deliverables import Deliverable, listed_in
from studio.errors import StudioError
from studio.storage import Storage, storage_from_settings
from studio.text import printable

PHASES = range(4)
# What belongs to no phase, by the kind of its assets.
BUILT = {"code_archive": "Code", "report": "Report"}
# Long enough to look at everything, short enough to be pasted somewhere by mistake.
LINK_HOURS = 24


def files(
    project: ProjectArgument,
    phase: Annotated[int | None, typer.Option(min=0, max=3, help="Only of this phase.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """List a project's files with links that last a day, and what could not be made, with the reason.

    These are the files of its packets and, unless a phase is given, the code and the reports that were asked for.
    """
    with open_database() as (db, settings):
        found = projects.get(db, parse_id(project, "PROJECT"))
        with db.connection() as conn:
            entries: list[tuple[int | None, Deliverable]] = [
                (number, entry)
                for number in (PHASES if phase is None else [phase])
                for entry in listed_in(conn, found.id, number)
            ]
        if phase is None:
            entries += [(None, _made(asset)) for kind in BUILT for asset in assets.find(db, found.id, kind=kind)]
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
        what = BUILT[entry.kind] if number is None else f"Phase {number}"
        out.print(f"\n{printable(f'{what}, {entry.label}')}:", style="bold", highlight=False, markup=False)
        out.print(where, highlight=False, soft_wrap=True, markup=False)


def _made(asset: Asset) -> Deliverable:
    return Deliverable(
        kind=asset.kind,
        label=asset.filename,
        status="stored",
        storage_path=asset.storage_path,
        asset_id=asset.id,
        content_hash=asset.content_hash,
    )


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
