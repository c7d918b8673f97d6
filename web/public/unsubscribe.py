"""Ending a project's mail: a page with a button for people, one POST for mail programs (RFC 8058)."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter, Request
from fastapi.responses import Response

from studio import waitlist
from web.answers import page
from web.site import site

router = APIRouter()


@router.api_route("/unsubscribe/{token}", methods=["GET", "HEAD"])
def ask(token: str, request: Request) -> Response:
    """Show what a link would end; looking at it changes nothing."""
    here = site(request)
    return page("unsubscribe.html", **asdict(waitlist.subscription(here.db, here.settings, token)))


@router.post("/unsubscribe/{token}")
def unsubscribe(token: str, request: Request) -> Response:
    """End it. The body says nothing that the link does not."""
    here = site(request)
    return page("unsubscribed.html", **asdict(waitlist.unsubscribe(here.db, here.settings, token)))
