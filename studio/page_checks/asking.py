"""Asking for a page to be checked: by whoever wants to know, and by every publication."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from studio import queue, rollbacks
from studio.builders import CHECK
from studio.database.connection import Connection
from studio.job_types import CHECKS, CheckName
from studio.page_checks.origins import require_visitable
from studio.pages import PublishedPage
from studio.queue import Enqueued, NewJob
from studio.settings import Settings, get_settings


def ask(
    conn: Connection,
    project_id: UUID,
    url: str,
    *,
    checks: Sequence[CheckName] | None = None,
    publication_no: int | None = None,
    occasion: str,
    settings: Settings | None = None,
) -> Enqueued:
    """Enqueue a check of `url` in the caller's transaction, of everything unless `checks` names less.

    On the same occasion the same question is the same job. Raises `InvalidPayload` for what is no address, and
    `InvalidInput` for one that is never visited.
    """
    # A publication's address is the studio's own, also where the studio has moved since.
    if publication_no is None:
        require_visitable(settings or get_settings(), url)
    payload: dict[str, Any] = {
        "url": url,
        # In the order of the registry: however it is said, it is the same question.
        "checks": [check for check in CHECKS if checks is None or check in checks],
        "occasion": occasion,
    }
    if publication_no is not None:
        payload["publicationNo"] = publication_no
    return queue.enqueue(conn, NewJob(CHECK, project_id, payload))


def after_publication(conn: Connection, page: PublishedPage) -> Enqueued:
    """Enqueue the check of what has just been published, in the transaction that published it.

    A question about the page that was live until now ends with it.
    """
    rollbacks.end_outdated(conn, page.project_id)
    return ask(
        conn,
        page.project_id,
        page.live_url,
        publication_no=page.publication_no,
        occasion=f"publication {page.publication_no}",
    )
