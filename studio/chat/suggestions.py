"""Suggestions: what an answer of the chat proposes to do, and how a person makes an approval of it.

An answer only suggests. A person who confirms is asked once more, by the approval that this opens, which shows exactly
what would be carried out; so neither a word in a message nor one in a mail can act (domain specification D35, D43).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from typing import Any, Literal, cast
from uuid import UUID

from studio.database.connection import Connection
from studio.errors import Conflict, InvalidInput, NotFound
from studio.mail.phases import NAMES
from studio.memory import remember
from studio.project_events import record
from studio.proposals import DESCRIPTIONS, REFINE, Proposal, propose, require_guidance
from studio.text import sha256_hex

State = Literal["open", "confirmed", "refused", "dismissed"]
# Shown beside the button, and stored as the approval's description.
RATIONALE_LIMIT = 320
SOURCE = "ceo_chat"


@dataclass(frozen=True)
class Wish:
    """What is wanted: an action, why, and for a refinement what should be different in the packet of which phase."""

    action_type: str
    rationale: str
    phase: int
    guidance: str | None = None


@dataclass(frozen=True)
class Suggestion:
    """A suggestion with its state.

    `open`: it waits for the founder; `confirmed`: it became `approval_id`; `refused`: he confirmed it and it could not
    be asked, `note` says why, and he may confirm it again; `dismissed`: he does not want it.
    """

    action_type: str
    title: str
    rationale: str
    phase: int
    guidance: str | None
    state: State
    note: str | None
    approval_id: UUID | None

    @property
    def decidable(self) -> bool:
        """Whether it may be confirmed or dismissed."""
        return self.state in ("open", "refused")

    @classmethod
    def of_row(cls, row: dict[str, Any]) -> Suggestion | None:
        """Return the suggestion of a row of `project_chat_messages`, None where it has none that can be read."""
        stored = row["suggestion"]
        if stored is None:
            return None
        phase, guidance = stored.get("phase"), stored.get("guidance")
        return cls(
            action_type=str(stored.get("action_type") or ""),
            title=str(stored.get("title") or ""),
            rationale=str(stored.get("rationale") or ""),
            phase=phase if isinstance(phase, int) else 0,
            guidance=guidance if isinstance(guidance, str) else None,
            state=cast("State", row["suggestion_state"]),
            note=row["suggestion_note"],
            approval_id=row["approval_id"],
        )

    @property
    def wish(self) -> Wish:
        """What it suggests, without what became of it."""
        return Wish(self.action_type, self.rationale, self.phase, self.guidance)


class _Over(Exception):
    """Rolls a trial back."""


@dataclass(frozen=True)
class Examined:
    """Whether a wish can be suggested: `title` names the action where it can, `problem` says why it cannot."""

    title: str | None
    problem: str | None


def examine(conn: Connection, project_id: UUID, wish: Wish, *, by: str) -> Examined:
    """Say whether the founder could confirm `wish` now, by asking for it and taking that back.

    So the rules are those of an approval, none forgotten: permissions, obstacles, the packet, what is pending.
    """
    made: Proposal | None = None
    with contextlib.suppress(_Over), conn.transaction():
        made = _ask(conn, project_id, wish, by=by)
        raise _Over
    assert made is not None  # noqa: S101 - the transaction ends by `_Over` or raises
    if made.outcome != "created":
        return Examined(None, made.reason)
    return Examined(_title(conn, wish), None)


def stored(wish: Wish, title: str) -> dict[str, Any]:
    """Return a suggestion as the column holds it."""
    found = {"action_type": wish.action_type, "title": title, "rationale": wish.rationale, "phase": wish.phase}
    return found if wish.guidance is None else {**found, "guidance": wish.guidance}


def confirm(conn: Connection, project_id: UUID, message_id: UUID, *, by: str) -> Proposal:
    """Make an approval of what a message suggests, in the caller's transaction; `by` is the person who wants it.

    Confirming again returns the same approval. What cannot be asked comes back as `refused` with its reason, which the
    suggestion keeps, and may be confirmed again. Raises `NotFound` for an unknown message or one without a suggestion,
    `Conflict` where it was dismissed.
    """
    suggestion = _held(conn, project_id, message_id)
    if suggestion.state == "dismissed":
        raise Conflict("This suggestion was dismissed.", "Ask for it again in the chat.")
    if suggestion.state == "confirmed":
        return Proposal(
            "pending", suggestion.approval_id, "It was confirmed already.", action_type=suggestion.action_type
        )
    made = _ask(conn, project_id, suggestion.wish, by=by)
    if made.outcome == "refused":
        _settle(conn, message_id, "refused", note=made.reason)
        return made
    _settle(conn, message_id, "confirmed", approval_id=made.approval_id)
    record(
        conn,
        project_id,
        "chat.suggestion_confirmed",
        f"Confirmed in the chat: {suggestion.title}",
        {**_told(message_id, suggestion), "approval_id": str(made.approval_id), "by": by},
    )
    remember(
        conn,
        project_id,
        "learning",
        f"chat_action_{suggestion.action_type}",
        f"The founder confirmed in the chat: {suggestion.title}. {suggestion.rationale}",
        agent_key="ceo",
    )
    return made


def dismiss(conn: Connection, project_id: UUID, message_id: UUID, by: str) -> None:
    """Put a suggestion aside, in the caller's transaction; a second time changes nothing.

    Raises `NotFound` as `confirm`, and `Conflict` where it was confirmed: then its approval is to be denied.
    """
    suggestion = _held(conn, project_id, message_id)
    if suggestion.state == "confirmed":
        raise Conflict("This suggestion was confirmed.", f"Deny approval {suggestion.approval_id} in the inbox.")
    if suggestion.state == "dismissed":
        return
    _settle(conn, message_id, "dismissed", note=suggestion.note)
    record(
        conn,
        project_id,
        "chat.suggestion_dismissed",
        f"Dismissed in the chat: {suggestion.title}",
        {**_told(message_id, suggestion), "by": by},
    )


def unknown(message_id: UUID) -> NotFound:
    """Return the error for a message that the project's chat does not have."""
    return NotFound(f"The chat has no message {message_id}.", "Load the conversation again.")


def _ask(conn: Connection, project_id: UUID, wish: Wish, *, by: str) -> Proposal:
    """Ask for a wish; a pending refinement with other words is a refusal, because these words would be lost."""
    payload: dict[str, Any] = {}
    if wish.action_type == REFINE:
        payload = {"guidance": wish.guidance, "target_phase": wish.phase}
    title = _title(conn, wish)
    if title is None:
        return Proposal("refused", None, f"There is no action {wish.action_type!r}.", wish.action_type)
    try:
        made = propose(
            conn,
            project_id,
            wish.action_type,
            phase=wish.phase,
            packet=None,
            title=title,
            description=" ".join(part for part in (DESCRIPTIONS.get(wish.action_type), wish.rationale) if part),
            agent_source=SOURCE,
            payload=payload,
            asked_by=by,
        )
    except InvalidInput as exc:
        return Proposal("refused", None, exc.message, wish.action_type)
    if made.outcome != "pending":
        return made
    return _pending(conn, project_id, wish, made)


def _pending(conn: Connection, project_id: UUID, wish: Wish, made: Proposal) -> Proposal:
    row = conn.execute(
        "select id, content_hash from public.approval_queue where project_id = %s and action_type = %s"
        " and type = 'execution' and status = 'pending'",
        [project_id, wish.action_type],
    ).fetchone()
    if row is None:
        return Proposal("refused", None, "It was decided at this very moment.", wish.action_type)
    if wish.action_type == REFINE and row["content_hash"] != sha256_hex(require_guidance(wish.guidance)):
        return Proposal(
            "refused",
            row["id"],
            "Another refinement waits for a decision already. Decide on that one first.",
            wish.action_type,
        )
    return replace(made, approval_id=row["id"])


def _title(conn: Connection, wish: Wish) -> str | None:
    """Return what an approval of the wish is called: a refinement by its phase, which its own title leaves open."""
    if wish.action_type == REFINE and wish.phase in NAMES:
        return f"Refine what {NAMES[wish.phase]} has made"
    row = conn.execute("select title from public.action_types where action_type = %s", [wish.action_type]).fetchone()
    return None if row is None else row["title"]


def _held(conn: Connection, project_id: UUID, message_id: UUID) -> Suggestion:
    """Return a message's suggestion, and let nobody else decide on it until the transaction ends."""
    row = conn.execute(
        "select suggestion, suggestion_state, suggestion_note, approval_id from public.project_chat_messages"
        " where id = %s and project_id = %s for no key update",
        [message_id, project_id],
    ).fetchone()
    if row is None:
        raise unknown(message_id)
    suggestion = Suggestion.of_row(row)
    if suggestion is None:
        raise NotFound(f"Message {message_id} suggests nothing.", "Ask for it in the chat.")
    return suggestion


def _settle(
    conn: Connection, message_id: UUID, state: State, *, note: str | None = None, approval_id: UUID | None = None
) -> None:
    conn.execute(
        "update public.project_chat_messages set suggestion_state = %s, suggestion_note = %s, approval_id = %s"
        " where id = %s",
        [state, note, approval_id, message_id],
    )


def _told(message_id: UUID, suggestion: Suggestion) -> dict[str, Any]:
    return {"message_id": str(message_id), "action_type": suggestion.action_type}
