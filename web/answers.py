"""Answers: pages for people, JSON for programs, and errors in one shape for each."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlencode

import psycopg
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from studio.errors import (
    BudgetExhausted,
    Conflict,
    DatabaseError,
    DecisionConflict,
    InvalidInput,
    LinkRefused,
    NoHandler,
    NotFound,
    OutboundRefused,
    PermissionRefused,
    RateLimited,
    StorageConflict,
    StorageRefused,
    StudioError,
    TooLarge,
    UnknownJobType,
)
from studio.text import storable
from web import headers, misfits, wording

log = logging.getLogger(__name__)

_environment = Environment(
    loader=ChoiceLoader([PackageLoader("web", "templates/public"), PackageLoader("web", "templates/shared")]),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
# What nobody outside can do anything about is in the log, and not in the answer.
_OUT_OF_ORDER = "This does not work at the moment. Please try again in a few minutes."
_RETRY_SECONDS = 30
WAITLIST = "/api/waitlist"
# Whoever corrects these sends it again, and hears of the others.
_PROBLEMS_TOLD = 10
_PLAIN: dict[int, str] = {
    400: "This request cannot be read.",
    403: "This is not allowed.",
    404: "There is no such page.",
    405: "This address is not asked like that.",
    413: "This is more than is taken here.",
    415: "Send JSON or a form.",
}
_TITLES: dict[int, str] = {
    403: "Not from here",
    404: "Nothing here",
    422: "That did not work",
    429: "A little too fast",
    503: "Back in a moment",
}
_STATUSES: tuple[tuple[tuple[type[StudioError], ...], int], ...] = (
    ((RateLimited,), 429),
    ((NotFound,), 404),
    ((TooLarge,), 413),
    ((InvalidInput, UnknownJobType, NoHandler, OutboundRefused), 422),
    ((Conflict, StorageConflict, BudgetExhausted), 409),
    ((StorageRefused,), 422),
    ((PermissionRefused,), 403),
)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """Return a page of `templates`; what it shows is escaped."""
    html = _environment.get_template(template).render(context)
    own = {"Content-Security-Policy": headers.own_page(), "Cache-Control": "no-store"}
    return HTMLResponse(html, status, headers=own)


def media_type(request: Request) -> str:
    """Return the media type of a request's body, without its parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def is_form(request: Request) -> bool:
    """Say whether a browser's form was sent."""
    return media_type(request) in _FORMS


def for_program(request: Request) -> bool:
    """Say whether the answer is read by a program, and not by a person."""
    # The form of a published page is sent by a browser that shows what it is answered.
    by_form = request.url.path == WAITLIST and is_form(request)
    return request.url.path.startswith(("/api/", "/healthz", "/readyz", "/metrics")) and not by_form


def refusal(
    request: Request,
    status: int,
    message: str,
    extra: dict[str, str] | None = None,
    *,
    title: str | None = None,
    details: dict[str, Any] | None = None,
) -> Response:
    """Return an error: `{"error": message}` with `details` for a program, a page for a person."""
    if for_program(request):
        answer: Response = JSONResponse({"error": message, **(details or {})}, status)
    else:
        # The studio's own application has pages of its own for that.
        show = getattr(request.app.state, "error_page", _error_page)
        answer = show(request, status, title or _TITLES.get(status, "That did not work"), message)
    answer.headers.update(extra or {})
    return answer


def _error_page(request: Request, status: int, title: str, message: str) -> Response:
    return page("error.html", status, title=title, message=message)


def overloaded(request: Request) -> Response:
    """Return what is said while nothing more can be taken on."""
    return refusal(request, 503, _OUT_OF_ORDER, {"Retry-After": str(_RETRY_SECONDS)})


def status_of(exc: StudioError) -> int:
    """Return the HTTP status that says what `exc` says."""
    if isinstance(exc, LinkRefused):
        return 410 if exc.expired else 404
    for kinds, status in _STATUSES:
        if isinstance(exc, kinds):
            return status
    return 503


def install(app: FastAPI) -> None:
    """Let every error of `app` become an answer of this shape."""
    app.add_exception_handler(StudioError, _studio_error)
    app.add_exception_handler(psycopg.Error, _database_error)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _misfit)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _unexpected)


def _studio_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, StudioError)  # noqa: S101 - this handler's own kind
    status = status_of(exc)
    if status == 503:
        log.warning("%s %s: %s", request.method, _route(request), exc)
        return overloaded(request)
    if isinstance(exc, LinkRefused):
        return refusal(request, status, exc.remedy or exc.message, title=exc.message.rstrip("."))
    extra = {"Retry-After": str(exc.retry_after)} if isinstance(exc, RateLimited) else {}
    # A remedy that names commands is for whoever runs the studio, and not for whoever asked here.
    told = wording.plainly(str(exc))
    details = {"expectedVersion": exc.expected_version} if isinstance(exc, DecisionConflict) else None
    return refusal(request, status, told, extra, details=details)


def _misfit(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)  # noqa: S101 - this handler's own kind
    errors = exc.errors()[:_PROBLEMS_TOLD]
    if not for_program(request) and any(error["loc"][:1] == ("path",) for error in errors):
        # An id that is none is that of nothing.
        return refusal(request, 404, _PLAIN[404])
    problems = " ".join(misfits.told(error) for error in errors)
    return refusal(request, 422, storable(f"{problems} Correct it and send it again."))


def _database_error(request: Request, exc: Exception) -> Response:
    return _studio_error(request, DatabaseError(f"The database refuses: {exc}."))


def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)  # noqa: S101 - this handler's own kind
    if exc.status_code == 401 and request.method == "GET" and not for_program(request):
        asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/sign-in?{urlencode({'next': asked})}", 303, {"Cache-Control": "no-store"})
    # A detail of our own; the framework's are phrases of the protocol.
    own = exc.detail if exc.detail and exc.detail[-1] in ".!?" else None
    message = own or _PLAIN.get(exc.status_code, "This request cannot be answered.")
    return refusal(request, exc.status_code, message, dict(exc.headers or {}))


def _left(request: Request, exc: Exception) -> Response:
    # Nobody reads this. It is no failure of ours, so nothing is written about it.
    return refusal(request, 400, "The request ended in its middle.")


def _unexpected(request: Request, exc: Exception) -> Response:
    log.error("%s %s failed", request.method, _route(request), exc_info=exc)
    return refusal(request, 500, _OUT_OF_ORDER)


def _route(request: Request) -> str:
    """Return which route was asked, without what may be a secret in its path."""
    return str(getattr(request.scope.get("route"), "path", "an unknown path"))
