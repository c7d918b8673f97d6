"""The door of the Dagster UI, which has no sign-in of its own: `GET /api/operator/session`, `GET /operator/dagster`.

The UI is served under the studio's own host name, on another port, so that the session's cookie comes along and its
pages are another origin all the same. The proxy there (Caddy's `forward_auth`) asks the first route before it lets any
request pass, and hands on what the browser sent. The second is the way in for a person.
"""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote, urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from studio import links
from studio.errors import LinkRefused, NotFound
from studio.operators import is_operator
from web.answers import refusal
from web.identity.owner import found_owner
from web.identity.viewer import Operating
from web.origins import origin_of
from web.studio_site import StudioSite, studio_site

router = APIRouter(include_in_schema=False)

# Browsers keep it for this very host, and send it over TLS alone.
PASS = "__Host-greenlight_dagster"  # noqa: S105 - its name
# A token of Clerk's is good for a minute and renewed by a script of the studio's pages, which Dagster's do not have. So
# with Clerk whoever comes through the studio gets a pass for a shift.
PASS_LIFE = timedelta(hours=8)
_PURPOSE = "dagster-ui"
_NO_STORE = {"Cache-Control": "no-store"}


@router.get("/api/operator/session")
def let_pass(request: Request) -> Response:
    """Answer a proxy 204 where the request that it hands on may pass: made by an operator, and by no foreign page.

    401 says that nobody has signed in, which for a person who opens a page is the way there (303); 403 that the
    request comes from a page of another origin, or from somebody who is no operator.
    """
    here = studio_site(request)
    if not _is_own(here, request):
        return refusal(request, 403, "Another site's page, or a browser that is too old to say so, asks for this.")
    name = _name_of(here, request)
    if name is not None and is_operator(here.settings, name):
        return Response(status_code=204, headers=_NO_STORE)
    if name is not None:
        return refusal(request, 403, "Only this studio's operators see Dagster.")
    if _is_navigation(request) and here.address is not None:
        to = quote(request.headers.get("x-forwarded-uri", "/"), safe="")
        return RedirectResponse(f"{here.address.rstrip('/')}/operator/dagster?to={to}", 303, _NO_STORE)
    return refusal(request, 401, "Sign in to the studio first.")


@router.get("/operator/dagster")
def enter(looking: Operating, request: Request, to: str = "/") -> Response:
    """Lead an operator to the Dagster UI, with a pass where his session does not last by itself."""
    here = studio_site(request)
    address = here.settings.dagster_ui_url
    if address is None:
        raise NotFound("This studio does not say where the Dagster UI is.")
    # A path of that address, whatever it says: nobody is led elsewhere.
    path = to if to.startswith("/") and to.isprintable() else "/"
    answer = RedirectResponse(f"{address.rstrip('/')}{path}", 303, _NO_STORE)
    if here.clerk is not None and urlsplit(address).scheme == "https":
        token = links.sign(here.settings, _PURPOSE, looking.owner.clerk_id, PASS_LIFE)
        answer.set_cookie(
            PASS,
            token,
            max_age=int(PASS_LIFE.total_seconds()),
            path="/",
            secure=True,
            httponly=True,
            samesite="lax",
        )
    return answer


def _name_of(here: StudioSite, request: Request) -> str | None:
    """Return who asks: by his session, or by a pass that a session got."""
    owner = found_owner(request)
    if owner is not None:
        return owner.clerk_id
    token = request.cookies.get(PASS)
    if token is None or here.clerk is None:
        return None
    try:
        return links.verify(here.settings, _PURPOSE, token)
    except LinkRefused:
        return None


def _is_own(here: StudioSite, request: Request) -> bool:
    """Say whether Dagster's own pages ask, or a person who opens one, or a program with a token of its own.

    Dagster carries out changes on GET as well, so no method is harmless; and published pages are of the same site, so
    their requests carry the cookie. What a browser says of itself (`Origin`, `Sec-Fetch-*`) cannot be set by a page.
    """
    if request.headers.get("authorization", "").lower().startswith("bearer "):
        return True
    scheme = "https" if here.is_secure else request.url.scheme
    origin = request.headers.get("origin")
    if origin is not None:
        return origin_of(origin) == origin_of(f"{scheme}://{request.headers.get('host', '')}")
    return request.headers.get("sec-fetch-site") in ("same-origin", "none") or _is_navigation(request)


def _is_navigation(request: Request) -> bool:
    """Say whether a person opens a page, not a frame: then Dagster answers with a page, and changes nothing."""
    return (
        request.headers.get("x-forwarded-method", "GET") == "GET"
        and request.headers.get("sec-fetch-mode") == "navigate"
        and request.headers.get("sec-fetch-dest") == "document"
        and "text/html" in request.headers.get("accept", "")
    )
