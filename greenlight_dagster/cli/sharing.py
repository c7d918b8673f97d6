"""`greenlight projects share`, `shares`, `unshare` and `export`: a packet for people outside the studio."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, plain, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio import assets, projects, shares
from studio.errors import InvalidInput
from studio.packets import export as packet_export
from studio.storage import storage_from_settings

PhaseOption = Annotated[int, typer.Option(min=0, max=3, help="Whose packet: 0 pitch, 1, 2, 3 go live.")]
VersionOption = Annotated[int | None, typer.Option(min=1, help="A version other than the latest.")]


def share(
    project: ProjectArgument,
    phase: PhaseOption = 0,
    days: Annotated[int, typer.Option(min=1, max=shares.LONGEST_DAYS, help="How long the link works.")] = shares.DAYS,
    version: VersionOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a link under which anybody can read a version of a packet; it is printed once."""
    with open_database() as (db, settings):
        found = projects.get(db, parse_id(project, "PROJECT"))
        with db.transaction() as conn:
            made = shares.create(conn, found.id, phase, created_by=settings.owner_clerk_id, days=days, version=version)
            # Inside: without an address of the pages there is no link either.
            url = shares.share_url(settings, made.token or "")
    if as_json:
        print_json({**plain(made), "url": url})
        return
    out.print(url, highlight=False, soft_wrap=True, markup=False)
    out.print(
        f"It shows version {made.version} of the phase {phase} packet until {made.expires_at:%Y-%m-%d}, and is not"
        f" shown again. End it with: greenlight projects unshare {found.id} {made.id}",
        highlight=False,
        soft_wrap=True,
    )


def list_shares(project: ProjectArgument, as_json: JsonFlag = False) -> None:
    """List a project's share links, newest first."""
    with open_database() as (db, _):
        found = projects.get(db, parse_id(project, "PROJECT"))
        listed = shares.listed(db, found.id)
    if as_json:
        print_json([{name: value for name, value in plain(one).items() if name != "token"} for one in listed])
        return
    print_table(
        ("id", "phase", "version", "state", "by", "made", "expires"),
        [
            (
                one.id,
                one.phase,
                one.version,
                "live" if one.live else "revoked" if one.revoked_at else "expired",
                one.created_by,
                one.created_at,
                f"{one.expires_at:%Y-%m-%d}",
            )
            for one in listed
        ],
        empty=f"Nothing is shared. Share the pitch: greenlight projects share {found.id}",
    )


def unshare(
    project: ProjectArgument, link: Annotated[str, typer.Argument(metavar="SHARE", help="The link's id.")]
) -> None:
    """End a share link at once."""
    with open_database() as (db, settings):
        found = projects.get(db, parse_id(project, "PROJECT"))
        with db.transaction() as conn:
            ended = shares.revoke(conn, found.id, parse_id(link, "SHARE"), settings.owner_clerk_id)
    out.print("The link shows nothing any more." if ended else "The link was revoked before.")


def export(
    project: ProjectArgument,
    phase: PhaseOption = 0,
    version: VersionOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; by default named after the packet, here.")
    ] = None,
) -> None:
    """Write a packet as a PDF."""
    with open_database() as (db, settings):
        storage = storage_from_settings(settings)
        asset = packet_export.exported(db, storage, parse_id(project, "PROJECT"), phase, version)
        data = assets.content(storage, asset)
    target = output or Path(asset.filename)
    try:
        target.write_bytes(data)
    except OSError as exc:
        raise InvalidInput(f"{target} cannot be written ({exc.strerror}).", "Give another file with -o.") from exc
    out.print(f"Wrote {target}, {len(data):,} bytes.", highlight=False, soft_wrap=True, markup=False)
