"""What was said in a project's chat, page by page, and how a founder says something."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString
from uuid import UUID, uuid4

from studio.approvals import hold_active_project
from studio.chat.suggestions import Suggestion, unknown
from studio.database.connection import Connection, Database
from studio.errors import InvalidInput
from studio.job_types import MESSAGE_LIMIT
from studio.project_events import record
from studio.queue import Enqueued, JobStatus, NewJob, enqueue
from studio.text import require_storable

JOB_TYPE = "chat.reply"
PAGE = 50
# A screen shows far fewer; the bound keeps one request from reading a whole history.
PAGE_LIMIT = 200

Role = Literal["user", "assistant", "system"]

_MESSAGES: LiteralString = """
select m.id, m.role, m.content, m.reply_to, m.stopped, m.created_at, m.suggestion, m.suggestion_state,
       m.suggestion_note, m.approval_id, m.job_id, j.status as job_status,
       case when j.status <> 'completed' then j.last_error end as job_error
from public.project_chat_messages m left join public.agent_jobs j on j.id = m.job_id
where m.project_id = %(project)s
"""
_OLDER: LiteralString = """
  and (m.created_at, m.id) < (select b.created_at, b.id from public.project_chat_messages b where b.id = %(before)s)
"""
_NEWEST_FIRST: LiteralString = " order by m.created_at desc, m.id desc limit %(limit)s"


@dataclass(frozen=True)
class ChatMessage:
    """A message of the conversation.

    `role` is `user` (the founder), `assistant` (the studio) or `system` (a mirrored mail or a notice: somebody else's
    words). Of a user's message `job_id`, `job_status` and `job_error` tell how its answer fares: a failed one says so
    here. They are None where another client wrote the message. `stopped` marks an answer that a person has stopped:
    its content is what had been streamed until then.
    """

    id: UUID
    role: Role
    content: str
    reply_to: UUID | None
    job_id: UUID | None
    job_status: JobStatus | None
    job_error: str | None
    stopped: bool
    suggestion: Suggestion | None
    created_at: datetime


@dataclass(frozen=True)
class Page:
    """A page of the conversation, the oldest message first; `has_more` says whether there are older ones."""

    messages: list[ChatMessage]
    has_more: bool


@dataclass(frozen=True)
class Posted:
    """What became of a message: its id, and the job that answers it."""

    message_id: UUID
    job: Enqueued


def post(conn: Connection, project_id: UUID, owner_clerk_id: str, message: str) -> Posted:
    """Say something in a project's chat and enqueue the answer, in the caller's transaction (seed plan §5.4).

    The message is stripped. Raises `InvalidInput` where it is empty, longer than 3,000 characters or cannot be
    stored, `NotFound`, and `PermissionRefused` for a project that is not active.
    """
    text = require_storable(message, "The message").strip()
    if not 0 < len(text) <= MESSAGE_LIMIT:
        raise InvalidInput(
            f"The message has {len(text):,} characters; at most {MESSAGE_LIMIT:,} are allowed."
            if text
            else "The message is empty.",
            "Shorten it, or send it in parts." if text else "Write something.",
        )
    hold_active_project(conn, project_id)
    message_id = uuid4()
    payload = {"ownerClerkId": owner_clerk_id, "userMessageId": str(message_id), "message": text}
    job = enqueue(conn, NewJob(JOB_TYPE, project_id, payload))
    conn.execute(
        "insert into public.project_chat_messages (id, project_id, owner_clerk_id, role, content, job_id)"
        " values (%s, %s, %s, 'user', %s, %s)",
        [message_id, project_id, owner_clerk_id, text, job.job_id],
    )
    record(
        conn,
        project_id,
        "chat.user_message",
        # Not the words: agents read the ledger, and the one that answers would hear them twice (D36).
        "The founder wrote in the chat.",
        {"message_id": str(message_id), "job_id": str(job.job_id), "by": owner_clerk_id},
    )
    return Posted(message_id, job)


def page(db: Database, project_id: UUID, *, before: UUID | None = None, limit: int = PAGE) -> Page:
    """Return the newest messages of a project, or those before the message `before`, the oldest first.

    At most 200 at a time. Raises `InvalidInput` for another limit, `NotFound` where `before` is no message of the
    project.
    """
    if not 1 <= limit <= PAGE_LIMIT:
        raise InvalidInput(f"A page has 1 to {PAGE_LIMIT} messages, not {limit}.", "Ask for the next page instead.")
    with db.connection() as conn:
        if before is not None:
            _require_message(conn, project_id, before)
        # One more than asked for tells whether there are more.
        query = _MESSAGES + (_OLDER if before is not None else "") + _NEWEST_FIRST
        rows = conn.execute(query, {"project": project_id, "before": before, "limit": limit + 1}).fetchall()
    return Page([_message(row) for row in reversed(rows[:limit])], len(rows) > limit)


def get(db: Database, project_id: UUID, message_id: UUID) -> ChatMessage:
    """Return one message of the project, or raise `NotFound`."""
    row = db.fetch_one(_MESSAGES + " and m.id = %(id)s", {"project": project_id, "id": message_id})
    if row is None:
        raise unknown(message_id)
    return _message(row)


def answer_to(db: Database, project_id: UUID, message_id: UUID) -> ChatMessage | None:
    """Return the answer to a message of the project, None where there is none yet."""
    row = db.fetch_one(_MESSAGES + " and m.reply_to = %(id)s", {"project": project_id, "id": message_id})
    return None if row is None else _message(row)


def _require_message(conn: Connection, project_id: UUID, message_id: UUID) -> None:
    query = "select 1 from public.project_chat_messages where id = %s and project_id = %s"
    if conn.execute(query, [message_id, project_id]).fetchone() is None:
        raise unknown(message_id)


def _message(row: dict[str, Any]) -> ChatMessage:
    values = {name: row[name] for name in ChatMessage.__dataclass_fields__ if name != "suggestion"}
    return ChatMessage(**values, suggestion=Suggestion.of_row(row))
