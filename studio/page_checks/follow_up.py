"""What a failed check of a publication leads to: the offer to go back to the page before it."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from studio.database.connection import Connection
from studio.rollbacks import propose_rollback


def offer_rollback(
    conn: Connection, project_id: UUID, *, publication_no: int, failed: Sequence[str], job_id: UUID
) -> str:
    """Offer to go back from a publication whose checks named in `failed` failed; return what became of the offer.

    In the caller's transaction. A person decides; nothing is put out by this.
    """
    offer = propose_rollback(conn, project_id, publication_no=publication_no, failed=failed, job_id=job_id)
    return offer.reason if offer.approval_id is None else f"{offer.reason} (approval {offer.approval_id})"
