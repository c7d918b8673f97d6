"""What a night leaves in the tables, and a project in whose night everything happens."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from studio.database.connection import Database
from tests.support.night import action, draft, packet, project, reader, rows

TRACES = ("approval_queue", "tasks", "task_log", "project_events", "agent_memory", "email_jobs")


def events(db: Database, project_id: UUID, kind: str) -> list[dict[str, Any]]:
    return [row for row in rows(db, "project_events", project_id) if row["event_type"] == kind]


def counts(db: Database, project_id: UUID) -> dict[str, int]:
    return {table: len(rows(db, table, project_id)) for table in TRACES}


def eventful(db: Database) -> UUID:
    """Return a project in whose night everything happens: proposals, advice, memory and a mail."""
    made = project(db)
    reader(db, made)
    draft(db, made)
    packet(db, made, 1, action("send_welcome_email_sequence"), words=["Talk to five customers"])
    return made
