"""Decisions: what a person says to an approval, with everything that follows from it, in one transaction.

The thin face of the SQL function `decide_approval` (migration `approvals`), which other clients call through
PostgREST. A decision names the version of the approval that was shown; where it is another by now, nothing happens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from studio.database.connection import Database
from studio.database.errors import translated
from studio.queue import Outcome, transiently
from studio.text import require_storable

DecisionKind = Literal["approved", "denied", "revised"]
DECISIONS: tuple[DecisionKind, ...] = ("approved", "denied", "revised")


@dataclass(frozen=True)
class Decision:
    """A decision that was made. `version` is the approval's now; `job_id` is the job that follows, None without one.

    `project_phase` 4 means that the project is live.
    """

    approval_id: UUID
    project_id: UUID
    status: DecisionKind
    version: int
    project_phase: int
    job_id: UUID | None
    job_outcome: Outcome | None


def decide(
    db: Database,
    approval_id: UUID,
    decision: DecisionKind,
    *,
    version: int,
    decided_by: str,
    guidance: str | None = None,
) -> Decision:
    """Decide a pending approval as its `version` was shown.

    An approved gate moves the project on and enqueues the next packet, an approved action enqueues its execution, a
    revision enqueues a new packet with the guidance that it must have. Raises `DecisionConflict` with the version to
    look at, `PermissionRefused` where the project's life or permissions forbid it, `Conflict` for a gate of another
    phase, `InvalidInput`, `NotFound`.
    """
    for text, what in ((guidance, "The guidance"), (decided_by, "The id of who decides")):
        if text is not None:
            require_storable(text, what)

    def work() -> Decision:
        with translated(), db.transaction() as conn:
            row = conn.execute(
                "select * from public.decide_approval(%s, %s, %s, %s, %s)",
                [approval_id, decision, version, decided_by, guidance],
            ).fetchone()
        assert row is not None  # noqa: S101 - the function returns a row or raises
        return Decision(**row)

    return transiently(work)
