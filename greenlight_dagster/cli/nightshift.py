"""`greenlight nightshift`: run it now, turn it on and off, read what it did."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database, parse_id
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import fan_out, projects
from studio.errors import InvalidInput
from studio.night_shift import switch
from studio.night_shift.report import nights

app = typer.Typer(no_args_is_help=True, help="The nightly round over all projects.")

ProjectArgument = Annotated[str, typer.Argument(metavar="PROJECT", help="The project's id.")]


@app.command(epilog="Example: greenlight nightshift run --project 7b0e1c9a-…")
def run(
    project: Annotated[str | None, typer.Option(help="Only this project's cycle.")] = None,
    day: Annotated[
        str | None, typer.Option("--date", help="The night's UTC day, for instance 2026-03-01; by default today.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Queue the night's cycles, due mail, digests and nudges; what is queued or done for that day is left alone."""
    now = datetime.now(UTC)
    wanted = None if day is None else _day(day)
    if project is not None:
        _run_project(project, wanted or now.date(), now, as_json)
        return
    with open_database() as (db, _):
        done = fan_out.whole_night(db, now, wanted).json()
    if as_json:
        print_json(done)
        return
    out.print(f"Queued the night's cycle of {done['queuedProjects']} projects.")
    names = {"due mail": "queuedEmailJob", "digests": "queuedDripDigests", "nudges": "queuedDripNudges"}
    print_table(("what", "job"), [(name, done[key]) for name, key in names.items()], empty="")


def _run_project(project: str, day: date, now: datetime, as_json: bool) -> None:
    if day > now.date():
        raise InvalidInput(f"The night of {day} has not come yet.", f"Give a day up to {now.date()}.")
    project_id = parse_id(project, "--project")
    with open_database() as (db, _), db.transaction() as conn:
        done = fan_out.cycle_project(conn, project_id, day)
    queued = int(done.outcome != "existing")
    if as_json:
        print_json({"queuedProjects": queued, "jobId": done.job_id, "outcome": done.outcome, "status": done.status})
    elif queued:
        out.print(
            f"Queued job {done.job_id}. Follow it: greenlight jobs tail {done.job_id}", highlight=False, soft_wrap=True
        )
    else:
        out.print(f"The night of {day} is job {done.job_id}, {done.status}.", highlight=False, soft_wrap=True)


@app.command(epilog="Example: greenlight nightshift show 7b0e1c9a-…")
def show(
    project: ProjectArgument,
    limit: Annotated[int, typer.Option(min=1, max=100, help="How many nights.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Show what a project's last nights did, and why something was not proposed."""
    with open_database() as (db, _):
        found = nights(db, projects.get(db, parse_id(project, "PROJECT")).id, limit)
    if as_json:
        print_json(found)
        return
    if not found:
        out.print("No night yet. Run one: greenlight nightshift run --project PROJECT", highlight=False)
    for night in found:
        out.print(f"Night of {night['day']}: {night['message']}", highlight=False, markup=False, soft_wrap=True)
        rows = [(o["ending"], o["action_type"], o["description"], o["why"]) for o in night["outcomes"]]
        print_table(("outcome", "action", "what", "why"), rows, empty="")
        for why in night["missing"]:
            out.print(f"Before it can be carried out: {why}", highlight=False, markup=False, soft_wrap=True)


@app.command("on", epilog="Example: greenlight nightshift on 7b0e1c9a-…")
def turn_on(project: ProjectArgument, as_json: JsonFlag = False) -> None:
    """Put a project on night shift."""
    _turn(project, True, as_json)


@app.command("off", epilog="Example: greenlight nightshift off 7b0e1c9a-…")
def turn_off(project: ProjectArgument, as_json: JsonFlag = False) -> None:
    """Take a project off night shift; everything else goes on."""
    _turn(project, False, as_json)


def _turn(project: str, on: bool, as_json: bool) -> None:
    project_id = parse_id(project, "PROJECT")
    with open_database() as (db, _), db.transaction() as conn:
        changed = switch.turn(conn, project_id, on)
    if as_json:
        print_json({"projectId": project_id, "nightShift": on, "changed": changed})
    else:
        out.print(f"The night shift is {'' if changed else 'already '}{'on' if on else 'off'}.")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as exc:
        raise InvalidInput(f"{text!r} is not a day.", "Give one like 2026-03-01.") from exc
