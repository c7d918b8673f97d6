"""A project that is talked with: messages are posted, claimed and answered without Dagster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from studio import chat, queue
from studio.chat.answering import ChatReply
from studio.chat.messages import answer_to
from studio.claims import Claim, Json
from studio.job_types import ChatPayload
from studio.model import spend
from studio.model.client import Model
from tests.support.approvals import FOUNDER, Company
from tests.support.model import Recorder

LEASE = timedelta(minutes=10)
IDEA = (
    "A tool library for city blocks: neighbours lend each other drills, ladders and sewing machines from a locker in"
    " the hallway. Members pay 5 euros a month. Most drills are used for minutes and then lie in a cupboard."
)


def no_model() -> Model:
    """Stand for a model where none may be asked."""
    raise AssertionError("the model was asked")


@dataclass
class Talk(Company):
    """A company with a chat. `model` answers."""

    model: Callable[[], Model] = field(default=no_model)
    columns: dict[str, Any] = field(default_factory=lambda: {"idea_description": IDEA, "name": "Tools next door"})

    def __post_init__(self) -> None:
        """Give the project a budget, as every founder's has."""
        super().__post_init__()
        with self.db.transaction() as conn:
            spend.set_budget(conn, self.id, Decimal(100), 100_000_000, 1_000)

    def post(self, text: str) -> chat.Posted:
        with self.db.transaction() as conn:
            return chat.post(conn, self.id, FOUNDER, text)

    def insert(self, **columns: Any) -> UUID:
        """Insert a message as another client, or the mail's intake, does."""
        values = {"owner_clerk_id": FOUNDER, "role": "user", "content": "Hello", **columns}
        with self.db.transaction() as conn:
            row = conn.execute(
                f"insert into public.project_chat_messages (project_id, {', '.join(values)})"
                f" values ({', '.join(['%s'] * (len(values) + 1))}) returning id".encode(),
                [self.id, *values.values()],
            ).fetchone()
        assert row is not None
        return UUID(str(row["id"]))

    def claim(self, job_id: UUID) -> Claim:
        """Claim the job as the next run does, whatever its last one has left."""
        with self.db.transaction() as conn:
            row = conn.execute(
                "select * from public.claim_agent_job(%s, 'worker', %s, 'run')", [job_id, LEASE]
            ).fetchone()
        assert row is not None
        return Claim(self.db, queue.job_from_row(row))

    def lose(self, claim: Claim) -> Claim:
        """Let the claim's lease run out, as where its worker was killed, and claim the job again."""
        with self.db.transaction() as conn:
            conn.execute("set local greenlight.transition = 'on'")
            conn.execute(
                "update public.agent_jobs set leased_until = now() - interval '1 second' where id = %s", [claim.job_id]
            )
        return self.claim(claim.job_id)

    def reply(self, claim: Claim, told: Recorder | None = None) -> ChatReply:
        payload = ChatPayload.model_validate(claim.job.payload)
        return ChatReply(claim=claim, payload=payload, progress=told or Recorder(), model=self.model)

    def run(self, claim: Claim, told: Recorder | None = None) -> Json:
        """Run both ops under the claim, as the factory does, and complete the job."""
        reply = self.reply(claim, told)
        answered = claim.once("answer", reply.answer)
        stored = claim.once_in_transaction("store", lambda conn: reply.store(conn, answered))
        claim.complete()
        return stored

    def ask(self, text: str, told: Recorder | None = None) -> chat.ChatMessage:
        """Say something and return the answer."""
        posted = self.post(text)
        self.run(self.claim(posted.job.job_id), told)
        return self.answer(posted)

    def answer(self, posted: chat.Posted) -> chat.ChatMessage:
        found = answer_to(self.db, self.id, posted.message_id)
        assert found is not None, "there is no answer"
        return found

    def message(self, posted: chat.Posted) -> chat.ChatMessage:
        return next(m for m in self.messages() if m.id == posted.message_id)

    def messages(self) -> list[chat.ChatMessage]:
        return chat.page(self.db, self.id).messages
