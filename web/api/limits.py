"""What a project may do, spend and send, and whether it lives: changed by its owner, with an entry in the audit log."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Request
from pydantic import Field

from studio import grants, lifecycle, operators, projects
from studio.database.connection import Connection
from studio.lifecycle import Status
from studio.mail import quiet_hours
from studio.mail.quiet_hours import Given
from studio.model import spend
from studio.night_shift import switch
from studio.proposals import Proposal
from web import wording
from web.api.projects import BudgetAnswer, MailAnswer, PermissionsAnswer
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import LARGEST_INTEGER, Answer, Body, Done, Reason, Text
from web.errors import CHANGING
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("limits")

# A billion dollars, as in `studio.model.spend`; nobody means more.
LARGEST_AMOUNT = 10**9
TIMEZONE_LIMIT = 100

Usd = Annotated[Decimal, Field(ge=0, le=LARGEST_AMOUNT, max_digits=16, decimal_places=6)]
Count = Annotated[int, Field(ge=0, le=spend.LARGEST_CAP)]
TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


class PermissionsBody(Body):
    """What is to change; `adsBudgetCap` is in dollars a day."""

    repo_write: bool | None = None
    deploy: bool | None = None
    email_send: bool | None = None
    ads_enabled: bool | None = None
    ads_budget_cap: Usd | None = None
    reason: Reason | None = None


class ProposalAnswer(Answer):
    """An action that was asked for, or why it was not."""

    action_type: str
    title: str
    outcome: Literal["created", "pending", "refused", "denied_before", "executed_before"]
    approval_id: UUID | None
    reason: str

    @classmethod
    def of(cls, made: Proposal) -> ProposalAnswer:
        """Return what became of a proposal, in words for whoever has changed the settings."""
        return cls(
            action_type=made.action_type,
            title=wording.named(made.action_type) or made.action_type,
            outcome=made.outcome,
            approval_id=made.approval_id,
            reason=wording.plainly(made.reason),
        )


class GrantAnswer(Done):
    """What is in force now, what waits in the inbox because of it, and what is permitted and cannot be done yet."""

    permissions: PermissionsAnswer
    changed: bool
    proposals: list[ProposalAnswer]
    withheld: list[ProposalAnswer]


class BudgetBody(Body):
    """The caps that are to change."""

    usd: Usd | None = None
    tokens: Count | None = None
    calls: Count | None = None
    reason: Reason | None = None


class BudgetSetAnswer(Done):
    """Caps and spend as they are now."""

    budget: BudgetAnswer | None


class MailBody(Body):
    """What is to change; null takes a limit away, what is left out stays. Quiet hours are given as a pair."""

    timezone: Annotated[Text, Field(min_length=1, max_length=TIMEZONE_LIMIT)] | None = None
    quiet_from: TimeOfDay | None = None
    quiet_to: TimeOfDay | None = None
    daily_cap: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | None = None


class MailSetAnswer(Done):
    """The settings as they are now."""

    mail: MailAnswer


class LifeBody(Body):
    """What is to become of the project. A kill is final."""

    action: Literal["pause", "resume", "kill"]
    reason: Reason | None = None


class LifeAnswer(Done):
    """What the change did; `jobsStopping` have been told to stop, and do so within seconds."""

    status: Status
    before: Status
    outcome: Literal["changed", "unchanged"]
    jobs_canceled: int
    jobs_stopping: int
    jobs_revived: int
    approvals_denied: int
    mails_stopped: int


class NightShiftBody(Body):
    """Whether the project is worked on at night."""

    enabled: bool


class NightShiftAnswer(Done):
    """Whether it is now, and whether that is new."""

    night_shift: bool
    changed: bool


_STATUS_AFTER: dict[str, Status] = {"pause": "paused", "resume": "active", "kill": "killed"}


@router.put("/api/projects/{project_id}/permissions", responses=CHANGING)
def change_permissions(project: OwnProject, owner: SignedIn, request: Request, body: PermissionsBody) -> GrantAnswer:
    """Change what the project may do; what that makes possible is asked for at once."""
    given = body.model_dump(exclude={"reason"}, exclude_none=True)
    made = grants.change(studio_site(request).db, project.id, owner.clerk_id, permissions=given, reason=body.reason)
    return GrantAnswer(
        permissions=PermissionsAnswer.of(made.limits.permissions),
        changed=made.limits.changed,
        proposals=[ProposalAnswer.of(answer) for answer in made.proposed],
        withheld=[ProposalAnswer.of(answer) for answer in made.withheld],
    )


@router.put("/api/projects/{project_id}/budget", responses=CHANGING)
def change_budget(project: OwnProject, owner: SignedIn, request: Request, body: BudgetBody) -> BudgetSetAnswer:
    """Change what the project may spend on models; only operators set more than a new project has."""
    here = studio_site(request)

    def change(conn: Connection) -> BudgetSetAnswer:
        operators.require_budget(
            conn, here.settings, project.id, by=owner.clerk_id, usd=body.usd, tokens=body.tokens, calls=body.calls
        )
        projects.set_budget(
            conn,
            here.settings,
            project.id,
            usd=body.usd,
            tokens=body.tokens,
            calls=body.calls,
            by=owner.clerk_id,
            reason=body.reason,
        )
        now = spend.budget_in(conn, project.id)
        return BudgetSetAnswer(budget=None if now is None else BudgetAnswer.model_validate(now))

    return committed(here.db, change)


@router.put("/api/projects/{project_id}/mail", responses=CHANGING)
def change_mail(project: OwnProject, owner: SignedIn, request: Request, body: MailBody) -> MailSetAnswer:
    """Change when the project's mail may leave, and how much of it."""
    given = Given()
    if body.timezone is not None:
        given["timezone"] = body.timezone
    if "quiet_from" in body.model_fields_set:
        given["start"] = _time(body.quiet_from)
    if "quiet_to" in body.model_fields_set:
        given["end"] = _time(body.quiet_to)
    if "daily_cap" in body.model_fields_set:
        given["daily_cap"] = body.daily_cap
    hours = committed(
        studio_site(request).db, lambda conn: quiet_hours.change(conn, project.id, given, by=owner.clerk_id)
    )
    return MailSetAnswer(mail=MailAnswer.of(hours))


@router.post("/api/projects/{project_id}/life", responses=CHANGING)
def change_life(project: OwnProject, owner: SignedIn, request: Request, body: LifeBody) -> LifeAnswer:
    """Pause, resume or kill the project."""
    made = lifecycle.set_status(
        studio_site(request).db, project.id, _STATUS_AFTER[body.action], owner.clerk_id, body.reason
    )
    return LifeAnswer.model_validate(made)


@router.put("/api/projects/{project_id}/night-shift", responses=CHANGING)
def change_night_shift(project: OwnProject, request: Request, body: NightShiftBody) -> NightShiftAnswer:
    """Put the project on night shift, or take it off."""
    changed = committed(studio_site(request).db, lambda conn: switch.turn(conn, project.id, body.enabled))
    return NightShiftAnswer(night_shift=body.enabled, changed=changed)


def _time(text: str | None) -> time | None:
    return None if text is None else time.fromisoformat(text)
