"""Published pages: what the world sees of a project, and how it goes back to what it saw before.

Publishing and going back are SQL functions, so that no client can put out bytes that nobody approved;
`project_deployments` holds the current page, `page_publications` every one there was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.database.errors import translated
from studio.errors import InvalidInput
from studio.text import require_storable, sha256_hex


@dataclass(frozen=True)
class PublishedPage:
    """A publication. `restores_no` is the one that a rollback brought back; `current` where it is live now."""

    project_id: UUID
    publication_no: int
    live_url: str
    content_hash: str
    restores_no: int | None
    asset_id: UUID | None
    approval_id: UUID | None
    published_by: str
    published_at: datetime
    current: bool


@dataclass(frozen=True)
class LivePage:
    """What a visitor gets. `content_hash` is that of `html`, whoever wrote the row."""

    project_id: UUID
    html: str
    content_hash: str
    deployed_at: datetime


def publish(
    conn: Connection,
    project_id: UUID,
    *,
    asset_id: UUID | None,
    content_hash: str,
    html: str,
    approval_id: UUID | None,
    base_url: str,
    by: str = "studio",
) -> PublishedPage:
    """Publish `html`, whose SHA-256 in hex is `content_hash`, in the caller's transaction.

    The same approval publishes once: a second call returns its publication and changes nothing, also where
    somebody has gone back since. Raise `InvalidInput` where the hash is not that of the page, `NotFound` where
    there is no such project.
    """
    if not base_url.startswith(("http://", "https://")):
        raise InvalidInput(f"{base_url!r} is not the address of a site.", "Give one like https://pages.example.org.")
    require_storable(html, "The page")
    with translated():
        row = conn.execute(
            "select * from public.publish_page(%s, %s, %s, %s, %s, %s, %s)",
            [project_id, html, content_hash, base_url, asset_id, approval_id, by],
        ).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return _publication(row)


def current(conn: Connection, project_id: UUID) -> PublishedPage | None:
    """Return the publication that the world sees, as the caller's transaction sees it; None where there is none."""
    row = conn.execute(
        "select * from public.page_publications where project_id = %s and withdrawn_at is null", [project_id]
    ).fetchone()
    return _publication(row) if row else None


def held(conn: Connection, project_id: UUID) -> PublishedPage | None:
    """Return what `current` returns, and let nobody publish or go back until the caller's transaction ends."""
    conn.execute("select from public.projects where id = %s for no key update", [project_id])
    return current(conn, project_id)


def before(conn: Connection, project_id: UUID) -> PublishedPage | None:
    """Return the publication that a rollback leads to where none is named; None where there is none."""
    row = conn.execute(
        "select * from public.page_publications where project_id = %(project)s"
        " and publication_no = public.publication_before(%(project)s)",
        {"project": project_id},
    ).fetchone()
    return _publication(row) if row else None


def rollback(conn: Connection, project_id: UUID, *, to: int | None = None, by: str) -> PublishedPage:
    """Publish an earlier publication again, in the caller's transaction: number `to`, or what was live `before`.

    Called again it goes back further, and never to a page that was taken back in between. Raise `Conflict` where there
    is nothing to go back to and where the project is killed, whose page nobody sees any more, `NotFound` where there
    is no such project.
    """
    with translated():
        row = conn.execute("select * from public.roll_back_page(%s, %s, %s)", [project_id, by, to]).fetchone()
    assert row is not None  # noqa: S101 - the function returns a row or raises
    return _publication(row)


def published(db: Database, project_id: UUID) -> LivePage | None:
    """Return a project's live page; None where none is published or the project has been killed."""
    row = db.fetch_one(
        "select d.html_content, d.deployed_at from public.project_deployments d"
        " join public.projects p on p.id = d.project_id"
        " where d.project_id = %s and d.status = 'ready' and p.status <> 'killed'",
        [project_id],
    )
    if row is None:
        return None
    return LivePage(project_id, row["html_content"], sha256_hex(row["html_content"]), row["deployed_at"])


def history(db: Database, project_id: UUID) -> list[PublishedPage]:
    """Return a project's publications, newest first."""
    rows = db.fetch_all(
        "select * from public.page_publications where project_id = %s order by publication_no desc", [project_id]
    )
    return [_publication(row) for row in rows]


def count_visit(db: Database, project_id: UUID, *, address: str, user_agent: str) -> bool:
    """Count a visit as traffic, at most one per visitor and day; return whether it was counted.

    Who it was is not kept: a visitor is a hash of network address and browser, with a salt that lives for a day.
    """
    row = db.fetch_one(
        "select public.count_page_visit(%s, %s, %s) as counted",
        [project_id, f"{address} {user_agent}", address],
    )
    return bool(row and row["counted"])


def _publication(row: dict[str, Any]) -> PublishedPage:
    values = {name: row[name] for name in PublishedPage.__dataclass_fields__ if name != "current"}
    return PublishedPage(**values, current=row["withdrawn_at"] is None)
