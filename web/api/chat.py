"""The chat of a project (seed plan §5.4): what was said, saying something, and answering a suggestion."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field

from studio import chat
from studio.chat.messages import PAGE, PAGE_LIMIT, Role
from studio.chat.suggestions import State
from studio.job_types import MESSAGE_LIMIT
from studio.queue import JobStatus, Outcome
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Done, SeedBody, Text
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.limits import within_chat
from web.studio_site import studio_site

router = owner_router("chat")


class SuggestionAnswer(Answer):
    """What an answer suggests to do. Nothing is done before the owner confirms it and approves what it opens."""

    action_type: str
    title: str
    rationale: str
    phase: int
    guidance: str | None
    state: State
    note: str | None
    approval_id: UUID | None
    decidable: bool


class MessageAnswer(Answer):
    """A message; of the owner's own `jobId`, `jobStatus` and `jobError` tell how its answer fares."""

    id: UUID
    role: Role
    content: str
    reply_to: UUID | None
    job_id: UUID | None
    job_status: JobStatus | None
    job_error: str | None
    stopped: bool
    suggestion: SuggestionAnswer | None
    created_at: datetime


class ChatAnswer(Answer):
    """A page of the conversation, the oldest message first. `hasMore` says whether there are older ones."""

    messages: list[MessageAnswer]
    has_more: bool


class MessageBody(SeedBody):
    """What the owner says."""

    # Blanks around it are taken off before they count, so that the text itself may be as long as allowed.
    message: Annotated[Text, Field(min_length=1, max_length=2 * MESSAGE_LIMIT)]


class PostedAnswer(Done):
    """The message is stored, and its answer is a job, whose text comes as `delta` events."""

    job_id: UUID
    user_message_id: UUID
    streaming: Literal[True] = True
    outcome: Outcome
    status: JobStatus


class ConfirmedAnswer(Answer):
    """What became of the suggestion. Where `ok` is false it could not be asked, `reason` says why."""

    ok: bool
    action_type: str
    outcome: Literal["created", "pending", "refused", "denied_before", "executed_before"]
    approval_id: UUID | None
    reason: str


@router.get("/api/projects/{project_id}/chat", responses=NAMED)
def list_messages(
    project: OwnProject,
    request: Request,
    before: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
) -> ChatAnswer:
    """Return the newest messages, or those before the message `before`."""
    return ChatAnswer.model_validate(chat.page(studio_site(request).db, project.id, before=before, limit=limit))


@router.post("/api/projects/{project_id}/chat", responses=CHANGING, dependencies=[Depends(within_chat)])
def post_message(project: OwnProject, owner: SignedIn, request: Request, body: MessageBody) -> PostedAnswer:
    """Say something; the answer is on its way when this returns."""
    posted = committed(studio_site(request).db, lambda conn: chat.post(conn, project.id, owner.clerk_id, body.message))
    return PostedAnswer(
        job_id=posted.job.job_id,
        user_message_id=posted.message_id,
        outcome=posted.job.outcome,
        status=posted.job.status,
    )


@router.post("/api/projects/{project_id}/chat/{message_id}/confirm", responses=CHANGING)
def confirm_suggestion(project: OwnProject, owner: SignedIn, message_id: UUID, request: Request) -> ConfirmedAnswer:
    """Make an approval of what a message suggests; confirming again finds the same one."""
    made = committed(
        studio_site(request).db, lambda conn: chat.confirm(conn, project.id, message_id, by=owner.clerk_id)
    )
    return ConfirmedAnswer(
        ok=made.outcome != "refused",
        action_type=made.action_type,
        outcome=made.outcome,
        approval_id=made.approval_id,
        reason=made.reason,
    )


@router.post("/api/projects/{project_id}/chat/{message_id}/dismiss", responses=CHANGING)
def dismiss_suggestion(project: OwnProject, owner: SignedIn, message_id: UUID, request: Request) -> Done:
    """Put a suggestion aside."""
    committed(studio_site(request).db, lambda conn: chat.dismiss(conn, project.id, message_id, owner.clerk_id))
    return Done()
