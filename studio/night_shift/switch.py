"""Whether a project is on night shift: its founder turns it on and off."""

from __future__ import annotations

from uuid import UUID

from studio.database.connection import Connection
from studio.errors import NotFound
from studio.job_types import SYSTEM_PROJECT_ID
from studio.project_events import record


def turn(conn: Connection, project_id: UUID, on: bool) -> bool:
    """Turn a project's night shift on or off in the caller's transaction; return whether that was a change.

    Raises `NotFound` for an unknown project and for the system's own, which has no nights.
    """
    row = conn.execute(
        "select night_shift from public.projects where id = %s and id <> %s for no key update",
        [project_id, SYSTEM_PROJECT_ID],
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    if row["night_shift"] is on:
        return False
    conn.execute("update public.projects set night_shift = %s where id = %s", [on, project_id])
    word = "on" if on else "off"
    record(conn, project_id, f"nightshift.turned_{word}", f"Night shift turned {word}")
    return True
