"""The application of the public origin."""

from __future__ import annotations

from fastapi import FastAPI

from studio.database.connection import Database
from studio.settings import Settings
from web import answers, health
from web.guard import Guard
from web.public import files, launch, shares, unsubscribe, waitlist
from web.site import Site


def create_public_app(settings: Settings, db: Database) -> FastAPI:
    """Return the application for what is public of a studio; the caller closes `db` when it has ended."""
    # What it offers is public and small: no description of it is served.
    app = FastAPI(title="Greenlight", openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    site = Site(settings, db)
    app.state.site = site
    app.add_middleware(Guard, site=site)
    answers.install(app)
    for part in (launch, shares, waitlist, unsubscribe, files, health):
        app.include_router(part.router)
    return app
