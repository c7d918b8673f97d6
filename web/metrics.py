"""What Prometheus scrapes: `GET /metrics`, for who knows `WORKER_HEALTH_SECRET`, on the studio's origin alone."""

from __future__ import annotations

import psycopg
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from studio.errors import DatabaseError
from studio.operations import health, metrics
from studio.operations.health import Health
from web.api.secret import is_secret
from web.kept import Kept
from web.studio_site import StudioSite, studio_site

# However many scrape, and however often: the database is looked at once in this time.
KEPT_SECONDS = 5.0

router = APIRouter()

# One looks; the others hear what was seen.
_THREADS = 2
_REFUSED = (
    "This needs the secret of a monitor. Set WORKER_HEALTH_SECRET for the studio, and send it as `Authorization: Bearer"
    " <secret>` or in the header `x-worker-health-secret`."
)


@router.get("/metrics", include_in_schema=False)
async def scrape(request: Request) -> Response:
    """Return the metrics in Prometheus' text format; where the database is away, only that it is."""
    if not _is_monitor(request):
        return JSONResponse({"error": _REFUSED}, 401, {"WWW-Authenticate": "Bearer"})
    exporter = _exporter(request)
    text = await to_thread.run_sync(exporter.scrape, limiter=exporter.limiter)
    return Response(text, headers={"Content-Type": metrics.CONTENT_TYPE, "Cache-Control": "no-store"})


class Exporter:
    """What a studio's application exposes: one look for all that scrape within `KEPT_SECONDS`."""

    def __init__(self, site: StudioSite) -> None:
        # Belongs to an event loop, so this is made within it.
        self.limiter = CapacityLimiter(_THREADS)
        self._site = site
        self._registry = metrics.registry(Kept(self._look, KEPT_SECONDS).get)

    def scrape(self) -> bytes:
        """Return the metrics as they are, or were a moment ago."""
        return metrics.exposition(self._registry)

    def _look(self) -> Health | None:
        site = self._site
        # Asked first, because the pool would wait for a server that is not there.
        if not site.pulse.beats():
            return None
        try:
            return health.look(site.db, site.settings, listener=site.listener, uptime_seconds=site.uptime_seconds)
        except (DatabaseError, psycopg.OperationalError):
            return None


def _exporter(request: Request) -> Exporter:
    if not hasattr(request.app.state, "exporter"):
        request.app.state.exporter = Exporter(studio_site(request))
    found: Exporter = request.app.state.exporter
    return found


def _is_monitor(request: Request) -> bool:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer = token.strip() if scheme.lower() == "bearer" else None
    secret = studio_site(request).settings.worker_health_secret
    # Both are compared, so that neither way is told from the other by its time.
    return is_secret(bearer, secret) | is_secret(request.headers.get("x-worker-health-secret"), secret)
