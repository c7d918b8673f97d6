"""What a failed check of a publication leads to: the offer to go back to the page before it, where that may help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from studio.database.connection import Connection
from studio.job_types import CheckName
from studio.rollbacks import propose_rollback

# What the studio's pages never answer with by themselves, whatever is on them.
_NO_PAGE = 400


def helpless(results: Sequence[Mapping[str, Any]], failed: Sequence[str], final_url: str | None) -> str | None:
    """Say why the page before would have failed the same way; None where it may not have.

    `results` are a check's as its row keeps them, `failed` the checks of these that failed.
    """
    page = _evidence(results, "screenshot")
    status, hops = page.get("status"), page.get("hops", [])
    if status is not None and status >= _NO_PAGE:
        return f"the address answered with status {status}, which is no page's doing"
    if final_url is None and not page.get("ended"):
        if len(hops) > 1:
            return f"the address led on to {hops[-1]}, which is no page's doing, and there was no page"
        if status is None:
            return "nothing answered, and would not answer with an earlier page either"
    if list(failed) == ["web_vitals"] and _is_of_the_machine(_evidence(results, "web_vitals")):
        return "only web_vitals failed, whose times may be those of the machine that measured them"
    return None


def offer_rollback(
    conn: Connection, project_id: UUID, *, publication_no: int, failed: Sequence[str], job_id: UUID
) -> str:
    """Offer to go back from a publication whose checks named in `failed` failed; return what became of the offer.

    In the caller's transaction. A person decides; nothing is put out by this.
    """
    offer = propose_rollback(conn, project_id, publication_no=publication_no, failed=failed, job_id=job_id)
    return offer.reason if offer.approval_id is None else f"{offer.reason} (approval {offer.approval_id})"


def _is_of_the_machine(vitals: Mapping[str, Any]) -> bool:
    """Say whether nothing but wall-clock times can have failed: other work of the machine makes them long as well.

    What moves about on a page or is never painted, and a page that keeps its thread, do so on any machine.
    """
    painted = vitals.get("largest_paint_ms") is not None
    return painted and vitals["layout_shift"] <= vitals["limits"]["layout_shift"]


def _evidence(results: Sequence[Mapping[str, Any]], check: CheckName) -> Mapping[str, Any]:
    """Return what a check has seen; nothing where it was not asked for."""
    return next((result["evidence"] for result in results if result["check"] == check), {})
