"""How many jobs of a lane run at once, by the settings."""

from __future__ import annotations

from typing import NamedTuple

from studio.database import migrations
from studio.database.connection import Database
from studio.database.migration_turn import PATIENCE_SECONDS
from studio.database.migrations import Applied
from studio.job_types import JOB_TYPES, Lane
from studio.queue import synchronize_registry
from studio.settings import Settings


class LaneLimit(NamedTuple):
    """How many jobs of a lane run at once: in all, and for one project."""

    slots: int
    per_project: int


def limits(settings: Settings) -> dict[Lane, LaneLimit]:
    """Return the limits of every lane."""
    slots: dict[Lane, int] = {
        "realtime": settings.worker_realtime_concurrency,
        "standard": settings.worker_concurrency,
        "heavy": settings.worker_heavy_concurrency,
    }
    return {lane: LaneLimit(count, min(count, settings.worker_project_limit)) for lane, count in slots.items()}


def prepare_database(db: Database, settings: Settings, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Applied]:
    """Bring the schema up to date and write the registry's lanes and types into it; return what was applied."""
    applied = migrations.migrate(db, patience_seconds=patience_seconds)
    with db.transaction() as conn:
        synchronize_registry(conn, JOB_TYPES.values(), limits(settings))
    return applied
