"""The session cookie: HttpOnly, of this host alone, and never sent along by a page of another site."""

from __future__ import annotations

from datetime import timedelta

from fastapi import Request
from fastapi.responses import Response

from web.studio_site import studio_site

# A cookie is sent to every port of its host: two studios on one machine must not sign each other out.
_NAME = "greenlight_session"


def name(request: Request) -> str:
    """Return what the cookie is called; over HTTPS browsers keep its name for this very host (RFC 6265bis §4.1.3)."""
    if _is_secure(request):
        return f"__Host-{_NAME}"
    return f"{_NAME}_{request.url.port or 80}"


def session_token(request: Request) -> str | None:
    """Return the session's token that the browser sent."""
    return request.cookies.get(name(request)) or None


def set_session(request: Request, response: Response, token: str) -> None:
    """Let the browser keep a session."""
    response.set_cookie(
        name(request),
        token,
        max_age=int(timedelta(days=studio_site(request).settings.session_days).total_seconds()),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        # Lax, because a link in a mail must lead a signed-in person to the page; what changes anything is a POST.
        samesite="lax",
    )


def forget_session(request: Request, response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(name(request), path="/", secure=_is_secure(request), httponly=True, samesite="lax")


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or studio_site(request).is_secure
