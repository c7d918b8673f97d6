"""When a project's mail may leave: its time zone, its quiet hours, its daily cap.

Quiet hours run by the wall clock of the project's time zone, perhaps past midnight, so that a change to summer time
moves nothing. In them only mail goes out that somebody waits for: what was asked for, and confirmations.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import time
from typing import Any, TypedDict
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

    def as_json(self) -> dict[str, Any]:
        """Return it as audit log and command line show it; `quiet` is the span, None without one."""
        quiet = None if self.start is None or self.end is None else f"{self.start:%H:%M}-{self.end:%H:%M}"
        return {"timezone": self.timezone, "quiet": quiet, "daily_cap": self.daily_cap}


class Given(TypedDict, total=False):
    """Those of a project's settings that are to change; `start` and `end` go together."""

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


def change(conn: Connection, project_id: UUID, given: Given, *, by: str) -> MailHours:
    """Change what is given of when and how much mail a project may send; return what is in force then.

    In the caller's transaction; audit log and ledger say who did it. Raise `InvalidInput` for an unknown time zone,
    half a pair of quiet hours or a negative cap, `NotFound`.
    """
    # Whoever changes something else at the same time waits, and what he has written is seen below.
    conn.execute("select 1 from public.projects where id = %s for no key update", [project_id])
    before = get(conn, project_id)
    after = replace(before, **given)
    if (after.start is None) != (after.end is None):
        raise InvalidInput("Quiet hours have a beginning and an end.", "Give both, or neither.")
    if after.start is not None and after.start == after.end:
        raise InvalidInput("Quiet hours that end when they begin are none, or all day.", "Give different times.")
    if after.daily_cap is not None and after.daily_cap < 0:
        raise InvalidInput(f"The daily cap is {after.daily_cap}.", "Give 0 for no mail at all, or more.")
    if before == after:
        return after
    with translated():
        conn.execute(
            "update public.projects set timezone = %s, quiet_hours_start = %s, quiet_hours_end = %s,"
            " email_daily_cap = %s where id = %s",
            [after.timezone, after.start, after.end, after.daily_cap, project_id],
        )
    conn.execute(
        "insert into public.project_audit_log (project_id, actor, what, before, after)"
        " values (%s, %s, 'mail', %s::jsonb, %s::jsonb)",
        [project_id, by, json.dumps(before.as_json()), json.dumps(after.as_json())],
    )
    record(
        conn,
        project_id,
        "project.mail_hours_set",
        f"Mail: {_said(after)}",
        {"by": by, "before": _said(before), "after": _said(after)},
    )
    return after


def _said(hours: MailHours) -> str:
    quiet = "no quiet hours" if hours.start is None else f"quiet from {hours.start:%H:%M} to {hours.end:%H:%M}"
    cap = "no daily cap" if hours.daily_cap is None else f"at most {hours.daily_cap} a day"
    return f"{hours.timezone}, {quiet}, {cap}"
