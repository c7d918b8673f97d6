"""What the benchmarks work on."""

from __future__ import annotations

from uuid import UUID, uuid4

from studio.database.connection import Database


def make_project(db: Database) -> UUID:
    """Insert a project without budget or ledger, and return its id."""
    project_id = uuid4()
    db.execute(
        "insert into public.projects (id, owner_clerk_id, name, idea_description)"
        " values (%s, 'bench', 'bench', 'bench')",
        [project_id],
    )
    return project_id
