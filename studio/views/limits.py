"""What a project may do and what its end would end: for its settings page."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from studio.database.connection import Database


@dataclass(frozen=True)
class Possible:
    """An action that limits decide on, what it needs, and why the project may not do it now (`refusal`)."""

    action_type: str
    title: str
    phase: int | None
    risk: str
    needs_permission: str | None
    needs_ads_cap: bool
    needs_repo: bool
    needs_shared_runtime: bool
    refusal: str | None


@dataclass(frozen=True)
class Ending:
    """What a pause would stop and a kill would end; `published` says whether there is a page to take down."""

    jobs: int
    approvals: int
    mails: int
    published: bool


def possible(db: Database, project_id: UUID) -> list[Possible]:
    """Return the actions that limits and a packet decide on, in the order of the phases.

    To go back to an earlier page is none: no permission opens it, a failed check offers it, and it always waits for a
    person's yes.
    """
    rows = db.fetch_all(
        "select action_type, title, phase, risk, needs_permission, needs_ads_cap, needs_repo, needs_shared_runtime,"
        " public.action_refusal(%s, action_type) as refusal from public.action_types where pins <> 'publication'"
        " order by phase nulls first, action_type",
        [project_id],
    )
    return [Possible(**row) for row in rows]


def ending(db: Database, project_id: UUID) -> Ending:
    """Count what is open in a project."""
    row = db.fetch_one(
        "select (select count(*)::int from public.agent_jobs where project_id = %(p)s"
        "  and status in ('queued', 'running')) as jobs,"
        " (select count(*)::int from public.approval_queue where project_id = %(p)s and status = 'pending')"
        "  as approvals,"
        " (select count(*)::int from public.email_jobs where project_id = %(p)s and status = 'queued') as mails,"
        " exists (select from public.page_publications where project_id = %(p)s and withdrawn_at is null)"
        "  as published",
        {"p": project_id},
    )
    assert row is not None  # noqa: S101 - counts are a row
    return Ending(**row)
