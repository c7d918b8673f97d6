"""`greenlight projects mail`: when and how much mail a project sends."""

from __future__ import annotations

from datetime import time
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, print_json, print_table
from greenlight_dagster.cli.projects import ProjectArgument
from studio.errors import InvalidInput
from studio.mail import quiet_hours
from studio.mail.quiet_hours import Given

NONE = "none"


def mail(
    project: ProjectArgument,
    timezone: Annotated[str | None, typer.Option(help="An IANA time zone, for instance Europe/Berlin.")] = None,
    quiet: Annotated[
        str | None, typer.Option(metavar="FROM-TO", help="Local times, for instance 22:00-07:00; or none.")
    ] = None,
    cap: Annotated[str | None, typer.Option(metavar="MAILS", help="Mails a day at most; or none.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Show a project's time zone, quiet hours and daily cap of mail, or set them; what is not given stays."""
    project_id = parse_id(project, "PROJECT")
    given = Given()
    if timezone is not None:
        given["timezone"] = timezone
    if quiet is not None:
        given["start"], given["end"] = _quiet(quiet)
    if cap is not None:
        given["daily_cap"] = _cap(cap)
    with open_database() as (db, settings), db.transaction() as conn:
        hours = (
            quiet_hours.change(conn, project_id, given, by=settings.owner_clerk_id)
            if given
            else quiet_hours.get(conn, project_id)
        )
    shown = hours.as_json()
    if as_json:
        print_json(shown)
        return
    print_table(("time zone", "quiet hours", "mails a day"), [tuple(shown.values())], empty="")


def _quiet(text: str) -> tuple[time | None, time | None]:
    if text.strip().lower() == NONE:
        return None, None
    start, dash, end = text.partition("-")
    try:
        if not dash:
            raise ValueError(text)
        return time.fromisoformat(start.strip()), time.fromisoformat(end.strip())
    except ValueError as exc:
        raise InvalidInput(f"{text!r} is no span of the day.", "Give one like 22:00-07:00, or none.") from exc


def _cap(text: str) -> int | None:
    if text.strip().lower() == NONE:
        return None
    try:
        return int(text)
    except ValueError as exc:
        raise InvalidInput(f"{text!r} is no number of mails.", "Give a whole number, or none.") from exc
