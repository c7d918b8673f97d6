"""The studio's own application: the HTTP API, the event streams and the pages, for owners who have signed in."""

from __future__ import annotations

import re

from fastapi import FastAPI

from studio.database.connection import Database
from studio.settings import Settings
from web import answers, health, metrics
from web.api import ROUTERS as API
from web.connections import UPLOAD
from web.guard import Guard, Limits
from web.pages import ROUTERS as PAGES
from web.pages.errors import error_page
from web.public import waitlist
from web.studio_site import StudioSite

# An onboarding with all its texts at their longest is half of this.
MAX_BODY_BYTES = 128 * 1024
# The largest artifact there may be, and what a form puts around it.
MAX_UPLOAD_BYTES = 26 * 1024 * 1024
_STREAMS = re.compile(r"/api/(projects/[^/]+/)?events")
_LIMITS = Limits(max_body_bytes=MAX_BODY_BYTES, uploads=UPLOAD, max_upload_bytes=MAX_UPLOAD_BYTES, streams=_STREAMS)


def create_app(settings: Settings, db: Database) -> FastAPI:
    """Return the application for a studio's owners; the caller closes its `state.site` and then `db` at the end."""
    app = FastAPI(
        title="Greenlight",
        version="1",
        description="The studio's API. Long work is a job: a route enqueues it and answers with its id.",
        openapi_url="/api/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    site = StudioSite(settings, db)
    app.state.site = site
    app.state.error_page = error_page
    app.add_middleware(Guard, site=site, limits=_LIMITS)
    answers.install(app)
    for router in (*API, waitlist.api, health.router, metrics.router, *PAGES):
        app.include_router(router)
    return app
