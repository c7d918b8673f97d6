"""The inbox: what waits for the owner, and deciding on it (seed plan §5.2, domain specification §4)."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query, Request
from pydantic import Field

from studio import approvals, decisions, outcomes, projects
from studio.approvals import Approval, ApprovalStatus, Risk
from studio.decisions import DecisionKind
from studio.job_types import GUIDANCE_LIMIT
from studio.outcomes import StepKind
from studio.packets import versions
from studio.queue import Outcome
from web.api.outbox import EntryAnswer
from web.api.packet import PacketAnswer
from web.api.routing import owner_router
from web.api.wire import Answer, Done, Object, SeedBody, Text, Version, worded
from web.errors import CHANGING, NAMED
from web.identity.owner import SignedIn
from web.studio_site import studio_site

router = owner_router("inbox")

PAGE = 50
PAGE_LIMIT = 200


def own_approval(approval_id: UUID, owner: SignedIn, request: Request) -> Approval:
    """Return the approval of the path where it is of a project of the owner's; else it is not there."""
    return approvals.of_owner(studio_site(request).db, owner.clerk_id, approval_id)


OwnApproval = Annotated[Approval, Depends(own_approval)]


class ApprovalAnswer(Answer):
    """A question to the owner. `payload.executes` is exactly what a yes carries out, `contentHash` its hash."""

    id: UUID
    project_id: UUID
    phase: int
    title: str
    description: str
    risk: Risk
    type: Literal["phase_advance", "execution"]
    action_type: str
    status: ApprovalStatus
    version: int
    packet_version_id: UUID | None
    asset_id: UUID | None
    content_hash: str | None
    payload: Object
    guidance: str | None
    decided_by: str | None
    decided_at: datetime | None
    agent_source: str | None
    execution_status: str
    execution_job_id: UUID | None
    created_at: datetime


class InboxAnswer(Answer):
    """The newest approvals first."""

    approvals: list[ApprovalAnswer]


class NextStep(Answer):
    """What the owner can do about an approved action, or why there is nothing."""

    kind: StepKind
    of: UUID
    what: str | None
    where: str | None


class OutcomeAnswer(Answer):
    """What an approved action has led to."""

    execution_status: str
    detail: str | None
    error: str | None
    ended_at: datetime | None
    provider_response: Any
    job_id: UUID | None
    job_status: str | None
    effects: list[EntryAnswer]
    mails: dict[str, int]
    steps: list[NextStep]


class ApprovalDetails(ApprovalAnswer):
    """An approval with the packet it rests on, and what it has led to."""

    project_name: str
    packet: PacketAnswer | None
    outcome: OutcomeAnswer | None


class DecisionBody(SeedBody):
    """What the owner says to the approval as its `version` was shown."""

    decision: DecisionKind
    version: Version
    guidance: Annotated[Text, Field(max_length=GUIDANCE_LIMIT)] | None = None


class DecisionAnswer(Done):
    """The decision was made. Everything that follows from it is done on the server; nothing is left to the client."""

    approval_id: UUID
    status: DecisionKind
    version: int
    project_id: UUID
    project_phase: int
    job_id: UUID | None
    job_outcome: Outcome | None
    phase0_relaunch_required: Literal[False] = False


@router.get("/api/inbox")
def list_approvals(
    owner: SignedIn,
    request: Request,
    status: ApprovalStatus | None = None,
    project_id: Annotated[UUID | None, Query(alias="projectId")] = None,
    limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE,
) -> InboxAnswer:
    """Return the newest approvals of the owner's projects."""
    found = approvals.find(
        studio_site(request).db, owner_clerk_id=owner.clerk_id, project_id=project_id, status=status, limit=limit
    )
    return InboxAnswer(approvals=[ApprovalAnswer.model_validate(asked) for asked in found])


@router.get("/api/inbox/{approval_id}", responses=NAMED)
def show_approval(approval: OwnApproval, request: Request) -> ApprovalDetails:
    """Return an approval with the packet it rests on, and what it has led to."""
    db = studio_site(request).db
    packet = versions.get(db, approval.packet_version_id) if approval.packet_version_id else None
    outcome = outcomes.outcome_of(db, approval)
    return ApprovalDetails(
        **dict(ApprovalAnswer.model_validate(approval)),
        project_name=projects.get(db, approval.project_id).name,
        packet=None if packet is None else PacketAnswer.model_validate(packet),
        outcome=None if outcome is None else OutcomeAnswer.model_validate(outcome),
    )


@router.post("/api/inbox/{approval_id}/decision", responses=CHANGING)
def decide(approval: OwnApproval, owner: SignedIn, request: Request, body: DecisionBody) -> DecisionAnswer:
    """Approve, deny or have revised what was shown as `version`; 409 tells the version to look at now."""
    made = decisions.decide(
        studio_site(request).db,
        approval.id,
        body.decision,
        version=body.version,
        decided_by=owner.clerk_id,
        # With a no it is a reason, which may be as short as one likes; with a yes it is not read.
        guidance=worded(body.guidance) if body.decision == "revised" else body.guidance,
    )
    return DecisionAnswer.model_validate(made)
