"""What the installation has warned of: `GET /operations/alerts`, open and past, for operators."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.operations import alerts
from studio.operations.alert import Alert
from web.identity.viewer import Operating, Viewer
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

OPEN_LISTED = 100
PAST_LISTED = 50


@router.get("/operations/alerts")
def listed(looking: Operating, request: Request) -> Response:
    """Show what is wrong now, and what was."""
    return page(request, "operations/alerts.html", looking.owner, **_listed(request, looking))


@router.get("/parts/operations/alerts")
def listed_part(looking: Operating, request: Request) -> Response:
    """Return the alerts as they are now."""
    shown = _listed(request, looking)
    return page(request, "operations/alerts_part.html", looking.owner, nav_inbox=0, **shown)


def _listed(request: Request, looking: Viewer) -> dict[str, Any]:
    here = studio_site(request)
    return {
        "looking": looking,
        "open": alerts.find(here.db, state="open", limit=OPEN_LISTED),
        "past": alerts.find(here.db, state="closed", limit=PAST_LISTED),
        "leads_to": leads_to,
        "email": here.settings.alert_email,
        "webhook": here.settings.alert_webhook_url is not None,
    }


def leads_to(alert: Alert) -> tuple[str, str] | None:
    """Return where an alert is looked into, and what stands there; None where there is no such page."""
    if alert.kind == "error":
        return f"/operations/errors/{alert.subject}", "The error"
    if alert.kind == "slower":
        what, _, name = alert.subject.partition(":")
        return f"/operations/time?since=24h&{'pipeline' if what == 'pipeline' else 'name'}={name}", "Its times"
    if alert.kind == "lost workers":
        return "/operations/traces?status=lost&since=24h", "The lost attempts"
    if alert.kind == "queue":
        return "/operations", "Lanes and workers"
    return None
