"""The names of projects, for lists that go across them."""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from studio.database.connection import Database
from studio.text import clip

# As much as tells one project from another; `projects list` has all of it.
NAME_CHARS = 40


def project_names(db: Database, project_ids: Iterable[UUID]) -> dict[UUID, str]:
    """Return the names of projects by id; one that is gone is not among them."""
    rows = db.fetch_all("select id, name from public.projects where id = any (%s)", [list(set(project_ids))])
    return {row["id"]: row["name"] for row in rows}


def short_name(names: dict[UUID, str], project_id: UUID) -> str | None:
    """Return a project's name as a list shows it."""
    name = names.get(project_id)
    return None if name is None else clip(" ".join(name.split()), NAME_CHARS)
