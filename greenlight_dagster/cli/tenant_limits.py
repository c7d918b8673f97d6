"""`greenlight limits`: what one tenant may take of what all share, and who is near it."""

from __future__ import annotations

import dataclasses

from greenlight_dagster.cli.context import open_database
from greenlight_dagster.cli.output import JsonFlag, out, print_json, print_table
from studio import tenants
from studio.uploads import announcing


def limits(as_json: JsonFlag = False) -> None:
    """Show what one project and one owner may take, and who has nearly all of it."""
    with open_database() as (db, settings):
        figures, near = tenants.limits(db), tenants.at_limit(db)
    if as_json:
        print_json({"limits": dataclasses.asdict(figures), "at_limit": [dataclasses.asdict(one) for one in near]})
        return
    rows: list[tuple[str, object]] = [("jobs of a project in the queue", _figure(figures.queued_per_project))]
    for lane, per_project in figures.project_running.items():
        per_owner = _figure(figures.owner_running[lane])
        rows.append((f"jobs at once in the {lane} lane", f"{per_project} of a project, {per_owner} of an owner"))
    rows += [
        ("bytes of a project's files", _figure(figures.bytes_per_project)),
        ("of these by upload", f"{announcing.QUOTA_BYTES:,}, {announcing.PENDING_LIMIT} files under way"),
        ("events of an attempt", f"{settings.events_per_attempt:,}"),
        ("projects of an owner", f"{settings.projects_per_owner:,} in the browser"),
    ]
    print_table(("limit", "figure"), rows, empty="")
    print_table(
        ("limit", "who", "name", "taken", "of"),
        [(one.limit, one.who, one.name, f"{one.taken:,}", f"{one.allowed:,}") for one in near],
        empty="Nobody is near a limit.",
    )
    if near:
        out.print("Raise it for all by the settings (docs/tenants.md); a queue empties by itself, or by `jobs cancel`.")


def _figure(limit: int | None) -> str:
    return "any number" if limit is None else f"{limit:,}"
