"""Agent memory: what a project's agents have learned, one value per category and key, the newest wins.

Every value is data to whoever reads it. Those that repeat somebody outside (a mail, a web page) say so, and never
replace what an agent of the studio or the founder has said under the same key.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from uuid import UUID

from studio.database.connection import Connection, Database
from studio.errors import InvalidInput
from studio.text import clip, one_line, require_storable, storable

Category = Literal["fact", "preference", "decision", "learning", "context"]
Origin = Literal["agent", "founder", "mail", "web"]

CATEGORIES: tuple[Category, ...] = ("fact", "preference", "decision", "learning", "context")
OUTSIDE: frozenset[str] = frozenset({"mail", "web"})

# Domain specification §10: the newest hundred are read, forty reach a prompt.
READ_LIMIT = 100
PROMPT_LIMIT = 40
VALUE_LIMIT = 2000
# The key is a part of an index, whose entries are bounded.
KEY_LIMIT = 200
# A prompt shows the beginning of a long value, so that one of them cannot push out all others; forty ordinary
# ones stay far below the second bound.
PROMPT_VALUE_CHARS = 600
PROMPT_CHARS = 10_000


@dataclass(frozen=True)
class Memory:
    """One remembered value. `origin` says whose words it repeats."""

    category: str
    key: str
    value: str
    agent_key: str
    confidence: float
    origin: str = "agent"


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
    origin: Origin = "agent",
) -> bool:
    """Store or replace the value of (category, key), in the caller's transaction; return whether it was stored.

    It is not where it comes from outside and the studio or the founder has said something else. A job remembers in
    a transaction of its claim, so that one that was overtaken replaces nothing. Longer values are cut at 2,000
    characters. Raises `InvalidInput` for a category, key or confidence that cannot be stored.
    """
    if category not in CATEGORIES:
        raise InvalidInput(f"There is no memory category {category!r}.", f"Use one of {', '.join(CATEGORIES)}.")
    require_storable(key, "A memory's key")
    if not 0 < len(key) <= KEY_LIMIT:
        raise InvalidInput(f"A memory's key has 1 to {KEY_LIMIT} characters, this one {len(key)}.", "Shorten it.")
    if not 0 <= confidence <= 1:
        raise InvalidInput(f"A memory's confidence lies between 0 and 1, not at {confidence}.", "Give a share.")
    row = conn.execute(
        "select public.remember_agent_memory(%s, %s, %s, %s, %s, %s, %s, %s) as stored",
        [project_id, category, key, clip(storable(value), VALUE_LIMIT), agent_key, job_id, confidence, origin],
    ).fetchone()
    return bool(row and row["stored"])


def recall(db: Database, project_id: UUID, limit: int = READ_LIMIT) -> list[Memory]:
    """Return the newest memories of a project, of whatever other clients have stored the first 2,000 characters."""
    with db.connection() as conn:
        return recall_in(conn, project_id, limit)


def recall_in(conn: Connection, project_id: UUID, limit: int = READ_LIMIT) -> list[Memory]:
    """Return the newest memories of a project as the caller's transaction sees them; see `recall`."""
    rows = conn.execute(
        "select category, key, left(value, %(chars)s) as value, agent_key, confidence, origin"
        " from public.agent_memory where project_id = %(project)s order by updated_at desc, category, key"
        " limit %(limit)s",
        {"project": project_id, "limit": limit, "chars": VALUE_LIMIT},
    ).fetchall()
    return [Memory(**row) for row in rows]


def prompt_block(memories: list[Memory]) -> str:
    """Return the memories as a prompt shows them, grouped by category; empty where there are none.

    The newest forty are shown, fewer where they are long. Each stands on one line, so that a value can neither
    begin a category nor pass for another value; less than full confidence and words from outside are marked.
    """
    chosen: list[tuple[Memory, str]] = []
    room = PROMPT_CHARS
    for memory in memories[:PROMPT_LIMIT]:
        line = _line(memory)
        room -= len(line) + 1
        if room < 0:
            break
        chosen.append((memory, line))
    chosen.sort(key=lambda entry: (entry[0].category, entry[0].key))
    lines: list[str] = []
    for category, group in groupby(chosen, key=lambda entry: entry[0].category):
        lines.append(f"{category}:")
        lines += [line for _, line in group]
    return "\n".join(lines)


def _line(memory: Memory) -> str:
    marks = [f"confidence {memory.confidence:.2f}"] if memory.confidence < 1 else []
    if memory.origin in OUTSIDE:
        marks.append(f"words from outside: {memory.origin}")
    elif memory.origin == "founder":
        marks.append("said by the founder")
    mark = f" ({', '.join(marks)})" if marks else ""
    return f"- {one_line(memory.key, KEY_LIMIT)}{mark}: {one_line(memory.value, PROMPT_VALUE_CHARS)}"
