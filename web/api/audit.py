"""Who has changed a project's life, permissions, budget, mail and page: `GET /api/projects/{project_id}/audit`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request

from studio import permissions
from web.api.routing import owner_router
from web.api.wire import Answer, Object
from web.errors import NAMED
from web.identity.owner import OwnProject
from web.studio_site import studio_site

router = owner_router("limits")

PAGE = 100
PAGE_LIMIT = 1000


class AuditEntryAnswer(Answer):
    """A change: who made it, from what to what, and why."""

    id: UUID
    actor: str
    what: str
    before: Any
    after: Any
    reason: str | None
    details: Object
    created_at: datetime


class AuditAnswer(Answer):
    """The newest changes first."""

    entries: list[AuditEntryAnswer]


@router.get("/api/projects/{project_id}/audit", responses=NAMED)
def list_changes(
    project: OwnProject, request: Request, limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
) -> AuditAnswer:
    """Return the newest changes of the project's limits."""
    found = permissions.audit(studio_site(request).db, project.id, limit)
    return AuditAnswer(entries=[AuditEntryAnswer.model_validate(entry) for entry in found])
