"""Where the pages of the studio are that letters lead to."""

from __future__ import annotations

from uuid import UUID

from studio.settings import Settings


def project_url(settings: Settings, project_id: UUID) -> str | None:
    """Return the address of a project's page, None where nobody has said where the pages live."""
    base = settings.app_base_url
    return f"{base.rstrip('/')}/projects/{project_id}" if base else None


def inbox_url(settings: Settings) -> str | None:
    """Return the address of the inbox with everything that waits for a decision."""
    base = settings.app_base_url
    return f"{base.rstrip('/')}/inbox" if base else None
