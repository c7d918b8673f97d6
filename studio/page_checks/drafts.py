"""The page as it was approved, to which the live one is compared."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from studio import assets
from studio.database.connection import Database
from studio.errors import NotFound, StorageError
from studio.page_checks.origins import published_project
from studio.settings import Settings
from studio.storage import Storage

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Draft:
    """The bytes of a publication as they were approved; None where there is nothing to compare with, and why."""

    html: bytes | None
    publication_no: int | None
    why_not: str = ""


def approved(
    db: Database, settings: Settings, storage: Storage, project_id: UUID, url: str, publication_no: int | None
) -> Draft:
    """Return the approved draft of the publication that `url` shows.

    Its bytes are those of the asset that the publication pins; where that is gone, those that went out, whose hash
    the database has checked against the approval's.
    """
    if published_project(settings, url) != project_id:
        return Draft(None, None, "The page is no publication of this project, so no draft of it was approved.")
    row = db.fetch_one(
        "select publication_no, html, asset_id, withdrawn_at from public.page_publications"
        " where project_id = %(project)s and case when %(no)s::integer is null then withdrawn_at is null"
        " else publication_no = %(no)s end",
        {"project": project_id, "no": publication_no},
    )
    if row is None:
        return Draft(None, publication_no, "There is no such publication, so no draft of it was approved.")
    number = row["publication_no"]
    if row["withdrawn_at"] is not None:
        return Draft(None, number, f"Publication {number} has been replaced since, so its draft says nothing.")
    if row["asset_id"] is not None:
        try:
            # Checks the bytes against the asset's own hash.
            return Draft(assets.content(storage, assets.get(db, row["asset_id"])), number)
        except (NotFound, StorageError) as exc:
            log.warning("publication %s is compared with what went out, not with its draft: %s", number, exc)
    return Draft(row["html"].encode(), number)
