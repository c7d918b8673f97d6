"""Health at a glance: `GET /operations`. Operators see the installation, everybody else what his own projects do."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio.operations import alerts, bottlenecks, health, issues, traces, trends
from studio.operations.health import Health
from web.identity.viewer import Looking, Viewer
from web.pages.operations.alerts import leads_to
from web.pages.rendering import page
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

TRACES_SHOWN = 8
ERRORS_SHOWN = 5
ALERTS_SHOWN = 5
# What a page says beside "more" need not be counted further.
COUNTED = 100
DAY = timedelta(days=1)


@router.get("/operations")
def whole(looking: Looking, request: Request) -> Response:
    """Show how everything fares now."""
    return page(request, "operations/overview.html", looking.owner, **_shown(request, looking))


@router.get("/parts/operations/overview")
def whole_part(looking: Looking, request: Request) -> Response:
    """Return how everything fares by now."""
    shown = _shown(request, looking)
    return page(request, "operations/overview_part.html", looking.owner, nav_inbox=0, **shown)


def _shown(request: Request, looking: Viewer) -> dict[str, Any]:
    here = studio_site(request)
    spent = trends.cost(here.db, looking.scope, by="hour", since=DAY)
    open_errors = issues.find(here.db, looking.scope, status="open", limit=COUNTED)
    warned = alerts.find(here.db, limit=COUNTED) if looking.is_operator else []
    return {
        "looking": looking,
        "health": _health(here) if looking.is_operator else None,
        "pipelines": bottlenecks.pipelines(here.db, looking.scope, since=DAY),
        "day_micros": sum(point.cost_micros for point in spent),
        "day_calls": sum(point.calls for point in spent),
        "errors": open_errors[:ERRORS_SHOWN],
        "errors_count": len(open_errors),
        "warned": warned[:ALERTS_SHOWN],
        "warned_count": len(warned),
        "leads_to": leads_to,
        "counted": COUNTED,
        "traces": traces.find(here.db, looking.scope, limit=TRACES_SHOWN),
    }


def _health(here: StudioSite) -> Health:
    return health.look(here.db, here.settings, listener=here.listener, uptime_seconds=here.uptime_seconds)
