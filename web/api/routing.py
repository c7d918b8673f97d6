"""Routers: what all routes of the API have in common."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from web.api.wire import camel
from web.errors import ALWAYS, errors
from web.limits import within_writes

# Only for the description: who asks is told by `web.identity`.
_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="session",
    description="A session token of Clerk. A browser that has signed in sends its session cookie instead.",
)


def owner_router(tag: str, **more: Any) -> APIRouter:
    """Return a router for what an owner asks: signed in, and not too often."""
    return APIRouter(
        tags=[tag],
        dependencies=[Depends(_bearer), Depends(within_writes)],
        responses={**ALWAYS, **errors(401)},
        generate_unique_id_function=_name,
        **more,
    )


def open_router(tag: str, **more: Any) -> APIRouter:
    """Return a router for what others may ask: everybody, or who has a secret."""
    return APIRouter(tags=[tag], responses=ALWAYS, generate_unique_id_function=_name, **more)


def _name(route: APIRoute) -> str:
    """Return by what clients call a route: the name of its function, which is unique in the whole API."""
    return camel(route.name)
