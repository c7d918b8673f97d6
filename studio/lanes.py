"""How many jobs of a lane run at once, by the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from studio import tenants
from studio.database import migrations
from studio.database.connection import Connection, Database
from studio.database.migration_turn import PATIENCE_SECONDS
from studio.database.migrations import Applied
from studio.job_types import JOB_TYPES, JobType, Lane
from studio.settings import Settings


class LaneLimit(NamedTuple):
    """How many jobs of a lane run at once: in all, for one project, and for all of one owner's (None: as many)."""

    slots: int
    per_project: int
    per_owner: int | None


def limits(settings: Settings) -> dict[Lane, LaneLimit]:
    """Return the limits of every lane."""
    slots: dict[Lane, int] = {
        "realtime": settings.worker_realtime_concurrency,
        "standard": settings.worker_concurrency,
        "heavy": settings.worker_heavy_concurrency,
    }
    return {
        lane: LaneLimit(count, min(count, settings.worker_project_limit), settings.worker_owner_limit)
        for lane, count in slots.items()
    }


def prepare_database(db: Database, settings: Settings, *, patience_seconds: float = PATIENCE_SECONDS) -> list[Applied]:
    """Bring the schema up to date and write the registry's lanes and types into it; return what was applied."""
    applied = migrations.migrate(db, patience_seconds=patience_seconds)
    with db.transaction() as conn:
        synchronize_registry(conn, JOB_TYPES.values(), limits(settings))
        tenants.write_limits(conn, settings)
    return applied


def synchronize_registry(conn: Connection, kinds: Iterable[JobType], slots: Mapping[Lane, LaneLimit]) -> None:
    """Write the registry's lanes and types into the database, for rows that other clients insert.

    Of a payload the newest version stays that any release has written: an older host that starts does not lower it.
    """
    for lane, limit in slots.items():
        conn.execute(
            "insert into public.agent_job_lanes (lane, slots, project_limit, owner_limit) values (%s, %s, %s, %s)"
            " on conflict (lane) do update set slots = excluded.slots, project_limit = excluded.project_limit,"
            " owner_limit = excluded.owner_limit",
            [lane, *limit],
        )
    for kind in kinds:
        conn.execute(
            "insert into public.agent_job_types as t (job_type, lane, payload_version) values (%s, %s, %s)"
            " on conflict (job_type) do update set lane = excluded.lane,"
            " payload_version = greatest(t.payload_version, excluded.payload_version)",
            [kind.name, kind.lane, kind.payload_version if kind.has_handler else 0],
        )
