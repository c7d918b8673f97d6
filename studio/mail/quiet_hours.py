"""When a project's mail may leave: its time zone, its quiet hours, its daily cap.

Quiet hours run by the wall clock of the project's time zone, perhaps past midnight, so that a change to summer time
moves nothing. In them only mail goes out that somebody waits for: what was asked for, and confirmations.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time
from uuid import UUID

from studio.database.connection import Connection
from studio.database.errors import translated
from studio.errors import InvalidInput, NotFound
from studio.project_events import record


@dataclass(frozen=True)
class MailHours:
    """A project's settings. `start` and `end` are local times, both None without quiet hours.

    `daily_cap` counts the mails of one local day, of whatever category; None is no cap.
    """

    timezone: str
    start: time | None
    end: time | None
    daily_cap: int | None


def get(conn: Connection, project_id: UUID) -> MailHours:
    """Return a project's settings, or raise `NotFound`."""
    row = conn.execute(
        'select timezone, quiet_hours_start as start, quiet_hours_end as "end", email_daily_cap as daily_cap'
        " from public.projects where id = %s",
        [project_id],
    ).fetchone()
    if row is None:
        raise NotFound(f"There is no project {project_id}.", "See `greenlight projects list`.")
    return MailHours(**row)


def change(conn: Connection, project_id: UUID, hours: MailHours, *, by: str) -> None:
    """Set when and how much mail a project may send, in the caller's transaction; the ledger says who did.

    Raise `InvalidInput` for an unknown time zone, half a pair of quiet hours or a negative cap, `NotFound`.
    """
    if (hours.start is None) != (hours.end is None):
        raise InvalidInput("Quiet hours have a beginning and an end.", "Give both, or neither.")
    if hours.start is not None and hours.start == hours.end:
        raise InvalidInput("Quiet hours that end when they begin are none, or all day.", "Give different times.")
    if hours.daily_cap is not None and hours.daily_cap < 0:
        raise InvalidInput(f"The daily cap is {hours.daily_cap}.", "Give 0 for no mail at all, or more.")
    before = get(conn, project_id)
    if before == hours:
        return
    with translated():
        conn.execute(
            "update public.projects set timezone = %s, quiet_hours_start = %s, quiet_hours_end = %s,"
            " email_daily_cap = %s where id = %s",
            [hours.timezone, hours.start, hours.end, hours.daily_cap, project_id],
        )
    record(
        conn,
        project_id,
        "project.mail_hours_set",
        f"Mail: {_said(hours)}",
        {"by": by, "before": _said(before), "after": _said(hours)},
    )


def _said(hours: MailHours) -> str:
    quiet = "no quiet hours" if hours.start is None else f"quiet from {hours.start:%H:%M} to {hours.end:%H:%M}"
    cap = "no daily cap" if hours.daily_cap is None else f"at most {hours.daily_cap} a day"
    return f"{hours.timezone}, {quiet}, {cap}"
