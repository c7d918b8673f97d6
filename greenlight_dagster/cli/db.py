"""`greenlight db`: migrate, status, reset, partitions, and what is said after a restore."""

from __future__ import annotations

import collections
from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.db_restore import after_restore
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import lanes
from studio.database import migrations
from studio.database.migration_turn import PATIENCE_SECONDS
from studio.database.schema import State
from studio.operations import event_partitions
from studio.release import release

app = typer.Typer(no_args_is_help=True, help="The studio's database schema.")
app.command("after-restore", epilog="Example: greenlight db after-restore --to 2026-03-08T01:30:00Z")(after_restore)


@app.command(epilog="Example: DATABASE_URL=postgresql://localhost/greenlight greenlight db migrate")
def migrate(
    patience: Annotated[
        float, typer.Option(help="For how many seconds to try again where a table is in use.", min=0)
    ] = PATIENCE_SECONDS,
    as_json: JsonFlag = False,
) -> None:
    """Apply the migrations that are missing, and bring the job types up to date.

    Safe while the release before it works on the same database, and on several hosts at once.
    """
    with open_database(as_owner=True) as (db, settings):
        applied = lanes.prepare_database(db, settings, patience_seconds=patience)
    if as_json:
        print_json(applied)
        return
    for migration in applied:
        out.print(f"Applied {migration.version}_{migration.name} in {migration.seconds:.2f} s", highlight=False)
    if not applied:
        out.print("The schema is up to date.")


@app.command(epilog="Example: greenlight db status")
def status(as_json: JsonFlag = False) -> None:
    """Show which migrations are applied."""
    with open_database(as_owner=True) as (db, _):
        found = migrations.status(db)
    if as_json:
        print_json(found)
        return
    print_table(
        ("version", "name", "state", "applied"),
        [(m.version, m.name, m.state, m.applied_at) for m in found],
        empty="There are no migrations.",
    )
    for note in _notes(collections.Counter(m.state for m in found)):
        out.print(note)


def _notes(states: collections.Counter[State]) -> list[str]:
    """Say what is to be done about the states that are not `applied`."""
    notes = []
    if states["pending"]:
        notes.append(f"{states['pending']} pending: apply them with `greenlight db migrate`.")
    if states["newer"]:
        notes.append(
            f"{states['newer']} newer: of a later release than this one ({release()}), which works on all the same."
        )
    if odd := sorted(states.keys() & {"changed", "missing", "out of order"}):
        notes.append(f"The history is not that of this release ({', '.join(odd)}): `greenlight db migrate` says why.")
    return notes


@app.command(epilog="Example: greenlight db reset --force")
def reset(
    force: Annotated[bool, typer.Option("--force", help="Really delete everything in the studio's schema.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Delete everything and apply all migrations anew."""
    with open_database(as_owner=True) as (db, settings):
        applied = migrations.reset(db, force=force)
        lanes.prepare_database(db, settings)
    if as_json:
        print_json(applied)
    else:
        out.print(f"Reset: {len(applied)} migrations applied.")


@app.command(epilog="Example: greenlight db partitions --convert")
def partitions(
    convert: Annotated[
        bool, typer.Option("--convert", help="Partition the event table by months, while everybody works on it.")
    ] = False,
    patience: Annotated[
        float, typer.Option(help="For how many seconds to try again where the table is in use.", min=0)
    ] = PATIENCE_SECONDS,
    as_json: JsonFlag = False,
) -> None:
    """Show the partitions of the event table; with `--convert`, make them (docs/retention.md says when)."""
    with open_database(as_owner=True) as (db, _):
        found = event_partitions.convert(db, patience_seconds=patience) if convert else event_partitions.partitions(db)
    if as_json:
        print_json(found)
        return
    print_table(
        ("partition", "from", "until", "MB"),
        [(part.name, part.first, part.until, round(part.size_bytes / 1e6, 1)) for part in found],
        empty="The event table is not partitioned.",
    )
