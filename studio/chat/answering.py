"""The work of `chat.reply`: ask the model once, and store its answer once (seed plan §4.8, domain specification §9)."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from studio.agents.chat import Chat
from studio.chat import context
from studio.chat.context import Conversation
from studio.chat.suggestions import RATIONALE_LIMIT, Wish, examine, stored
from studio.claims import Claim, Json
from studio.database.connection import Connection
from studio.database.patience import patiently
from studio.errors import ModelAnswerInvalid, ModelRefused
from studio.job_types import ChatPayload
from studio.memory import remember
from studio.model.spend import Spender
from studio.progress import Progress
from studio.project_events import record
from studio.proposals import REFINE
from studio.text import clip, one_line, storable

if TYPE_CHECKING:
    from studio.model.client import Model

# What the column holds (domain specification §1).
CONTENT_LIMIT = 8_000
TOPIC_LIMIT = 200
CUT = "\n\n[Cut here: the answer was too long.]"
# Where the model stopped in mid-sentence at its own limit.
CUT_SHORT = " …"
PAUSE = "\n\n"
NOTED = "The founder sees a button to confirm it. Nothing is done yet."


@dataclass(frozen=True)
class ChatReply:
    """One attempt at an answer: the claim it works under, and what it works with."""

    claim: Claim
    payload: ChatPayload
    progress: Progress
    model: Callable[[], Model]

    def answer(self) -> Json:
        """Read the context, ask the model, and return its answer with what it suggests.

        Raises `NotFound` where the message is gone, `PermissionRefused` where the project is not active,
        `BudgetExhausted`, `ModelRefused`, `ModelUnavailable`, and `ModelAnswerInvalid` for an answer without words.
        """
        job = self.claim.job
        talk = patiently(lambda: context.load(self.claim.db, job.project_id, self.payload.user_message_id, job.id))
        desk = Desk(self.claim, talk)
        spoken = Spoken(self.progress)
        spender = Spender(job.project_id, job.id, self.claim.claim_no)
        answer = Chat(self.model(), spender, spoken).run("answer", talk.facts, desk.propose)
        if answer.stop_reason == "refusal":
            raise ModelRefused("The model declined to answer.", "Put the question differently.")
        if answer.stop_reason == "max_tokens":
            spoken.delta(CUT_SHORT)
        # A model may propose and fall silent; why it did so are words of its own.
        text = spoken.text.strip() or (desk.suggestion or {}).get("rationale", "")
        if not text:
            raise ModelAnswerInvalid("The model answered without a word.", "Send the message again.")
        return {
            "text": within(text),
            "suggestion": desk.suggestion,
            "model": answer.model,
            "cost_micros": answer.cost_micros,
            "topic": one_line(talk.message, TOPIC_LIMIT),
            "owner_clerk_id": talk.owner_clerk_id,
        }

    def store(self, conn: Connection, answered: Json) -> Json:
        """Store the answer with its suggestion, once, in the caller's transaction; tell the ledger and the memory.

        An answer that is there already stays, unless it is what was left of a stopped one.
        """
        project_id, asked = self.claim.job.project_id, self.payload.user_message_id
        suggestion = answered["suggestion"]
        row = conn.execute(
            "insert into public.project_chat_messages as m"
            " (project_id, owner_clerk_id, role, content, reply_to, suggestion, suggestion_state)"
            " values (%(project)s, %(owner)s, 'assistant', %(text)s, %(asked)s, %(suggestion)s::jsonb, %(state)s)"
            " on conflict (reply_to) do update set content = excluded.content, stopped = false,"
            " suggestion = excluded.suggestion, suggestion_state = excluded.suggestion_state, created_at = now()"
            " where m.stopped returning m.id",
            {
                "project": project_id,
                "owner": answered["owner_clerk_id"],
                "text": answered["text"],
                "asked": asked,
                "suggestion": None if suggestion is None else json.dumps(suggestion),
                "state": None if suggestion is None else "open",
            },
        ).fetchone()
        if row is None:
            return {"message_id": None, "action_type": None}
        action_type = None if suggestion is None else suggestion["action_type"]
        record(
            conn,
            project_id,
            "chat.assistant_reply",
            "The studio answered in the chat.",
            {
                "message_id": str(row["id"]),
                "reply_to": str(asked),
                "job_id": str(self.claim.job_id),
                "action_type": action_type,
                "model": answered["model"],
                "cost_micros": answered["cost_micros"],
            },
        )
        remember(
            conn,
            project_id,
            "context",
            "last_chat_topic",
            answered["topic"],
            agent_key="ceo",
            job_id=self.claim.job_id,
            origin="founder",
        )
        return {"message_id": str(row["id"]), "action_type": action_type}


@dataclass
class Desk:
    """Takes the model's proposals: the first that could be confirmed becomes the answer's suggestion."""

    claim: Claim
    talk: Conversation
    suggestion: dict[str, Any] | None = field(default=None)

    def propose(self, action_type: str, rationale: str, guidance: str, phase: int | None) -> str:
        """Check a proposal with the rules of an approval; return in JSON what the model should know of it."""
        if self.suggestion is not None:
            return _said(noted=False, why="One action is prepared already; an answer carries only one.")
        refines = action_type == REFINE
        wish = Wish(
            action_type=action_type,
            rationale=one_line(storable(rationale), RATIONALE_LIMIT),
            phase=self.talk.newest_phase if phase is None or not refines else phase,
            guidance=storable(guidance).strip() if refines else None,
        )

        def examined() -> Any:
            with self.claim.db.connection() as conn:
                return examine(conn, self.claim.job.project_id, wish, by=self.talk.owner_clerk_id)

        found = patiently(examined)
        if found.problem is not None:
            return _said(noted=False, why=found.problem)
        self.suggestion = stored(wish, found.title)
        return _said(
            noted=True, title=found.title, next="The founder sees a button to confirm it. Nothing is done yet."
        )


class Spoken:
    """A progress that also keeps the words: of every turn, as the founder has read them."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._paused = False
        self.text = ""

    def log(self, message: str, **data: Any) -> None:
        """Pass a line on."""
        self._progress.log(message, **data)

    def delta(self, text: str, **data: Any) -> None:
        """Pass text on; what follows a tool call begins a paragraph."""
        if self._paused and self.text.strip():
            text = PAUSE + text.lstrip()
        self._paused = False
        self.text += text
        self._progress.delta(text, **data)

    def tool_call(self, tool: str, **data: Any) -> None:
        """Pass the use of a tool on."""
        self._paused = True
        self._progress.tool_call(tool, **data)

    def tool_result(self, tool: str, **data: Any) -> None:
        """Pass on what a tool gave."""
        self._progress.tool_result(tool, **data)


def within(text: str) -> str:
    """Return an answer as it can be stored: one that is too long is cut, and says so (D36)."""
    if len(text) <= CONTENT_LIMIT:
        return text
    return clip(text, CONTENT_LIMIT - len(CUT)) + CUT


def _said(**told: Any) -> str:
    return json.dumps(told, ensure_ascii=False)
