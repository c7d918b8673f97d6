"""What a failed check of a publication leads to: the offer to go back to the page before it, where that may help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from studio.database.connection import Connection
from studio.job_types import CheckName
from studio.rollbacks import propose_rollback

# Wall-clock times, which a machine with other things to do makes as long as those of a slow page.
_OF_THE_MACHINE: frozenset[CheckName] = frozenset({"web_vitals"})
# What the studio's pages never answer with by themselves, whatever is on them.
_NO_PAGE = 400


def helpless(results: Sequence[Mapping[str, Any]], failed: Sequence[str], final_url: str | None) -> str | None:
    """Say why the page before would have failed the same way; None where it may not have.

    `results` are a check's as its row keeps them, `failed` the checks of these that failed.
    """
    if final_url is None:
        return "nothing answered, and would not answer with an earlier page either"
    status = _status(results)
    if status is not None and status >= _NO_PAGE:
        return f"the address answered with status {status}, which is no page's doing"
    if _OF_THE_MACHINE.issuperset(failed):
        return f"only {', '.join(failed)} failed, whose times may be those of the machine that measured them"
    return None


def offer_rollback(
    conn: Connection, project_id: UUID, *, publication_no: int, failed: Sequence[str], job_id: UUID
) -> str:
    """Offer to go back from a publication whose checks named in `failed` failed; return what became of the offer.

    In the caller's transaction. A person decides; nothing is put out by this.
    """
    offer = propose_rollback(conn, project_id, publication_no=publication_no, failed=failed, job_id=job_id)
    return offer.reason if offer.approval_id is None else f"{offer.reason} (approval {offer.approval_id})"


def _status(results: Sequence[Mapping[str, Any]]) -> int | None:
    """Return the status of the page itself; None where nobody looked for it."""
    for result in results:
        if result["check"] == "screenshot":
            status = result["evidence"].get("status")
            return status if isinstance(status, int) else None
    return None
