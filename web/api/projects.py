"""Projects: `GET` and `POST /api/projects`, `GET /api/projects/{project_id}`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Query, Request

from studio import kpis, projects
from studio.mail import quiet_hours
from studio.model import spend
from studio.onboarding.form import Onboarding
from studio.onboarding.projects import create_from_onboarding
from studio.packets import versions
from studio.permissions import ADS_CAP
from studio.projects import Project
from web.api.routing import owner_router
from web.api.transactions import committed
from web.api.wire import Answer, Done
from web.errors import CHANGING, NAMED
from web.identity.owner import OwnProject, SignedIn
from web.studio_site import studio_site

router = owner_router("projects")

PAGE = 100
PAGE_LIMIT = 500


class PermissionsAnswer(Answer):
    """What a project may do in the world. `adsBudgetCap` is in dollars a day."""

    repo_write: bool
    deploy: bool
    email_send: bool
    ads_enabled: bool
    ads_budget_cap: float

    @classmethod
    def of(cls, stored: dict[str, Any]) -> Self:
        """Return the permissions as they are stored; what is not there is not permitted."""
        switches = {name: stored.get(name) is True for name in cls.model_fields if name != ADS_CAP}
        return cls(**switches, ads_budget_cap=float(stored.get(ADS_CAP) or 0))


class BudgetAnswer(Answer):
    """Caps and spend: money in millionths of a dollar. A cap that is null lets nothing through."""

    cap_micros: int | None
    cap_tokens: int | None
    cap_calls: int | None
    spent_micros: int
    reserved_micros: int
    spent_tokens: int
    reserved_tokens: int
    calls: int


class MailAnswer(Answer):
    """When a project's mail may leave; times of the day in its time zone. Null is no such limit."""

    timezone: str
    quiet_from: str | None
    quiet_to: str | None
    daily_cap: int | None

    @classmethod
    def of(cls, hours: quiet_hours.MailHours) -> Self:
        """Return the settings of a project's mail."""
        return cls(
            timezone=hours.timezone,
            quiet_from=None if hours.start is None else f"{hours.start:%H:%M}",
            quiet_to=None if hours.end is None else f"{hours.end:%H:%M}",
            daily_cap=hours.daily_cap,
        )


class ProjectAnswer(Answer):
    """A project. `phase` runs from 0 to 3; 4 is live."""

    id: UUID
    name: str
    idea_description: str
    domain: str | None
    repo_url: str | None
    phase: int
    status: str
    runtime_mode: str
    night_shift: bool
    focus_areas: list[str]
    live_url: str | None
    created_at: datetime
    permissions: PermissionsAnswer

    @classmethod
    def values(cls, project: Project) -> dict[str, Any]:
        """Return the fields of a project's answer."""
        return {**vars(project), "permissions": PermissionsAnswer.of(project.permissions)}


class ProjectsAnswer(Answer):
    """The newest projects first."""

    projects: list[ProjectAnswer]


class PacketHead(Answer):
    """Which packet of a phase is the latest."""

    phase: int
    version: int
    confidence: int
    model: str | None
    created_at: datetime


class KpisAnswer(Answer):
    """What was measured in the last 7 and 30 days; revenue in cents of `currency`."""

    traffic_7d: int
    leads_7d: int
    conversion_7d: float
    payments_7d: int
    revenue_cents_7d: int
    traffic_30d: int
    leads_30d: int
    conversion_30d: float
    payments_30d: int
    revenue_cents_30d: int
    currency: str
    foreign_payments_30d: int


class ProjectDetails(ProjectAnswer):
    """A project with its limits, its packets and its figures. `budget` is null where nobody has set one."""

    scan_results: dict[str, Any] | None
    budget: BudgetAnswer | None
    mail: MailAnswer
    packets: list[PacketHead]
    kpis: KpisAnswer


class CreatedAnswer(Done):
    """The new projects, one per domain. The same form under the same key makes none, and answers with them again."""

    project_id: UUID | None
    project_ids: list[UUID]
    created_count: int
    shortened: list[str]


@router.get("/api/projects")
def list_projects(
    owner: SignedIn, request: Request, limit: Annotated[int, Query(ge=1, le=PAGE_LIMIT)] = PAGE
) -> ProjectsAnswer:
    """Return the owner's newest projects."""
    found = projects.find(studio_site(request).db, owner_clerk_id=owner.clerk_id, limit=limit)
    return ProjectsAnswer(projects=[ProjectAnswer(**_known(ProjectAnswer, project)) for project in found])


@router.post("/api/projects", responses=CHANGING)
def create_projects(owner: SignedIn, request: Request, body: Onboarding) -> CreatedAnswer:
    """Create a project for each domain, or one for an idea or a repository; everything in them is off."""
    here = studio_site(request)
    made = committed(here.db, lambda conn: create_from_onboarding(conn, here.settings, owner.clerk_id, body))
    return CreatedAnswer(
        # A key whose projects have been deleted since makes none.
        project_id=next(iter(made.project_ids), None),
        project_ids=made.project_ids,
        created_count=len(made.project_ids) if made.created else 0,
        shortened=list(made.shortened),
    )


@router.get("/api/projects/{project_id}", responses=NAMED)
def show_project(project: OwnProject, request: Request) -> ProjectDetails:
    """Return a project with its limits, its packets and its figures."""
    db = studio_site(request).db
    with db.transaction() as conn:
        budget = spend.budget_in(conn, project.id)
        hours = quiet_hours.get(conn, project.id)
        figures = kpis.kpis(conn, project.id)
    return ProjectDetails(
        **_known(ProjectAnswer, project),
        scan_results=project.scan_results,
        budget=None if budget is None else BudgetAnswer.model_validate(budget),
        mail=MailAnswer.of(hours),
        packets=[PacketHead.model_validate(packet) for packet in versions.all_latest(db, project.id)],
        kpis=KpisAnswer.model_validate(figures),
    )


def _known(kind: type[ProjectAnswer], project: Project) -> dict[str, Any]:
    return {name: value for name, value in kind.values(project).items() if name in kind.model_fields}
