"""The life of a project: active, paused, killed.

A pause stops a project's jobs, and a resume revives exactly those; a kill is final, denies what is pending and stops
its mails. All of it is one SQL function (`set_project_status`, migration `approvals`) with an entry in the audit log.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from studio.database.connection import Database
from studio.database.errors import translated
from studio.queue import transiently
from studio.text import require_storable

Status = Literal["active", "paused", "killed"]


@dataclass(frozen=True)
class LifeChange:
    """What a change of a project's life did. `jobs_stopping` are told to stop, and do so within their lease."""

    project_id: UUID
    status: Status
    before: Status
    outcome: Literal["changed", "unchanged"]
    jobs_canceled: int
    jobs_stopping: int
    jobs_revived: int
    approvals_denied: int
    mails_stopped: int


def set_status(db: Database, project_id: UUID, status: Status, by: str, reason: str | None = None) -> LifeChange:
    """Pause, kill or resume a project; the status it has already changes nothing.

    Raises `NotFound`; `Conflict` where it is killed, or where a resume comes before the runs that the pause stopped
    have come to a halt; `InvalidInput` for a status there is not.
    """
    if reason is not None:
        require_storable(reason, "The reason")

    def work() -> LifeChange:
        with translated(), db.transaction() as conn:
            row = conn.execute(
                "select * from public.set_project_status(%s, %s, %s, %s)", [project_id, status, by, reason]
            ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return LifeChange(**row)

    return transiently(work)
