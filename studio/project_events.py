"""The project ledger: one row per thing that happened to a project, written in the transaction that did it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from studio.database.connection import Connection
from studio.text import clip, storable, storable_json

MESSAGE_LIMIT = 500


def record(
    conn: Connection, project_id: UUID, event_type: str, message: str, data: dict[str, Any] | None = None
) -> None:
    """Append to `project_events` in the caller's transaction (domain specification §10)."""
    conn.execute(
        "insert into public.project_events (project_id, event_type, message, data) values (%s, %s, %s, %s::jsonb)",
        [project_id, event_type, clip(storable(message), MESSAGE_LIMIT), json.dumps(storable_json(data or {}))],
    )
