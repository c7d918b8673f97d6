"""A project's settings: `GET /projects/{project}/settings`, and the parts of it that follow what happens."""

from __future__ import annotations

import json
from typing import Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import integrations, operators, permissions
from studio.errors import SettingsError
from studio.mail import quiet_hours
from studio.model import spend
from studio.model.prices import MICROS
from studio.permissions import AuditEntry
from studio.projects import Project
from studio.secrets import Keys
from studio.views import limits
from web.identity.owner import Owner, OwnProject, SignedIn
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site
from web.wording import PERMISSIONS

router = APIRouter(include_in_schema=False)

# What changed longer ago is listed by `greenlight projects audit`.
AUDIT_SHOWN = 50
# What each provider is for, and where its values come from.
PROVIDERS = {
    "resend": ("Resend", "Mail goes out in the project's own name, from its own address."),
    "meta": ("Meta", "Ad campaigns are created in the project's own ad account."),
    "github": ("GitHub", "The launch workflow is started with the project's own token."),
    "vercel": ("Vercel", "The project's own deploy hook is called."),
}
FIELDS = {
    "api_key": "API key",
    "from_email": "Sender, as name <address>",
    "access_token": "Access token",
    "ad_account_id": "Ad account",
    "token": "Token",
    "deploy_hook_url": "Deploy hook",
}
SWITCHES = {
    "email_send": (PERMISSIONS["email_send"], "To those who have confirmed an address, and to nobody else."),
    "deploy": (PERMISSIONS["deploy"], "Calls the deploy hook of the project."),
    "repo_write": (PERMISSIONS["repo_write"], "Pushes new branches and starts workflows; merging stays with you."),
    "ads_enabled": (PERMISSIONS["ads_enabled"], "Paused, and within the cap a day. You start them at Meta."),
}
# Places, and none of the names that only a machine's own set-up means, such as Factory or localtime.
TIMEZONES = ("UTC", *sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/")))


@router.get("/projects/{project_id}/settings")
def settings(project: OwnProject, request: Request, owner: SignedIn) -> Response:
    """Show what the project may do, spend and send, its accounts, its life, and who changed what."""
    here = studio_site(request)
    own = {entry.provider: entry for entry in integrations.find(here.db, project.id)}
    shown: dict[str, Any] = {
        "providers": [
            {
                "key": key,
                "name": name,
                "purpose": purpose,
                "own": own.get(key),
                "installation": integrations.serves(here.settings, owner.clerk_id, key),
                "reserved": not integrations.may_use_installation(here.settings, owner.clerk_id, key),
                "fields": integrations.PROVIDERS[key],
            }
            for key, (name, purpose) in PROVIDERS.items()
        ],
        "field_names": FIELDS,
        "no_key": _no_key(here),
    }
    shown |= _limits(here, project, owner) | _followed(here, project)
    return page(request, "project_settings.html", owner, project=project, **shown)


@router.get("/parts/projects/{project_id}/settings/limits")
def limits_part(project: OwnProject, request: Request, owner: SignedIn) -> Response:
    """Return what the project may do, spend and send now."""
    limited = _limits(studio_site(request), project, owner)
    return page(request, "parts/settings_limits.html", owner, project=project, **limited)


@router.get("/parts/projects/{project_id}/settings/night")
def night_part(project: OwnProject, request: Request, owner: SignedIn) -> Response:
    """Return whether the project is worked on at night."""
    return page(request, "parts/settings_night.html", owner, project=project)


@router.get("/parts/projects/{project_id}/settings/life")
def life_part(project: OwnProject, request: Request, owner: SignedIn) -> Response:
    """Return whether the project lives, and what would end with it."""
    return _part(request, owner, project, "life")


@router.get("/parts/projects/{project_id}/settings/audit")
def audit_part(project: OwnProject, request: Request, owner: SignedIn) -> Response:
    """Return who changed what, as it is now."""
    return _part(request, owner, project, "audit")


def _part(request: Request, owner: Owner, project: Project, name: str) -> Response:
    followed = _followed(studio_site(request), project)
    return page(request, f"parts/settings_{name}.html", owner, project=project, **followed)


def _limits(here: StudioSite, project: Project, owner: Owner) -> dict[str, Any]:
    with here.db.connection() as conn:
        budget = spend.budget_in(conn, project.id)
        hours = quiet_hours.get(conn, project.id)
    return {
        "switches": SWITCHES,
        "cap": project.permissions.get(permissions.ADS_CAP) or 0,
        "possible": [
            (action, action.refusal or integrations.lacking(here.db, here.settings, project.id, action.action_type))
            for action in limits.possible(here.db, project.id)
        ],
        "most": None if operators.is_operator(here.settings, owner.clerk_id) else here.settings,
        "budget": budget,
        "budget_usd": None if budget is None or budget.cap_micros is None else f"{budget.cap_micros / MICROS:.2f}",
        "hours": hours,
        "timezones": TIMEZONES,
    }


def _followed(here: StudioSite, project: Project) -> dict[str, Any]:
    entries = permissions.audit(here.db, project.id, AUDIT_SHOWN)
    return {
        "ending": limits.ending(here.db, project.id),
        "audit": [(entry, changes(entry)) for entry in entries],
        "audit_limit": AUDIT_SHOWN,
    }


def changes(entry: AuditEntry) -> list[tuple[str, str, str]]:
    """Return what an entry of the audit log has changed: name, from, to."""
    before, after = entry.before, entry.after
    if not isinstance(after, dict):
        return [(entry.what, _said(before), _said(after))]
    known = before if isinstance(before, dict) else {}
    return [
        (key, _said(known.get(key), key), _said(value, key)) for key, value in after.items() if known.get(key) != value
    ]


def _said(value: Any, key: str = "") -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "on" if value else "off"
    if key == "cap_micros" and isinstance(value, int | float):
        return f"${value / MICROS:,.2f}"
    if isinstance(value, str):
        return value
    return f"{value:,}" if isinstance(value, int) else json.dumps(value, ensure_ascii=False)


def _no_key(here: StudioSite) -> str | None:
    """Say why nothing can be saved encrypted; None where it can."""
    try:
        Keys.from_settings(here.settings)
    except SettingsError as exc:
        return str(exc)
    return None
