"""Joining a waitlist, confirming it, and never being asked again.

`POST /api/waitlist` takes the form of a published page and JSON alike. A confirmation is a page with a button:
programs that look after people's mail open every link in it, and press no button.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any, Literal, NoReturn
from uuid import UUID

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from studio import pages, waitlist
from studio.errors import InvalidInput
from studio.job_types import SYSTEM_PROJECT_ID
from studio.text import clip
from studio.waitlist import DEFAULT_SOURCE, Invitation, Signup
from web import misfits
from web.answers import is_form, media_type, page
from web.errors import errors
from web.site import Site, site
from web.visitors import visitor

# Programs ask the studio itself, as the seed's clients do; the form of a published page asks the public origin.
api = APIRouter()
router = APIRouter()

# The names that a published page's form has (`studio.landing.form`); all others are answers to the page's questions.
_TRAP = "website"
_OWN = frozenset({"email", "name", "project_id", "source", _TRAP})
_MAX_FIELDS = 40
_MAX_DIGITS = 40
_MESSAGE = "A mail is on its way, unless this address is on the list already. One click on its link, and it is."


class Body(BaseModel):
    """The JSON of a sign-up. A program that sends more than this is not misunderstood."""

    model_config = ConfigDict(extra="ignore")

    email: str = Field(max_length=1000)
    project_id: UUID = SYSTEM_PROJECT_ID
    name: str | None = Field(default=None, max_length=1000)
    source: str = Field(default=DEFAULT_SOURCE, max_length=1000)
    metadata: dict[str, Any] = {}
    website: str = ""


class Joined(BaseModel):
    """What every sign-up that is taken is told."""

    ok: Literal[True]
    status: Literal["pending"]
    message: str


# A page for a browser's form, JSON for a program.
_PAGE = {"text/html": {"schema": {"type": "string"}}}
_FORM = {
    "type": "object",
    "required": ["email"],
    "properties": {
        "email": {"type": "string"},
        "project_id": {"type": "string", "format": "uuid"},
        "name": {"type": "string"},
        "source": {"type": "string"},
    },
    "additionalProperties": {"type": "string"},
}
# A page says the same.
_REFUSALS = {status: {**told, "content": _PAGE} for status, told in errors(400, 404, 413, 415, 422, 429, 503).items()}


@api.post(
    "/api/waitlist",
    tags=["waitlist"],
    operation_id="joinWaitlist",
    response_model=Joined,
    responses={200: {"content": _PAGE}, **_REFUSALS},
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": Body.model_json_schema()},
                "application/x-www-form-urlencoded": {"schema": _FORM},
            },
        }
    },
)
async def join(request: Request) -> Response:
    """Put somebody on a list, and ask by mail whether it is meant."""
    here, who = site(request), visitor(request)
    if is_form(request):
        signup = await _form(request)
        await run_in_threadpool(waitlist.join, here.db, here.settings, signup, who)
        return page("thanks.html", project_id=_shown(signup.project_id))
    if media_type(request) != "application/json":
        raise HTTPException(415)
    await run_in_threadpool(waitlist.join, here.db, here.settings, _signup(_json(await request.body())), who)
    return JSONResponse({"ok": True, "status": "pending", "message": _MESSAGE})


router.include_router(api)


@router.api_route("/waitlist/confirm/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request) -> Response:
    """Show what a link would confirm."""
    here = site(request)
    found = waitlist.invitation(here.db, here.settings, token)
    return (
        _told(here, found)
        if found.status != "pending"
        else page("confirm.html", list_name=found.project_name, email=found.email)
    )


@router.post("/waitlist/confirm/{token}")
def confirm(token: str, request: Request) -> Response:
    """Confirm it."""
    here = site(request)
    return _told(here, waitlist.confirm(here.db, here.settings, token))


@router.api_route("/waitlist/block/{token}", methods=["GET", "HEAD"])
def ask_to_block(token: str, request: Request) -> Response:
    """Show what a link would end."""
    here = site(request)
    return page("block.html", **asdict(waitlist.asker(here.db, here.settings, token)))


@router.post("/waitlist/block/{token}")
def block(token: str, request: Request, everywhere: bool = False) -> Response:
    """End it; a mail program may do so as well (RFC 8058)."""
    here = site(request)
    ended = waitlist.block(here.db, here.settings, token, everywhere=everywhere)
    return page("blocked.html", everywhere=everywhere, **asdict(ended))


def _told(here: Site, found: Invitation) -> Response:
    return page(
        "confirmed.html" if found.status == "confirmed" else "left.html",
        list_name=found.project_name,
        email=found.email,
        # It may have been taken off since.
        project_id=_shown(found.project_id) if pages.published(here.db, found.project_id) else None,
    )


def _shown(project_id: UUID) -> UUID | None:
    return None if project_id == SYSTEM_PROJECT_ID else project_id


def _json(raw: bytes) -> Any:
    try:
        return json.loads(raw, parse_constant=_no_number, parse_float=_float, parse_int=_int)
    except RecursionError as exc:
        raise InvalidInput("The body is nested too deep.", "Send a flat object.") from exc
    except ValueError as exc:
        raise HTTPException(400, "The body is not JSON.") from exc


def _no_number(text: str) -> NoReturn:
    raise InvalidInput(f"{clip(text, 40)} is no number that can be kept.", "Give it as text.")


def _float(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _no_number(text)


def _int(text: str) -> int:
    # Python reads no more digits in one go than some thousands.
    return int(text) if len(text) <= _MAX_DIGITS else _no_number(text)


async def _form(request: Request) -> Signup:
    async with request.form(max_files=0, max_fields=_MAX_FIELDS) as form:
        fields = {name: value for name, value in form.multi_items() if isinstance(value, str)}
    answers = {name: value for name, value in fields.items() if name not in _OWN}
    own = {name: value for name, value in fields.items() if name in _OWN and value}
    return _signup({**own, "metadata": answers})


def _signup(said: Any) -> Signup:
    try:
        body = Body.model_validate(said)
    except ValidationError as exc:
        first = exc.errors()[0]
        told = misfits.told({**first, "loc": ("body", *first["loc"])})
        raise InvalidInput(told, "Correct it and send it again.") from exc
    return Signup(
        email=body.email,
        project_id=body.project_id,
        name=body.name,
        source=body.source,
        metadata=body.metadata,
        trap=body.website,
    )
