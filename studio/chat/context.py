"""What the model is told before it answers in the chat: the project, what was said, and what could be proposed.

Read in one transaction that shows one moment. Bounded part by part (domain specification §9), so that a long history
neither slows the first word down nor pushes the project out of the prompt.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from studio import memory
from studio.company import context_in as company_in
from studio.database.connection import Connection, Database
from studio.errors import NotFound, PermissionRefused
from studio.packets.digest import digest
from studio.projects import Project, get_in
from studio.text import clip

# A longer idea has become the packet, of which an excerpt follows.
IDEA_CHARS = 1_500
MISSION_CHARS = 600
PACKET_CHARS = 1_600
# Who it is for and who else does it is asked in every phase, and stands in the packet of the first.
PITCH_CHARS = 700
ASSETS = 12
TURNS = 8
TURN_CHARS = 700
MAILS = 3
MAIL_CHARS = 600

# What an excerpt of a packet begins with, where it has it; the rest follows while there is room.
_FIRST = ("summary", "tagline", "elevator_pitch", "recommendation", "reasoning_synopsis", "landing_page")
_PITCH = ("target_persona", "competitor_analysis", "market_sizing")
# From the most to the least that is shown of a part: entries of a list, characters of a text.
_SIZES = ((4, 240), (3, 120), (2, 80))

_SPEAKERS = {"user": "founder", "assistant": "you"}

_TURNS = """
select m.role, left(m.content, 2000) as content, m.stopped, m.suggestion ->> 'title' as suggested, m.suggestion_state
from public.project_chat_messages m, public.project_chat_messages asked
where m.project_id = %(project)s and asked.id = %(message)s and m.role <> 'system'
  and (m.created_at, m.id) < (asked.created_at, asked.id)
order by m.created_at desc, m.id desc limit %(limit)s
"""
_MAILS = """
select left(content, 2000) as content, created_at from public.project_chat_messages
where project_id = %(project)s and role = 'system' order by created_at desc, id desc limit %(limit)s
"""
_ASSETS = """
select filename, kind, phase from public.project_assets
where project_id = %(project)s and status = 'uploaded' order by created_at desc, id desc limit %(limit)s
"""
_PACKETS = """
select phase, version, confidence, ceo_recommendation as verdict, packet from public.phase_packets p
where project_id = %(project)s and (
  phase = 0 or phase = (select max(n.phase) from public.phase_packets n where n.project_id = p.project_id))
order by phase desc
"""
_ACTIONS = """
select action_type, title, phase, public.action_refusal(%(project)s, action_type) as not_possible
from public.action_types where pins <> 'publication' order by phase nulls last, action_type
"""


@dataclass(frozen=True)
class Conversation:
    """What an answer is made of: the `facts` of its prompt by tag, and what else its job needs to know."""

    owner_clerk_id: str
    message: str
    facts: dict[str, Any]
    newest_phase: int


def load(db: Database, project_id: UUID, message_id: UUID, job_id: UUID) -> Conversation:
    """Return what is to be known to answer a message of the project.

    Raises `NotFound` where it is not a founder's message of this project, `PermissionRefused` where the project is
    not active.
    """
    with db.transaction() as conn:
        conn.execute("set transaction isolation level repeatable read, read only")
        project = get_in(conn, project_id)
        if project.status != "active":
            raise PermissionRefused(f"Project {project.id} is {project.status}.", "Make it active first.")
        asked = conn.execute(
            "select owner_clerk_id, content, job_id from public.project_chat_messages"
            " where id = %s and project_id = %s and role = 'user'",
            [message_id, project_id],
        ).fetchone()
        if asked is None:
            raise NotFound(f"The chat has no message {message_id} to answer.", "Say it again in the chat.")
        packets = conn.execute(_PACKETS, {"project": project_id}).fetchall()
        facts = _facts(conn, project, packets, message_id)
    if asked["job_id"] is None:
        # Another client wrote the message and its job: whoever reads the message shall see how its answer fares.
        db.execute(
            "update public.project_chat_messages set job_id = %s where id = %s and job_id is null", [job_id, message_id]
        )
    facts["message"] = asked["content"]
    return Conversation(asked["owner_clerk_id"], asked["content"], facts, packets[0]["phase"] if packets else 0)


def _facts(conn: Connection, project: Project, packets: Sequence[dict[str, Any]], message_id: UUID) -> dict[str, Any]:
    def rows(query: Any, limit: int = 0) -> list[dict[str, Any]]:
        values = {"project": project.id, "message": message_id, "limit": limit}
        return conn.execute(query, values).fetchall()

    return {
        "project": {
            "name": project.name,
            "phase": project.phase,
            "domain": project.domain,
            "live_url": project.live_url,
            "mission": _mission(conn, project.id),
        },
        "idea": clip(project.idea_description, IDEA_CHARS),
        # Tasks, approvals, figures, actions, mail and events stand in it, each with room of its own.
        "company": company_in(conn, project.id),
        "packet": excerpt(packets[0]) if packets else None,
        "packets": {"phase_0": excerpt(packets[1], PITCH_CHARS, _PITCH)} if len(packets) > 1 else None,
        "memory": memory.prompt_block(memory.recall_in(conn, project.id)),
        "assets": [_given(row) for row in rows(_ASSETS, ASSETS)] or None,
        "actions": [_given(row) for row in rows(_ACTIONS)],
        "mail": [_mail(row) for row in reversed(rows(_MAILS, MAILS))] or None,
        "conversation": [_turn(row) for row in reversed(rows(_TURNS, TURNS))] or None,
    }


def excerpt(row: dict[str, Any], room: int = PACKET_CHARS, first: Sequence[str] = _FIRST) -> dict[str, Any]:
    """Return the parts of a packet that say most, those of `first` first, as JSON of at most `room` characters."""
    shown: dict[str, Any] = {key: row[key] for key in ("phase", "version", "confidence", "verdict")}
    content = digest(row["packet"]) if isinstance(row["packet"], dict) else {}
    # Beyond any packet of ours the digest is a text.
    parts = content if isinstance(content, dict) else {"text": content}
    for key in sorted(parts, key=lambda name: first.index(name) if name in first else len(first)):
        for entries, chars in _SIZES:
            grown = {**shown, key: _shortened(parts[key], entries, chars)}
            if len(json.dumps(grown, ensure_ascii=False)) <= room:
                shown = grown
                break
    return shown


def _shortened(value: Any, entries: int, chars: int) -> Any:
    if isinstance(value, str):
        return clip(value, chars)
    if isinstance(value, list):
        return [_shortened(item, entries, chars) for item in value[:entries]]
    if isinstance(value, dict):
        return {key: _shortened(item, entries, chars) for key, item in value.items()}
    return value


def _turn(row: dict[str, Any]) -> dict[str, Any]:
    turn: dict[str, Any] = {"by": _SPEAKERS[row["role"]], "said": clip(row["content"], TURN_CHARS)}
    if row["stopped"]:
        turn["stopped"] = True
    if row["suggested"]:
        turn["suggested"] = f"{row['suggested']} ({row['suggestion_state']})"
    return turn


def _mail(row: dict[str, Any]) -> dict[str, Any]:
    return {"at": f"{row['created_at']:%Y-%m-%d %H:%M}", "text": clip(row["content"], MAIL_CHARS)}


def _mission(conn: Connection, project_id: UUID) -> str | None:
    row = conn.execute(
        "select left(mission_markdown, 1000) as mission from public.project_brain_documents where project_id = %s",
        [project_id],
    ).fetchone()
    return clip(row["mission"], MISSION_CHARS) if row and row["mission"] else None


def _given(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if value is not None}
