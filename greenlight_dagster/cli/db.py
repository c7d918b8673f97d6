"""`greenlight db`: migrate, status, reset, and what is said after a restore."""

from __future__ import annotations

from typing import Annotated

import typer

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.db_restore import after_restore
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import lanes
from studio.database import migrations

app = typer.Typer(no_args_is_help=True, help="The studio's database schema.")
app.command("after-restore", epilog="Example: greenlight db after-restore --to 2026-03-08T01:30:00Z")(after_restore)


@app.command(epilog="Example: DATABASE_URL=postgresql://localhost/greenlight greenlight db migrate")
def migrate(as_json: JsonFlag = False) -> None:
    """Apply the migrations that are missing, and bring the job types up to date."""
    with open_database(as_owner=True) as (db, settings):
        applied = lanes.prepare_database(db, settings)
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
