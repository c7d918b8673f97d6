"""Pages out of templates, with what every page needs."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined

from studio.views import inbox
from web import headers
from web.identity.owner import Owner
from web.pages import filters, static
from web.studio_site import studio_site

VERSION = static.version()

environment = Environment(
    loader=ChoiceLoader([PackageLoader("web", "templates/pages"), PackageLoader("web", "templates/shared")]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
environment.globals["static"] = f"/static/{VERSION}"
filters.install(environment)


def page(request: Request, template: str, owner: Owner | None, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page of `templates/pages`; what it shows is escaped. It is nobody's to keep."""
    here = studio_site(request)
    # Every page has the navigation, and a part of one has not.
    if owner is not None and "nav_inbox" not in context and not template.startswith("parts/"):
        context["nav_inbox"] = inbox.waiting(here.db, owner.clerk_id)
    html = environment.get_template(template).render(
        **context,
        owner=owner,
        path=request.url.path,
        clerk_key=here.settings.clerk_publishable_key if here.clerk is not None else None,
        dagster_url=(here.settings.dagster_ui_url or "").rstrip("/") or None,
        pages_url=here.settings.pages_base_url,
    )
    own = {
        "Content-Security-Policy": headers.studio_page(here),
        "Cache-Control": "private, no-store",
        # Our own forms say where they come from; an address with a token in it goes nowhere else.
        "Referrer-Policy": "same-origin",
    }
    return HTMLResponse(html, status, headers=own)
