"""Getting in and out: `GET /sign-in`, `GET` and `POST /sign-in/{token}`, `POST /sign-out`."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from studio import sign_in
from studio.errors import LinkRefused
from web.identity import cookies
from web.identity.owner import found_owner
from web.origins import same_origin
from web.pages.rendering import page
from web.studio_site import studio_site

router = APIRouter(include_in_schema=False)

# Of the three the studio knows none apart: it keeps no token that it could compare.
_NO_LINK = "This link opens nothing: it was used, has expired, or is not whole."


@router.get("/sign-in")
def ask(request: Request, next: str = "/") -> Response:
    """Say how one signs in; whoever has done so goes on."""
    where = _inside(next)
    if (elsewhere := _at_home(request)) is not None:
        return elsewhere
    if found_owner(request) is not None:
        return RedirectResponse(where, 303)
    answer = page(request, "sign_in.html", None, next=where, token=None, problem=None)
    if where != "/":
        cookies.keep_way(request, answer, where)
    return answer


@router.get("/sign-in/{token}")
def confirm(token: str, request: Request) -> Response:
    """Ask for a click: what looks at links ahead of people must not use one up."""
    here = studio_site(request)
    if (elsewhere := _at_home(request)) is not None:
        return elsewhere
    if found_owner(request) is not None:
        return _onwards(request)
    if here.clerk is not None or not sign_in.is_open(here.db, token):
        return page(request, "sign_in.html", None, 410, next="/", token=None, problem=_NO_LINK)
    return page(request, "sign_in.html", None, next="/", token=token, problem=None)


@router.post("/sign-in/{token}")
def redeem(token: str, request: Request) -> Response:
    """Use a link up, and let this browser be its owner's."""
    here = studio_site(request)
    if here.clerk is not None:
        raise LinkRefused("This studio signs people in elsewhere.", "Open its sign-in page.")
    life = timedelta(days=here.settings.session_days)
    try:
        session = sign_in.redeem(here.db, token, life=life, user_agent=request.headers.get("user-agent"))
    except LinkRefused:
        return page(request, "sign_in.html", None, 410, next="/", token=None, problem=_NO_LINK)
    answer = _onwards(request)
    cookies.set_session(request, answer, session)
    return answer


@router.post("/sign-out")
def sign_out(request: Request, everywhere: bool = Form(False)) -> Response:
    """End this browser's session, or all of its owner's."""
    here = studio_site(request)
    owner = found_owner(request)
    if owner is not None and owner.session_id is not None:
        sign_in.end(here.db, owner.clerk_id, None if everywhere else owner.session_id)
    answer = RedirectResponse("/sign-in", 303)
    cookies.forget_session(request, answer)
    return answer


def _onwards(request: Request) -> Response:
    """Lead to where this browser was going when it was asked to sign in, and let it forget that."""
    way = cookies.way(request)
    answer = RedirectResponse(_inside(way or "/"), 303)
    if way is not None:
        cookies.forget_way(request, answer)
    return answer


def _at_home(request: Request) -> Response | None:
    """Return the way to the studio's own host name, None for who is there.

    A machine's other name is that of the published pages: a session's cookie must not go there.
    """
    home = studio_site(request).address
    here = f"{urlsplit(home or '').scheme}://{request.headers.get('host', '')}"
    if home is None or same_origin(home, here):
        return None
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{home.rstrip('/')}{request.url.path}{query}", 303)


def _inside(address: str) -> str:
    """Return a path of this studio: an address that leads elsewhere is not followed."""
    parts = urlsplit(address)
    safe = address.startswith("/") and not address.startswith(("//", "/\\")) and not parts.scheme and not parts.netloc
    return address if safe and address.isprintable() and "\\" not in address else "/"
