"""The session cookie: HttpOnly, of this host alone, and never sent along by a page of another site."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, TypedDict
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import Response

from web.studio_site import studio_site

# A cookie is sent to every port of its host: two studios on one machine must not sign each other out.
_NAME = "greenlight_session"
# As long as a link lasts; and browsers drop cookies of more than four kilobytes.
_WAY_SECONDS = 3600
_LONGEST_WAY = 2000


class _Marks(TypedDict):
    """Who is sent a cookie."""

    path: str
    secure: bool
    httponly: bool
    samesite: Literal["lax"]


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


def keep_way(request: Request, response: Response, path: str) -> None:
    """Let the browser remember, while it signs in, which page of the studio it was going to."""
    value = quote(path, safe="")
    if len(value) <= _LONGEST_WAY:
        response.set_cookie(_way(request), value, max_age=_WAY_SECONDS, **_way_marks(request))


def way(request: Request) -> str | None:
    """Return where the browser was going; whoever redirects there looks at it first, for anybody may have set it."""
    kept = request.cookies.get(_way(request))
    return unquote(kept) if kept else None


def forget_way(request: Request, response: Response) -> None:
    """Let the browser forget it."""
    response.delete_cookie(_way(request), **_way_marks(request))


def _way(request: Request) -> str:
    return f"greenlight_next_{request.url.port or 80}"


def _way_marks(request: Request) -> _Marks:
    return {"path": "/sign-in", "secure": _is_secure(request), "httponly": True, "samesite": "lax"}


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or studio_site(request).is_secure
