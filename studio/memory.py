"""Agent memory: what a project's agents have learned, one value per category and key, the newest wins."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.text import clip, storable

Category = Literal["fact", "preference", "decision", "learning", "context"]

# Domain specification §10: the newest hundred are read, forty reach a prompt.
READ_LIMIT = 100
PROMPT_LIMIT = 40
VALUE_LIMIT = 2000


@dataclass(frozen=True)
class Memory:
    """One remembered value."""

    category: str
    key: str
    value: str
    agent_key: str
    confidence: float


def remember(
    conn: Connection,
    project_id: UUID,
    category: Category,
    key: str,
    value: str,
    *,
    agent_key: str,
    job_id: UUID | None = None,
    confidence: float = 1.0,
) -> None:
    """Store or replace the value of (category, key), in the caller's transaction."""
    conn.execute(
        "insert into public.agent_memory (project_id, category, key, value, agent_key, source_job_id, confidence)"
        " values (%s, %s, %s, %s, %s, %s, %s) on conflict (project_id, category, key) do update set"
        " value = excluded.value, agent_key = excluded.agent_key, source_job_id = excluded.source_job_id,"
        " confidence = excluded.confidence, updated_at = now()",
        [project_id, category, key, clip(storable(value), VALUE_LIMIT), agent_key, job_id, confidence],
    )


def recall(db: Database, project_id: UUID, limit: int = READ_LIMIT) -> list[Memory]:
    """Return the newest memories of a project."""
    rows = db.fetch_all(
        "select category, key, value, agent_key, confidence from public.agent_memory"
        " where project_id = %s order by updated_at desc, key limit %s",
        [project_id, limit],
    )
    return [Memory(**row) for row in rows]


def prompt_block(memories: list[Memory]) -> str:
    """Return the memories as a prompt shows them, grouped by category; empty where there are none."""
    chosen = sorted(memories[:PROMPT_LIMIT], key=lambda m: (m.category, m.key))
    lines: list[str] = []
    for category, group in groupby(chosen, key=lambda m: m.category):
        lines.append(f"{category}:")
        lines += [f"- {memory.key}: {memory.value}" for memory in group]
    return "\n".join(lines)
