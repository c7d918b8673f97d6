"""The page that a person gets instead of the one that was asked for."""

from __future__ import annotations

import psycopg
from fastapi import Request
from fastapi.responses import HTMLResponse

from studio.errors import StudioError
from web.identity.owner import Owner, found_owner
from web.pages.rendering import page

# Where the question who asks is one that the studio can answer: the others are refused before that, or come of a
# database that does not answer.
_ASKED = frozenset({404, 409, 410, 422})


def error_page(request: Request, status: int, title: str, message: str) -> HTMLResponse:
    """Return an error as a page of the studio, with its navigation for whoever has signed in."""
    return page(
        request,
        "error.html",
        _owner(request) if status in _ASKED else None,
        status,
        title=title,
        message=message,
        # Not asked for: what went wrong may be the database.
        nav_inbox=0,
    )


def _owner(request: Request) -> Owner | None:
    try:
        return found_owner(request)
    except (StudioError, psycopg.Error):
        # What went wrong is being said already.
        return None
