"""`chat.reply`: two ops, because every further one would come before the first word."""

from __future__ import annotations

from typing import cast

import dagster as dg

from jobs.factory import AgentOp, Work, build_agent_job, emitted_before
from studio.chat.answering import ChatReply
from studio.claims import Json
from studio.job_types import JOB_TYPES, ChatPayload


def _reply(work: Work) -> ChatReply:
    return ChatReply(
        claim=work.claim,
        payload=cast("ChatPayload", work.payload),
        progress=work.progress,
        model=work.model,
    )


def _materialize_answer(work: Work, stored: Json) -> None:
    """Record the answer as an asset materialization, which the mirror turns into the artifact event."""
    message_id = stored["message_id"]
    if message_id is None or emitted_before(work, "message_id", message_id):
        return
    action = stored["action_type"]
    work.dagster.log_event(
        dg.AssetMaterialization(
            asset_key=["chat_answers"],
            partition=str(work.claim.job.project_id),
            description=f"Answered in the chat, with a suggestion: {action}" if action else "Answered in the chat",
            metadata={name: value for name, value in stored.items() if value is not None},
        )
    )


OPS = (
    AgentOp(
        "answer",
        "Read the project and the conversation, and ask the model; its words are streamed as they come.",
        lambda work: _reply(work).answer(),
    ),
    AgentOp(
        "store",
        "Store the answer with what it suggests, once.",
        lambda work, conn, answered: _reply(work).store(conn, answered),
        needs=("answer",),
        transactional=True,
        after=_materialize_answer,
    ),
)

chat_reply = build_agent_job(JOB_TYPES["chat.reply"], OPS)
