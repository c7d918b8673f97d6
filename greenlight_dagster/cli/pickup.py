"""Whether anybody runs jobs here: asked before a command sends some of its own and waits for them."""

from __future__ import annotations

from collections.abc import Collection

import psycopg

from greenlight_dagster.stack.ticks import last_ticks
from greenlight_dagster.stack.urls import libpq_url
from sensors.relays import RELAYS, pickup_name
from studio.database import migrations
from studio.database.connection import Database, first_line
from studio.errors import StackError
from studio.job_types import Lane
from studio.settings import Settings


def require_schema(db: Database) -> None:
    """Raise `StackError` where migrations are pending."""
    waiting = [migration for migration in migrations.status(db) if migration.state == "pending"]
    if waiting:
        raise StackError(f"{len(waiting)} migrations are pending.", "Apply them with `greenlight db migrate`.")


def require_pickup(settings: Settings, lanes: Collection[Lane]) -> None:
    """Raise `StackError` where nobody picks up jobs of one of the lanes, as far as Dagster's database tells."""
    if settings.dagster_database_url is None:
        return  # then only trying shows it
    try:
        ticks = {tick.sensor: tick for tick in last_ticks(libpq_url(settings.dagster_database_url))}
    except psycopg.Error as exc:
        raise StackError(f"Dagster's database cannot be read: {first_line(exc)}.", "See `greenlight doctor`.") from exc
    for lane in sorted(lanes):
        # They relay each other: one is enough.
        names = [pickup_name(lane, number) for number in range(1, RELAYS[lane] + 1)]
        own = [ticks[name] for name in names if name in ticks]
        if all(tick.trouble is not None for tick in own):
            why = f"{own[0].sensor} {own[0].trouble}" if own else "its sensors have never ticked"
            raise StackError(
                f"Nobody picks up jobs of the {lane} lane: {why.rstrip('.')}.",
                "Start the stack with `greenlight up`; `greenlight doctor` says more.",
            )
